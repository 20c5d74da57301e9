"""What every test may use: the lab's fixtures, and `--lab=auto|require|skip|running`."""

from __future__ import annotations

from hypothesis import settings

pytest_plugins: list[str] = ["maillab.plugin"]

settings.register_profile("mailtop", deadline=None)  # a busy machine is no bug; what is slow is found by `make bench`
settings.load_profile("mailtop")
