"""What Flow says of mail is what the log says, counted slowly: messages, and hops apart."""

from __future__ import annotations

import pytest
from maillab.lab import Lab

from mailtop.engine.clock import SystemClock
from mailtop.ledger.book import Ledger
from mailtop.ledger.flow import merged, part
from mailtop.parse.postfix_log import PostfixLog
from mailtop.parse.stamp import Stamps
from tests.truth.log_truth import truth_of

pytestmark = [pytest.mark.lab, pytest.mark.faults, pytest.mark.timeout(300)]


def test_streams_and_destinations_are_what_the_log_says(fresh_lab: Lab) -> None:
    since = int(SystemClock().now()) - 1
    fresh_lab.rejected()
    fresh_lab.deferred(3, domain="bigmail.test", sender="news@shop.test", text="450 4.7.1 slow down")

    truth = truth_of(fresh_lab, "postfix", since)
    ledger = Ledger()
    ledger.feed(
        PostfixLog(Stamps(SystemClock().now())).read(
            fresh_lab.logs("postfix", since).encode("utf-8", "surrogateescape")
        )
    )
    told = merged([part(ledger, ledger.last_at)], ledger.last_at)

    total = {one.name: one.total for one in told.streams}
    assert total["rejected"] == truth.rejects.total()
    assert total["deferred"] == 3
    assert total["filter"] <= truth.deliveries["filter", "sent"]
    (row,) = [one for one in told.ranks if one.table == "destinations" and one.name == b"bigmail.test"]
    assert (row.count, row.deferred, row.last) == (0, 3, 0.0)
