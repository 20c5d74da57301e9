"""What every test may use: the lab's fixtures, and `--lab=auto|require|skip|running`."""

from __future__ import annotations

pytest_plugins: list[str] = ["maillab.plugin"]
