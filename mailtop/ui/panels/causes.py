"""The queue by cause: incoming, active and deferred mail and bounces, by what they wait for."""

from __future__ import annotations

from collections.abc import Sequence

from mailtop.model.snapshot import Cause
from mailtop.model.text import shown
from mailtop.ui.cause import bounced, growth, next_hop, reason, reason_cell, waiting
from mailtop.ui.figures import NONE, count, signed, stamp, whole
from mailtop.ui.ink import Line, text
from mailtop.ui.table import Column
from mailtop.ui.view import Listing


def columns(now: float) -> Sequence[Column[Cause]]:
    """Growth first to the eye; who sends and where it waits as far as there is room."""
    return [
        Column("waiting", 7, lambda cause: text(count(waiting(cause)), "title"), right=True, sort="deferred"),
        Column("+10 m", 6, growth, right=True, sort="growth"),
        Column("active", 6, lambda cause: _quiet(cause.active), right=True, rank=4),
        Column("held", 6, lambda cause: _quiet(cause.held), right=True, rank=3),
        Column("bounced", 7, bounced, right=True, rank=1, sort="bounced"),
        Column("oldest", 6, lambda cause: _age(cause.oldest, now), right=True, sort="oldest"),
        Column("first seen", 12, lambda cause: text(stamp(cause.first_seen, now), "dim"), right=True, rank=5),
        Column("next hop", 13, lambda cause: text(next_hop(cause)), most=24, sort="next_hop"),
        Column("reason", 16, reason_cell, most=70, want=26),
        Column("sender", 24, _sender, most=34, rank=2, sort="sender"),
        Column("host", 14, lambda cause: text(cause.target, "dim"), most=18, rank=6),
    ]


def footer(cause: Cause, now: float) -> Sequence[Line]:
    """The whole reason, and who and where."""
    since = f"since {stamp(cause.first_seen, now)}" if cause.first_seen else ""
    others = f" and {count(cause.senders - 1)} more" if cause.senders > 1 else ""
    return [
        text(reason(cause), "text"),
        (
            *text(shown(cause.sender, 80) or "<>", "text"),
            *text(others, "dim"),
            *text(f" → {next_hop(cause)}", "dim"),
            *text(f"   {count(cause.held)} on hold" if cause.held else "", "accent"),
            *text(f"   {cause.target}   {since}", "dim"),
        ),
    ]


def detail(cause: Cause, now: float) -> Sequence[tuple[str, str]]:
    """All that is known of a cause, and what it likely means."""
    from mailtop.diagnose import diagnose  # when somebody asks: a start pays for what it shows

    likely = diagnose(cause)
    return [
        *([("likely", likely.line)] if likely is not None else []),
        ("reason", shown(cause.reason)),
        ("status", cause.code or NONE),
        ("next hop", next_hop(cause)),
        ("hop", cause.hop.value if cause.hop else f"{NONE} not proven"),
        ("host", cause.target),
        ("waiting", f"{count(cause.deferred)} deferred, {count(cause.active)} active, {count(cause.held)} held"),
        ("growth", f"{signed(cause.growth)} in 10 minutes"),
        ("bounced", f"{count(cause.bounced)} in the last hour"),
        ("oldest", f"{whole(now - cause.oldest)} old" if cause.oldest else NONE),
        ("first seen", stamp(cause.first_seen, now)),
        ("leading sender", shown(cause.sender) or "<> (null sender)"),
        ("senders", count(cause.senders)),
    ]


def _age(oldest: float, now: float) -> Line:
    return text(whole(now - oldest) if oldest else NONE, "dim")


def _quiet(number: int) -> Line:
    return text(count(number), "text" if number else "faint")


def _sender(cause: Cause) -> Line:
    others = f" +{count(cause.senders - 1)}" if cause.senders > 1 else ""
    return text((shown(cause.sender, 80) or "<>") + others, "dim")


CAUSES = Listing(
    "causes",
    title="causes",
    columns=columns,
    identity=lambda cause: cause.id,
    footer=footer,
    detail=detail,
    words=lambda cause: shown(cause.reason),
    empty="no mail waits, and none bounced in the last hour",
)
