"""Hosts: CPU, memory, every filesystem, containers, certificates."""

from mailtop.ui.boards import board

SCREEN = board("8", "hosts", "Hosts", "CPU, memory, every filesystem, containers, certificates")
