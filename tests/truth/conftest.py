"""What these tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.truth.cli import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Where one test's mailtop lives."""
    return Home(tmp_path)
