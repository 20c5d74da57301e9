"""What a probe found of a target, judged by the metrics that it declares, as one block of a screen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec.structs import replace

from mailtop.model.board import Block, Figure, Metric, Table
from mailtop.model.sample import Fact, Kind, Sample
from mailtop.model.snapshot import Alert, Health, ProbeState, Reading

LATE = 5.0  # seconds beyond two intervals, from which on what a probe found is no longer of now

_ORDER = (Health.CRIT, Health.WARN, Health.DENIED, Health.UNKNOWN, Health.OK)

Rate = Callable[[str], float | None]
"""Of a total's key, its growth per second; None while it has been read once only."""


def block(
    target: str, probe: str, title: str, metrics: Iterable[Metric], found: Sequence[object], rate: Rate, at: float
) -> Block:
    """Return the block of one successful run. `found`: samples, facts and tables; `at`: when it was asked."""
    by_name: dict[str, list[Sample]] = {}
    for one in found:
        if isinstance(one, Sample):
            by_name.setdefault(one.name, []).append(one)
    figures = tuple(_figure(metric, sample, rate, at) for metric in metrics for sample in by_name.get(metric.name, ()))
    tables = tuple(one for one in found if isinstance(one, Table))
    facts = tuple((one.name, one.value) for one in found if isinstance(one, Fact))
    healths = [figure.reading.health for figure in figures if figure.reading.value is not None]
    healths += [line.health for table in tables for line in table.lines]
    health = min(healths, key=_ORDER.index, default=Health.OK)
    return Block(target, probe, title, health, at, figures=figures, words=facts, tables=tables)


def as_of(found: Block, state: ProbeState, now: float, lost: str = "") -> Block:
    """Return a block as it is now: what a probe that fails or is late found is shown as old, and is no health of now.

    `lost`: why the host is not reached, or how its container rests; empty while both run.
    """
    late = now - state.last_ok > 2 * state.every + LATE
    if state.health is Health.OK and not lost and not late:
        return found
    health = Health.DENIED if state.health is Health.DENIED and not lost else Health.UNKNOWN
    return doubted(found, health, lost or state.note or ("late" if found.at else "not asked yet"))


def doubted(found: Block, health: Health, note: str) -> Block:
    """Return a block with all that it tells, and none of it as a health of now. `note`: why."""
    figures = tuple(_old(figure) for figure in found.figures)
    tables = tuple(
        replace(table, lines=tuple(replace(line, health=Health.UNKNOWN) for line in table.lines))
        for table in found.tables
    )
    return replace(found, health=health, stale=True, note=note, figures=figures, tables=tables)


def block_alerts(
    blocks: Iterable[Block], screens: Callable[[str], str], metrics: Mapping[str, Iterable[Metric]] = {}
) -> Iterable[Alert]:
    """Return an alert for each figure of now that is warn or crit. `screens`: of a probe's name, its screen's.

    `metrics` of a probe tell the limit that was reached.
    """
    for one in blocks:
        if one.stale:
            continue
        for figure in one.figures:
            if figure.reading.health in (Health.WARN, Health.CRIT):
                target = f"{one.target} {figure.of}".strip()
                value = figure_words(figure)
                words = f"{target}: {figure.label} {value}"
                limit = next(
                    (_limit(metric, figure) for metric in metrics.get(one.probe, ()) if metric.name == figure.metric),
                    "",
                )
                health, see = figure.reading.health, screens(one.probe)
                yield Alert(figure.metric, target, health, 0.0, words, see, value, limit)


def _limit(metric: Metric, figure: Figure) -> str:
    """The limit that a figure has reached, with its unit: `≥ 90 %`."""
    reached = metric.crit if figure.reading.health is Health.CRIT else metric.warn
    if reached is None:
        return ""
    words = figure_words(replace(figure, reading=Reading(100 * reached if metric.unit == "%" else reached)))
    return f"{'≤' if metric.falls else '≥'} {words}"


def glances(blocks: Iterable[Block], metrics: Mapping[str, Sequence[Metric]]) -> tuple[Figure, ...]:
    """Return a figure for each metric that is meant for Overview: the worst of all targets', or their sum.

    `metrics`: of each probe. Where one target's part is not known, neither is the sum, nor that all are well; what is
    wrong all the same is wrong. A metric that no target has is left out.
    """
    parts: dict[str, list[tuple[str, Figure]]] = {}
    meant: dict[str, Metric] = {}
    for one in blocks:
        for metric in metrics.get(one.probe, ()):
            meant.setdefault(metric.name, metric)
            mine = [(one.target, figure) for figure in one.figures if figure.metric == metric.name]
            if one.stale and not mine:  # it may have what nobody could ask for
                mine = [(one.target, Figure(metric.name, "", reading=Reading(None, one.health, note=one.note)))]
            parts.setdefault(metric.name, []).extend(mine)
    return tuple(_glance(metric, parts[name]) for name, metric in meant.items() if parts[name])


def _glance(metric: Metric, parts: Sequence[tuple[str, Figure]]) -> Figure:
    target, figure = min(parts, key=lambda part: (_ORDER.index(part[1].reading.health), _badness(metric, part[1])))
    reading, of = figure.reading, f"{target} {figure.of}".strip()
    known = [one.reading.value for _, one in parts if one.reading.value is not None]
    if metric.adds:
        reading, of = replace(reading, value=sum(known) if known else None), ""
    return replace(figure, label=metric.glance, of=of, reading=reading)


def _badness(metric: Metric, figure: Figure) -> float:
    value = figure.reading.value or 0.0
    return value if metric.falls else -value


def figure_words(figure: Figure) -> str:
    """Return a figure's value with its unit, in plain words: `93 %`, `1.2 GB`, `0`."""
    value, unit = figure.reading.value, figure.unit
    if value is None:
        return "not known"
    if unit == "B":
        for prefix in ("", "k", "M", "G", "T"):
            if abs(value) < 1000 or prefix == "T":
                return f"{value:.3g} {prefix}B"
            value /= 1000
    if unit == "s":
        units = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
        length, word = next((one for one in units if abs(value) >= 2 * one[0]), units[-1])
        return f"{value / length:.3g} {word}"
    number = f"{value:.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.3g}"
    return f"{number} {unit}".strip()


def _figure(metric: Metric, sample: Sample, rate: Rate, at: float) -> Figure:
    of = " ".join(value for _, value in sample.labels)
    value: float | None = sample.value
    unit = metric.unit
    if sample.kind is Kind.TOTAL:
        value, unit = rate(sample.key), "%" if unit == "%" else f"{unit}/s".lstrip()
    if value is None:
        return Figure(
            metric.name, metric.label, of, unit, Reading(None, Health.UNKNOWN, at, note="from the next reading on")
        )
    health = metric.health(value)
    shown = 100 * value if metric.unit == "%" else value
    return Figure(metric.name, metric.label, of, unit, Reading(shown, health, at))


def _old(figure: Figure) -> Figure:
    blind = Health.UNKNOWN if figure.reading.health is Health.OK else figure.reading.health
    return replace(figure, reading=replace(figure.reading, health=blind, stale=True))
