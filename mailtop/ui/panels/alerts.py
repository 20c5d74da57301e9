"""What is firing, gravest and longest first."""

from __future__ import annotations

from collections.abc import Mapping

from mailtop.model.snapshot import Health, Page
from mailtop.ui.figures import SIGNS, whole
from mailtop.ui.ink import text
from mailtop.ui.view import Panel, Row, Scene

_GRAVEST = (Health.CRIT, Health.WARN, Health.DENIED, Health.UNKNOWN, Health.OK)


def rows(scene: Scene, pages: Mapping[str, Page], cells: int) -> list[Row]:  # noqa: ARG001 - a panel's shape
    """A row for each alert; one quiet line where there is none."""
    alerts = sorted(scene.snapshot.alerts, key=lambda alert: (_GRAVEST.index(alert.health), alert.since))
    if not alerts and not scene.known:
        words = (" nothing is firing, as far as is known", "dim")
        return [Row(((" ", "text"), (SIGNS[Health.UNKNOWN], "unknown"), words))]
    if not alerts:
        return [Row(((" ", "text"), (SIGNS[Health.OK], "ok"), (" nothing is firing", "dim")))]
    return [
        Row(
            (
                (f" {SIGNS[alert.health]} ", alert.health.value),
                (f"{whole(scene.now - alert.since):>5}", "dim"),
                ("  ", "text"),
                *text(alert.summary, "title" if alert.health is Health.CRIT else "text"),
            ),
            (alert.rule, alert.target),
            alert,
        )
        for alert in alerts
    ]


ALERTS = Panel("alerts", screen="overview", order=4, rows=rows, least=3, gives=1)
