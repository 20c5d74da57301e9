"""The way of a mail, hop by hop. A row that cannot be filled says why; what is not known is never a zero."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile

from mailtop.model.snapshot import Health, HopState, Page, Reading
from mailtop.ui.figures import SIGNS, count, figure, rate, sign, signed, span, spark, whole, worst
from mailtop.ui.ink import Line, Span, fit, text
from mailtop.ui.table import Column, Layout
from mailtop.ui.view import Panel, Row, Scene

_SPACE: Span = (" ", "text")
_ROOM_FOR_HOSTS = 24  # cells; more hosts than fit are counted


def rows(scene: Scene, pages: Mapping[str, Page], cells: int) -> list[Row]:  # noqa: ARG001 - a panel's shape
    """A head, and a row for each hop."""
    hops = scene.snapshot.hops
    if not hops:
        return [Row(text(" hops: waiting for the first reading", "dim"))]
    layout = Layout(_columns(scene, hops), cells - 2)
    return [Row((_SPACE, *layout.head())), *(Row((_SPACE, *layout.row(hop)), hop.hop, hop) for hop in hops)]


def _columns(scene: Scene, hops: Sequence[HopState]) -> list[Column[HopState]]:
    def trend(hop: HopState) -> Line:
        return text(spark(scene.rates.get(hop.hop, ()), 30), "accent")

    names = [host for host, _ in hops[0].hosts]
    return [
        Column("hop", 7, lambda hop: text(hop.hop.value, "title")),
        Column("/s", 5, _of("rate", rate), right=True),
        Column("", 30, trend, rank=3),
        Column("p95", 6, _of("p95", span), right=True),
        Column("active", 6, _of("active", count), right=True),
        Column("deferred", 8, _of("deferred", count), right=True, most=9),
        Column("", 5, _growth, gap=1),
        Column("oldest", 6, _of("oldest", whole), right=True, gap=1),
        Column("last ok", 8, _of("last_success", whole), right=True, rank=2),
        Column("failing", 12, lambda hop: _failing(hop, scene.now), most=44, want=30),
        Column(*_hosts(names)),
    ]


def _of(field: str, words: Callable[[float], str]) -> Callable[[HopState], Line]:
    def cell(hop: HopState) -> Line:
        reading: Reading = getattr(hop, field)
        return figure(reading, words(reading.value) if reading.value is not None else "")

    return cell


def _growth(hop: HopState) -> Line:
    value = hop.growth.value
    if not value:
        return ()
    return text(signed(value), hop.growth.health.value if hop.growth.health is not Health.OK else "dim")


def _failing(hop: HopState, now: float) -> Line:
    readings = (hop.rate, hop.p95, hop.active, hop.deferred, hop.oldest)
    stale = [reading.at for reading in readings if reading.stale and reading.at]
    age = text(f"{whole(now - min(stale))} old{': ' if hop.failing else ''}", "warn") if stale else ()
    if hop.failing or age:
        return (*age, *text(hop.failing))
    if hop.note:
        return text(hop.note, "dim")
    return text(next((reading.note for reading in readings if reading.note), ""), "dim")


def _hosts(names: Sequence[str]) -> tuple[str, int, Callable[[HopState], Line]]:
    """The head, the cells and the drawing of the hosts' healths: `mail 1 2` over `● ✖`."""
    shared = "".join(letters[0] for letters in takewhile(lambda some: len(set(some)) == 1, zip(*names, strict=False)))
    tails = [name[len(shared) :] for name in names] if len(names) > 1 else list(names)
    lead = f"{shared} " if len(names) > 1 and shared and all(tails) else ""
    tails = tails if all(tails) else list(names)
    title = lead + " ".join(tails)
    if len(title) <= _ROOM_FOR_HOSTS:

        def cell(hop: HopState) -> Line:
            pieces: list[Span] = []
            healths = dict(hop.hosts)  # a host that has no part in a hop has no sign there
            for name, tail in zip(names, tails, strict=True):
                drawn = sign(healths[name]) if name in healths else ()
                pieces += [(" " if pieces else " " * len(lead), "text"), *fit(drawn, len(tail))]
            return tuple(pieces)

        return title, len(title), cell

    def summary(hop: HopState) -> Line:
        healths = [health for _, health in hop.hosts]
        gravest = worst(healths)
        return ((f"{SIGNS[gravest]} ", gravest.value), (f"{healths.count(gravest)}/{len(healths)}", "dim"))

    return "hosts", 7, summary


HOPS = Panel("hops", screen="overview", order=1, rows=rows, least=7, gives=0)
