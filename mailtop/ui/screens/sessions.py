"""Sessions: who is connected, logins ok and failed, limits."""

from mailtop.ui.boards import board

SCREEN = board("5", "sessions", "Sessions", "who is connected, logins ok and failed, limits")
