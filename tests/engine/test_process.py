"""The engine's process: begun before it is told anything, and gone with its face."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from mailtop.config import Settings
from mailtop.engine.begin import Begun
from mailtop.engine.process import EngineProcess, Setup
from mailtop.model.errors import LinkLost, UsageError
from mailtop.transport.recording import SCHEMA, Header, Recording, Tape


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


async def test_a_recording_that_is_damaged_within_says_so_when_its_engine_has_ended(tmp_path: Path) -> None:
    tape = Tape(tmp_path / "it", Header(SCHEMA, "1", 0.0, "lab"))
    tape.close()
    whole = (tmp_path / "it").read_bytes()
    junk = zlib.compressobj(wbits=31)
    octets = zlib.decompress(whole, wbits=31) + (5).to_bytes(4) + b"\xc1junk"
    (tmp_path / "it").write_bytes(junk.compress(octets) + junk.flush())

    Recording.check(tmp_path / "it")
    engine = EngineProcess(Setup(Settings(), "ann", recording=str(tmp_path / "it")))

    with pytest.raises(LinkLost, match="unreadable after 1 entries"):
        await anext(engine.console.snapshots())
    engine.end()


@pytest.mark.parametrize("octets", [b"", b"junk", zlib.compress(b"\0\0\0\1\xc1", wbits=31)])
def test_what_is_no_recording_is_refused_by_its_head(tmp_path: Path, octets: bytes) -> None:
    (tmp_path / "it").write_bytes(octets)

    with pytest.raises(UsageError, match="not a recording of mailtop"):
        Recording.check(tmp_path / "it")


def test_a_log_file_that_cannot_be_written_is_an_error_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Begun(str(tmp_path / "none" / "log"))
