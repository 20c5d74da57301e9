"""The leading causes: what most mail waits for, ranked by growth as the engine ranks them."""

from __future__ import annotations

from collections.abc import Mapping

from mailtop.model.snapshot import Cause, Health, Page
from mailtop.model.text import shown
from mailtop.ui.cause import bounced, growth, next_hop, reason_cell, waiting
from mailtop.ui.figures import SIGNS, count, whole
from mailtop.ui.ink import text
from mailtop.ui.table import Column, Layout
from mailtop.ui.view import Panel, Row, Scene


def rows(scene: Scene, pages: Mapping[str, Page], cells: int) -> list[Row]:
    """A head and a row for each, and why some are missing; nothing at all while no mail waits."""
    page = pages.get("causes")
    if page is None:
        return []
    sign = (f" {SIGNS[Health.UNKNOWN]} ", "unknown")
    missing = [Row((sign, *text(f"causes are missing: {page.unknown}", "dim")))] if page.unknown else []
    if not page.causes:
        return missing
    layout = Layout(_columns(scene.now), cells - 2)
    space = (" ", "text")
    found = [Row((space, *layout.row(cause)), cause.id, cause) for cause in page.causes]
    return [*missing, Row((space, *layout.head())), *found]


def _columns(now: float) -> list[Column[Cause]]:
    return [
        Column("waiting", 7, lambda cause: text(count(waiting(cause)), "title"), right=True),
        Column("+10 m", 6, growth, right=True),
        Column("bounced", 7, bounced, right=True, rank=1),
        Column("oldest", 6, lambda cause: text(whole(now - cause.oldest) if cause.oldest else "", "dim"), right=True),
        Column("next hop", 13, lambda cause: text(next_hop(cause)), most=24),
        Column("reason", 16, reason_cell, most=70, want=26),
        Column("sender", 22, lambda cause: text(shown(cause.sender, 60) or "<>", "dim"), most=34, rank=2),
        Column("host", 12, lambda cause: text(cause.target, "dim"), most=18, rank=3),
    ]


LEADING = Panel("causes", screen="overview", order=5, rows=rows, least=2, gives=2)
