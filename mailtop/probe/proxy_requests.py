r"""How a web proxy's visitors fare: requests, how many of them failed on our side, and how long they took.

From nginx's access log as `combined` has it: `ADDRESS - USER [TIME] "REQUEST" STATUS BYTES "REFERER" "AGENT"`. How long
a request took is in it where somebody added `$request_time` at the end, alone or as `rt=` or `request_time=`. nginx
writes a `"` of a visitor's as `\x22`, so that none can end a field. Source: ngx_http_log_module.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from mailtop.metrics.lately import Lately, Values
from mailtop.model.sample import Sample
from mailtop.model.topology import Role
from mailtop.probe import Board, Found, Listener, Metric

WINDOW = 300.0
"""Seconds over which all is counted."""
ENOUGH = 20
"""Requests, below which a share of them says nothing."""

_REQUEST = re.compile(
    rb'[^"\[]{1,600}\[[^"\]]{10,40}\] "([^"]*)" (\d)\d\d (?:\d+|-)(?: "[^"]*" "([^"]*)")?(.*)', re.DOTALL
)
_TOOK = re.compile(rb'[ "](?:rt=|request_time=)?(\d{1,6}\.\d{3})"?\s*\Z')
_OURS = (b"mailtop", b"/nginx_status")  # what watches is no visitor


class Requests:
    """What one proxy has said lately."""

    def __init__(self) -> None:
        self._counts: Lately[bytes] = Lately(WINDOW)
        self._took = Values(WINDOW)

    def read(self, lines: Sequence[bytes], times: Sequence[float]) -> None:
        """See Listening."""
        for line, at in zip(lines, times, strict=True):
            request = _REQUEST.match(line)
            if request is None or request[3] == _OURS[0] or _OURS[1] in request[1]:
                continue
            self._counts.add(at, request[2])
            if took := _TOOK.search(request[4]):
                self._took.add(at, float(took[1]))

    def found(self, now: float) -> Iterable[Found]:
        """See Listening."""
        counts = self._counts.sums(now)
        total = sum(counts.values())
        yield Sample("proxy_requests", total)
        if total >= ENOUGH:
            yield Sample("proxy_failed_ratio", round(counts[b"5"] / total, 4))
        slow = self._took.quantile(0.95, now)
        if slow is not None:
            yield Sample("proxy_request_seconds", slow)


LISTENER = Listener(
    "proxy_requests",
    Role.PROXY,
    Requests,
    Board(
        "hosts",
        "requests, 5 min",
        (
            Metric("proxy_requests", "requests", means="of visitors, in the last 5 min"),
            Metric(
                "proxy_failed_ratio",
                "failed",
                "%",
                0.01,
                0.05,
                means=f"requests that were answered with 5xx in 5 min, of at least {ENOUGH}",
            ),
            Metric(
                "proxy_request_seconds", "95 % within", "s", 2.0, 10.0, means="where the access log tells $request_time"
            ),
        ),
        order=57,
    ),
)
