"""Are we reading? Logs followed, lines nobody could read, time that no source had any more; and probes gone blind."""

from __future__ import annotations

from collections.abc import Mapping

from mailtop.model.snapshot import Health, LogState, Page, ProbeState
from mailtop.ui.figures import NONE, SIGNS, count, sign, span, whole, worst
from mailtop.ui.ink import Line, Span
from mailtop.ui.view import Panel, Row, Scene


def rows(scene: Scene, pages: Mapping[str, Page], cells: int) -> list[Row]:  # noqa: ARG001 - a panel's shape
    """One line for all that is well; a row for each log or probe that is not."""
    logs, probes = scene.snapshot.logs, scene.snapshot.probes
    found = [Row(_all(scene), "all")] if logs or probes or scene.snapshot.answering else []
    found += [
        Row(_log(log, scene.now), ("log", log.target, log.source), log)
        for log in logs
        if log.health is not Health.OK or log.gap or log.lost
    ]
    blind: dict[tuple[str, Health, str], list[ProbeState]] = {}
    for probe in probes:
        if probe.health is not Health.OK:
            why = probe.note.removeprefix(f"{probe.target}: ") or probe.health.value
            blind.setdefault((probe.target, probe.health, why), []).append(probe)
    found += [Row(_probes(alike, key[2], scene.now), ("probe", *key), alike[0]) for key, alike in blind.items()]
    return found


def _all(scene: Scene) -> Line:
    """`● 3 logs  40 312 lines read, 0 unreadable, no gap   ● 14 probes`."""
    logs, probes = scene.snapshot.logs, scene.snapshot.probes
    pieces: list[Span] = [(" ", "text")]
    if logs:
        unreadable, gap = sum(log.unreadable for log in logs), sum(log.gap for log in logs)
        pieces += [*sign(scene.sure(worst([log.health for log in logs]))), (f" {_plural(len(logs), 'log')}  ", "text")]
        pieces += [(f"{count(sum(log.lines for log in logs))} lines read", "dim"), (", ", "dim")]
        pieces += [(f"{count(unreadable)} unreadable", "warn" if unreadable else "dim"), (", ", "dim")]
        pieces += [(f"{span(gap)} missing", "warn") if gap else ("no gap", "dim"), ("   ", "text")]
    if total := len(probes) + scene.snapshot.answering:
        ok = sum(probe.health is Health.OK for probe in probes) + scene.snapshot.answering
        health = scene.sure(worst([Health.OK, *(probe.health for probe in probes)]))
        pieces += [*sign(health), (f" {_plural(total, 'probe')}", "text")]
        pieces += [(f"  {count(ok)} answer", "dim")] if ok < total else []
    return tuple(pieces)


def _log(log: LogState, now: float) -> Line:
    words: list[Span] = [(" ", "text"), *sign(log.health), (f" {log.target}", "title"), (f"  {log.source} log", "dim")]
    if log.unreadable:
        words.append((f"   {count(log.unreadable)} of {count(log.lines)} lines unreadable", "text"))
    if log.gap:
        words.append((f"   {span(log.gap)} missing", "warn"))
    if log.lost:
        words.append((f"   {_plural(log.lost, 'line')} not kept there", "warn"))
    if log.last_at:
        words.append((f"   last line {whole(now - log.last_at)} ago", "dim"))
    words.append((f"   {log.note}" if log.note else "", "dim"))
    return tuple(words)


def _probes(alike: list[ProbeState], why: str, now: float) -> Line:
    """One row for all probes of a target that fail for one reason."""
    first, oldest = alike[0], min(probe.last_ok for probe in alike)
    last = f"last answer {whole(now - oldest)} ago" if oldest else f"{NONE} never answered"
    return (
        (f" {SIGNS[first.health]} ", first.health.value),
        (f"{first.target} ", "title"),
        (f" {first.probe if len(alike) == 1 else _plural(len(alike), 'probe')}", "text"),
        (f"   {why}", "text"),
        (f"   {last}", "dim"),
    )


def _plural(number: int, noun: str) -> str:
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


LOGS = Panel("logs", screen="overview", order=3, rows=rows, least=1, gives=3, close=True)
