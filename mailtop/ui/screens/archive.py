"""Archive: the archive's backlog at each step, and the indexing lag."""

from mailtop.ui.boards import board

SCREEN = board("6", "archive", "Archive", "the archive's backlog at each step, and the indexing lag")
