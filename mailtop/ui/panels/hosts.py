"""Each host: its connection, its load and disks, its containers. A lost host keeps its row and shows its age."""

from __future__ import annotations

from collections.abc import Mapping

from mailtop.model.snapshot import Cell, Health, HostState, Link, Page, TargetState
from mailtop.ui.figures import NONE, SIGNS, count, sign, size, span, whole
from mailtop.ui.ink import Line, Span, fit, width
from mailtop.ui.view import Panel, Row, Scene

_LINKS = {Link.UP: Health.OK, Link.CONNECTING: Health.UNKNOWN, Link.DOWN: Health.CRIT}
_ORDER = (Link.DOWN, Link.CONNECTING, Link.UP)


def rows(scene: Scene, pages: Mapping[str, Page], cells: int) -> list[Row]:  # noqa: ARG001 - a panel's shape
    """A row for each host, those in trouble first."""
    hosts = sorted(scene.snapshot.hosts, key=lambda host: _ORDER.index(host.link))
    wide = min(16, max((len(host.name) for host in hosts), default=0))
    return [Row(_row(host, scene, wide, cells), host.name, host) for host in hosts]


def _row(host: HostState, scene: Scene, wide: int, cells: int) -> Line:
    lead: Line = (
        (" ", "text"),
        *sign(scene.sure(_LINKS[host.link])),
        *fit(((f" {host.name}", "title"),), wide + 1),
        ("  ", "text"),
    )
    if host.link is Link.UP:
        since = whole(scene.now - host.since) if host.since else ""
        return (*lead, *fit(((f"up {since}", "dim"),), 7), *_figures(host, scene, cells - width(lead) - 7))
    return (*lead, *_lost(host, scene.now))


def _lost(host: HostState, now: float) -> Line:
    since = f" {whole(now - host.since)}" if host.since else ""
    again = f", next try in {whole(host.retry_at - now)}" if host.retry_at > now else ""
    role = "crit" if host.link is Link.DOWN else "dim"
    return ((f"{host.link.value}{since}", role), (again, "dim"), (f"   {host.note}", "text"))


def _figures(host: HostState, scene: Scene, cells: int) -> Line:
    """A wrong clock, containers in trouble, load and disks, then the containers that are well: by name if they fit."""
    targets = [target for target in scene.snapshot.targets if target.host == host.name and target.name != host.name]
    bad = [target for target in targets if target.health is not Health.OK]
    well = [target for target in targets if target.health is Health.OK]
    pieces: list[Span] = [*_own(host, scene), *_clock(host, scene), *_named(bad, scene)]
    for cell in host.cells:
        pieces += [("  ", "text"), *_cell(cell)]
    room = cells - width(pieces)
    by_name = _named(well, scene) if sum(len(target.name) - len(host.name) for target in well) < room else ()
    if by_name and width(by_name) < room:
        pieces += by_name
    elif well:
        pieces += [
            ("  ", "text"),
            *sign(scene.sure(Health.OK)),
            (f" {count(len(well))} {'more' if bad else 'containers'}", "dim"),
        ]
    return tuple(pieces)


def _own(host: HostState, scene: Scene) -> Line:
    """The roles of what runs outside of containers; and that what runs here is shown under another name."""
    roles = next((target.roles for target in scene.snapshot.targets if target.name == host.name), ())
    words = [" ".join(roles), host.note]
    return tuple(piece for word in words if word for piece in (("  ", "text"), (word, "dim")))


def _clock(host: HostState, scene: Scene) -> Line:
    """`▲ clock 41 s ahead`, where it is wrong."""
    if host.clock is Health.OK:
        return ()
    words = f" clock {span(abs(host.ahead))} {'ahead' if host.ahead > 0 else 'behind'}"
    return (("  ", "text"), *sign(scene.sure(host.clock)), (words, host.clock.value))


def _cell(cell: Cell) -> Line:
    label: Span = (f"{cell.name} ", "dim")
    value, health, note = cell.reading.value, cell.reading.health, cell.reading.note
    if value is None:
        return (label, (SIGNS[Health.DENIED], "denied") if health is Health.DENIED else (NONE, "faint"))
    words = f"{value:.2f}" if not cell.unit else f"{value:.0f} {cell.unit}"
    if cell.unit in ("B", "s"):
        words = size(value) if cell.unit == "B" else span(value)
    lead = "" if health is Health.OK else f"{SIGNS[health]} "
    return (
        label,
        (f"{lead}{words}", ("dim" if cell.reading.stale else "text") if health is Health.OK else health.value),
        (f" {note}" if note else "", "dim"),
    )


def _named(targets: list[TargetState], scene: Scene) -> Line:
    """The containers by name, each with its health, and its state where that is not simply running."""
    pieces: list[Span] = []
    for target in targets:
        name = target.name.partition("/")[2]
        state = f" {target.state}" if target.state not in ("", "running") else ""
        role = "dim" if target.health is Health.OK else target.health.value
        pieces += [("  ", "text"), *sign(scene.sure(target.health)), (f" {name}{state}", role)]
    return tuple(pieces)


HOSTS = Panel("hosts", screen="overview", order=2, rows=rows, least=2, gives=2)
