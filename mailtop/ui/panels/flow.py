"""The parts of the Flow screen: streams of mail, hops apart; delay stages; TLS; and what is most in the last hour."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mailtop.model.board import Block
from mailtop.model.flow import Delay, Flow, Ranked, Share, Stream
from mailtop.model.snapshot import Health
from mailtop.model.text import shown
from mailtop.ui.boards import figure_line
from mailtop.ui.figures import NONE, count, rate, sign, span, spark, whole
from mailtop.ui.ink import Line, Span, text
from mailtop.ui.table import Column, Layout

SPACE: Span = (" ", "text")
TITLES = {
    "destinations": "destinations",
    "senders": "senders",
    "users": "SASL users",
    "clients": "clients",
    "reasons": "reasons of refusals",
    "refused": "refused clients",
    "logins": "failed logins, by address",
    "guessed": "failed logins, by user",
    "postscreen": "postscreen",
    "warnings": "warnings",
}
_HOPS = ("filter", "archive")
_NAMES = {"sent": "sent out", "mailbox": "to mailbox"}


def streams(flow: Flow, cells: int) -> list[Line]:
    """A line a stream: messages a second, in the hour, and minute by minute; hops behind mail."""
    layout = Layout(
        [
            Column("mail", 11, _name),
            Column("/s", 5, _rate("minute"), right=True),
            Column("5 min", 6, _rate("five"), right=True),
            Column("hour", 5, _rate("hour"), right=True),
            Column("in 1 h", 8, lambda one: text(count(one.total), "dim"), right=True),
            Column("30 min", 30, lambda one: text(spark(one.trend, 30), "accent"), rank=1),
        ],
        cells - 1,
    )
    return [(SPACE, *layout.head()), *((SPACE, *layout.row(one)) for one in flow.streams)]


def _name(one: Stream) -> Line:
    if one.name in _HOPS:
        return (("hop ", "dim"), (one.name, "dim"))
    return text(_NAMES.get(one.name, one.name), "title")


def _rate(field: str) -> Callable[[Stream], Line]:
    def cell(one: Stream) -> Line:
        value: float | None = getattr(one, field)
        if value is None:
            return text(NONE, "faint")
        return text(rate(value), "faint" if not value else "dim" if one.name in _HOPS else "text")

    return cell


def delays(flow: Flow, cells: int) -> list[Line]:
    """A line a hop: p95 of each stage of first attempts, p50 and p95 of what they take, and p95 of retries."""
    first = [one for one in flow.delays if not one.retry]
    retries = {one.hop: one for one in flow.delays if one.retry}
    if not first and not retries:
        return [text(" delays: no attempt in 10 min", "dim")]
    rows: list[tuple[Delay | None, Delay | None]] = [(one, retries.get(one.hop)) for one in first]
    rows += [(None, one) for hop, one in retries.items() if hop not in {row.hop for row in first}]

    def stage(name: str, place: int = 1) -> Callable[[tuple[Delay | None, Delay | None]], Line]:
        def cell(row: tuple[Delay | None, Delay | None]) -> Line:
            return text(span(getattr(row[0], name)[place])) if row[0] is not None else text(NONE, "faint")

        return cell

    def again(row: tuple[Delay | None, Delay | None]) -> Line:
        return text(span(row[1].bcd[1]), "dim") if row[1] is not None else text(NONE, "faint")

    layout = Layout(
        [
            Column("delay p95", 10, lambda row: text(next(one.hop.value for one in row if one is not None), "title")),
            Column("before", 6, stage("a"), right=True),
            Column("qmgr", 6, stage("b"), right=True),
            Column("connect", 7, stage("c"), right=True),
            Column("transmit", 8, stage("d"), right=True),
            Column("first try p50", 13, stage("bcd", 0), right=True, gap=1),
            Column("p95", 6, stage("bcd"), right=True),
            Column("retries", 7, again, right=True),
        ],
        cells - 1,
    )
    return [(SPACE, *layout.head()), *((SPACE, *layout.row(row)) for row in rows)]


def shares(flow: Flow) -> Line:
    """`TLS in 98 %  submission 100 %  out —`; what is not known is not 0."""
    known = {one.name: one for one in flow.shares}
    pieces: list[Span] = [(" TLS 1 h  ", "head")]
    for name in ("in", "submission", "out"):
        pieces += [(f"{name} ", "dim"), *_share(known.get(name), name), ("   ", "text")]
    own = sum(one.own for one in flow.shares)
    failing = known.get("failing")
    if failing is not None and failing.of:
        said = f"{100 * failing.part / failing.of:.0f} % of {count(failing.of)}   "
        pieces += [("failing 15 min ", "dim"), (said, "text")]
    pieces += [(f"own networks in clear {count(own)}", "dim")] if own else []
    return tuple(pieces)


def _share(one: Share | None, name: str) -> Line:
    if one is None or not one.of:
        return text(NONE, "faint")
    words = f"{100 * one.part // one.of} %"
    if name == "submission" and one.part < one.of:
        return (*sign(Health.CRIT), (f" {words}", "crit"))
    return text(words)


def judged(blocks: Sequence[Block]) -> list[Line]:
    """A line a Postfix whose figures are over their limits, or are not of now."""
    lines: list[Line] = []
    for block in blocks:
        wrong = [one for one in block.figures if one.reading.health in (Health.WARN, Health.CRIT)]
        if block.note:
            lines.append((SPACE, *sign(block.health), (f" {block.target} ", "title"), (block.note, "dim")))
        elif wrong:
            figures = [piece for one in wrong for piece in (*figure_line(one), ("   ", "text"))]
            lines.append((SPACE, *sign(block.health), (f" {block.target}  ", "title"), *figures))
    return lines


def table(name: str, rows: Sequence[Ranked], now: float, cells: int) -> tuple[Line, list[Line]]:
    """The head of one table, and its rows."""
    title = f"{TITLES[name]}, 1 h"
    counted = "taken" if name == "destinations" else "count"
    columns: list[Column[Ranked]] = [
        Column(title, 26, lambda row: text(shown(row.name, 120)), most=60),
        Column(counted, 7, lambda row: text(count(row.count)), right=True),
    ]
    if name == "destinations":
        columns += [
            Column("deferred", 8, lambda row: _some(row.deferred, "warn"), right=True),
            Column("bounced", 7, lambda row: _some(row.bounced, "crit"), right=True),
            Column("last success", 12, lambda row: _last(row, now), right=True),
        ]
    layout = Layout(columns, min(cells - 1, 110))
    return (SPACE, *layout.head()), [(SPACE, *layout.row(row)) for row in rows]


def _some(number: int, role: str) -> Line:
    return text(count(number), role if number else "faint")


def _last(row: Ranked, now: float) -> Line:
    if row.last:
        return text(f"{whole(now - row.last)} ago", "text")
    return text("none seen", "warn")


def about(row: Ranked, now: float) -> Sequence[tuple[str, str]]:
    """Label and text for `d`."""
    pairs = [(TITLES[row.table], shown(row.name)), ("in the last hour", count(row.count))]
    if row.table == "destinations":
        last = f"{whole(now - row.last)} ago" if row.last else f"{NONE} none seen"
        pairs[1] = ("recipients taken in 1 h", count(row.count))
        pairs += [("deferred", count(row.deferred)), ("bounced", count(row.bounced)), ("last success", last)]
    return pairs
