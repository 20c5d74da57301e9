"""What a bench found: each figure beside its yardstick, with the budget and the verdict.

A bench prints its figures, and writes them where `--json FILE` says; `run.py` gathers them in one table.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass
class Figure:
    """One comparison. `ratio` is held against `budget`; `least`: the budget is the least, not the most.

    A figure without a yardstick is held against a constant, and its ratio is the figure itself. `note`: why there is
    none, where there is none.
    """

    what: str
    ours: str
    yardstick: str = "–"
    ratio: float | None = None
    budget: float | None = None
    least: bool = False
    unit: str = "×"
    note: str = ""

    @property
    def missed(self) -> bool:
        """Is it over its budget?"""
        if self.ratio is None or self.budget is None:
            return False
        return self.ratio < self.budget if self.least else self.ratio > self.budget

    @property
    def verdict(self) -> str:
        """`ok`, `MISSED`, or nothing where nothing is promised."""
        if self.ratio is None or self.budget is None:
            return self.note
        return "MISSED" if self.missed else "ok"


def compared(what: str, ours: float, theirs: float, budget: float, unit: str, yardstick: str) -> Figure:
    """Ours may be so many times theirs."""
    ratio = ours / theirs if theirs else float("inf")
    return Figure(what, f"{_number(ours)} {unit}", f"{yardstick} {_number(theirs)} {unit}", ratio, budget)


def held(what: str, ours: float, budget: float, unit: str, yardstick: str = "–") -> Figure:
    """Ours may be so much, whatever it runs beside."""
    return Figure(what, f"{_number(ours)} {unit}", yardstick, ours, budget, unit=unit)


def table(figures: Iterable[Figure]) -> str:
    """All figures as lines, columns aligned."""
    rows = [("what", "ours", "yardstick", "ratio", "budget", "")]
    for figure in figures:
        sign = "≥" if figure.least else "≤"
        own = figure.unit if figure.unit == "×" else f" {figure.unit}"
        ratio = "" if figure.ratio is None else f"{_number(figure.ratio)}{own}"
        budget = "" if figure.budget is None else f"{sign} {_number(figure.budget)}{own}"
        rows.append((figure.what, figure.ours, figure.yardstick, ratio, budget, figure.verdict))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def finish(figures: Sequence[Figure], out: Path | None) -> int:
    """Print the table, write it where it is wanted; the exit status says whether a budget is missed."""
    print(table(figures), flush=True)
    if out is not None:
        out.write_text(json.dumps([asdict(figure) for figure in figures]))
    return int(any(figure.missed for figure in figures))


def read(path: Path) -> list[Figure]:
    """The figures that a bench wrote."""
    return [Figure(**fields) for fields in json.loads(path.read_text())]


def parser(words: str | None) -> argparse.ArgumentParser:
    """The options that every bench has."""
    found = argparse.ArgumentParser(description=words, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    return found


def say(words: str) -> None:
    """Tell how far it is."""
    print(words, file=sys.stderr, flush=True)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
