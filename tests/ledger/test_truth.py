"""The book against a slow, obvious counter: one regex a line, nothing clever."""

from __future__ import annotations

import re
import runpy
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailtop.ledger.book import Ledger
from mailtop.ledger.counts import counts
from mailtop.parse.postfix_log import PostfixLog
from mailtop.parse.stamp import Stamps

REFERENCE = datetime(2026, 11, 25, tzinfo=UTC).timestamp()
LOGS = sorted((Path(__file__).parent / "logs").glob("*.log"))
WRITE: Callable[..., None] = runpy.run_path(str(Path(__file__).parents[1] / "bench" / "maillog.py"))["write"]

DELIVERY = re.compile(
    r"postfix/\S*?(smtp|lmtp|error)\[\d+\]: (\w+): to=<(.*?)>, .*relay=(\S+), .*status=(\w+) \((.*)\)$"
)
CLIENT = re.compile(r"postfix/(\S*)smtpd\[\d+\]: \w+: client=")
PICKUP = re.compile(r"postfix/pickup\[\d+\]: (\w+): uid=\d+ from=<.*>$")
REMOVED = re.compile(r"postfix/qmgr\[\d+\]: \w+: removed$")
REJECT = re.compile(r"postfix/\S*(?:smtpd|postscreen)\[\d+\]: NOQUEUE: reject: .*?: (\d\d\d) ")
SASL = re.compile(r"smtpd\[\d+\]: warning: \S+: SASL \S+ authentication failed")


def truth(lines: list[str]) -> Counter[str]:
    count: Counter[str] = Counter()
    messages: set[tuple[str, str]] = set()
    for line in lines:
        if found := DELIVERY.search(line):
            program, id_, to, relay, status, reason = found.groups()
            if relay.endswith(":10024") or "look up host amavis" in reason or "connect to amavis" in reason:
                hop = "filter"
            elif to.endswith("@archive.local"):
                hop = "archive"
            else:
                hop = "mailbox" if program == "lmtp" else "remote"
            labels = f"{{hop={hop},status={'discarded' if 'Ok, discarded' in reason else status}}}"
            count["postfix_deliveries_total" + labels] += 1
            messages.add((id_, "postfix_messages_total" + labels))
        elif found := CLIENT.search(line):
            count["postfix_accepted_total"] += (
                found[1] != "reinject/"
            )  # the sites' own name, which the book never reads
        elif PICKUP.search(line):
            count["postfix_accepted_total"] += 1
        elif REMOVED.search(line):
            count["postfix_removed_total"] += 1
        elif found := REJECT.search(line):
            count[f"postfix_rejects_total{{code={found[1]}}}"] += 1
        elif SASL.search(line):
            count["postfix_sasl_failures_total"] += 1
    count.update(name for _, name in messages)
    return count


COUNTED = (
    "postfix_deliveries",
    "postfix_messages",
    "postfix_accepted",
    "postfix_removed",
    "postfix_rejects",
    "postfix_sasl",
)


def counted(log: bytes, chunk: int) -> dict[str, float]:
    book, reader, start = Ledger(), PostfixLog(Stamps(REFERENCE)), 0
    while start < len(log):
        end = log.rfind(b"\n", start, start + chunk) + 1 or log.find(b"\n", start) + 1 or len(log)
        book.feed(reader.read(log[start:end]))
        start = end
    book.settle(float("inf"))
    samples = counts(book, book.last_at)
    assert next(sample.value for sample in samples if sample.name == "postfix_log_unreadable_total") == 0
    return {sample.key: sample.value for sample in samples if sample.name.startswith(COUNTED) and sample.value}


@pytest.mark.parametrize("chunk", [1000, 1 << 18])
@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.name)
def test_real_logs_are_counted_exactly(path: Path, chunk: int) -> None:
    log = path.read_bytes()

    assert counted(log, chunk) == truth(log.decode().splitlines())


@pytest.mark.parametrize("chunk", [3000, 1 << 18])
@pytest.mark.parametrize("style", ["rfc3339", "traditional"])
def test_a_made_up_log_is_counted_exactly(tmp_path: Path, style: str, chunk: int) -> None:
    WRITE(tmp_path / "mail.log", 30_000, style=style)
    log = (tmp_path / "mail.log").read_bytes()

    assert counted(log, chunk) == truth(log.decode().splitlines())
