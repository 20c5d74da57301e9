"""The queue's shape: recipient domain by age, as qshape shows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mailtop.model.snapshot import AGES, Shape
from mailtop.model.text import shown
from mailtop.ui.figures import count
from mailtop.ui.ink import Line, text
from mailtop.ui.table import Column
from mailtop.ui.view import Listing

_TITLES = ("5m", "10m", "20m", "40m", "80m", "2h", "5h", "10h", "21h", "old")
_LIMITS = ("5 m", "10 m", "20 m", "40 m", "80 m", "2 h", "5 h", "10 h", "21 h", "older")


def columns(now: float) -> Sequence[Column[Shape]]:  # noqa: ARG001 - a listing's shape
    """A bucket for each limit: as many messages as are younger than that and older than the one before."""
    ages = [Column(title, 3, _bucket(index), right=True, most=7) for index, title in enumerate(_TITLES)]
    return [
        Column("domain", 16, lambda shape: text(shown(shape.domain, 80)), most=44, sort="domain"),
        Column("total", 7, lambda shape: text(count(shape.total), "title"), right=True, sort="total"),
        *ages,
    ]


def footer(shape: Shape, now: float) -> Sequence[Line]:  # noqa: ARG001 - a listing's shape
    """The ages as a picture."""
    shares = [f"{limit} {count(number)}" for limit, number in zip(_LIMITS, shape.buckets, strict=False) if number]
    return [text(shown(shape.domain), "text"), text("   ".join(shares), "dim")]


def detail(shape: Shape, now: float) -> Sequence[tuple[str, str]]:  # noqa: ARG001 - a listing's shape
    """Every bucket."""
    ages = [(f"up to {minutes} min", count(n)) for minutes, n in zip(AGES, shape.buckets, strict=False)]
    older = [("older", count(number)) for number in shape.buckets[len(AGES) :]]
    return [("domain", shown(shape.domain)), ("messages", count(shape.total)), *ages, *older]


def _bucket(index: int) -> Callable[[Shape], Line]:
    def cell(shape: Shape) -> Line:
        number = shape.buckets[index] if index < len(shape.buckets) else 0
        return text(_short(number), "text") if number else text("·", "faint")

    return cell


def _short(number: int) -> str:
    """Return a count in three cells.

    >>> [_short(n) for n in (999, 1500, 12_000, 250_000, 3_000_000)]
    ['999', '1k', '12k', '.2M', '3M']
    """
    if number < 1000:
        return str(number)
    if number < 100_000:
        return f"{number // 1000}k"
    return f".{number // 100_000}M" if number < 1_000_000 else f"{number // 1_000_000}M"


SHAPE = Listing(
    "shape",
    title="shape",
    columns=columns,
    identity=lambda shape: shape.domain,
    footer=footer,
    detail=detail,
    words=lambda shape: shown(shape.domain),
    empty="no mail waits",
)
