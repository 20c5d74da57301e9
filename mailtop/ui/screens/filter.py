"""Filter: the verdict mix, scan times, children busy, clamd and spamd."""

from mailtop.ui.boards import board

SCREEN = board("4", "filter", "Filter", "the verdict mix, scan times, children busy, clamd and spamd")
