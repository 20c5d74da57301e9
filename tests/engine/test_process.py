"""The engine's process: begun before it is told anything, and gone with its face."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailtop.config import Settings
from mailtop.engine.begin import Begun
from mailtop.engine.process import EngineProcess, Setup
from mailtop.model.errors import LinkLost


def test_a_process_that_is_told_nothing_ends_when_its_face_does() -> None:
    begun = Begun()

    begun.end.close()

    assert begun.process.wait(20) == 3


async def test_a_process_that_was_gone_before_it_was_told_is_an_engine_that_ended() -> None:
    begun = Begun()
    begun.process.kill()
    begun.process.wait(20)

    engine = EngineProcess(Setup(Settings(), "ann"), begun)

    with pytest.raises(LinkLost, match="it ended with status -9"):
        await anext(engine.console.snapshots())
    engine.end()


def test_a_log_file_that_cannot_be_written_is_an_error_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Begun(str(tmp_path / "none" / "log"))
