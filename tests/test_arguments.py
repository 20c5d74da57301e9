"""The command line: read without argparse where that is enough, and never read differently."""

from __future__ import annotations

from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtop.arguments import command_first, parser, plain

WORDS = st.sampled_from(
    [
        *("mail1", "ann@mail2", "demo", "replay", "snapshot", "dashboard", "file.recording", "", "0.5", "x"),
        *("--config", "--interval", "--theme", "--log-file", "--record", "--read-only", "--ascii", "-v", "--verbose"),
        *("--speed", "--", "-h", "--conf", "--config=x", "-x", "--json", "--on"),
    ]
)


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["mail1", "--config", "x"],
        ["replay", "f"],
        ["demo", "--ascii"],
        ["--theme", "light", "demo"],
        ["--read-only"],
    ],
)
def test_a_plain_dashboard_needs_no_argparse(argv: list[str]) -> None:
    words = command_first(argv)

    options = plain(words)

    assert options is not None
    assert vars(options) == vars(parser().parse_args(words))


@given(argv=st.lists(WORDS, max_size=5))
def test_what_is_read_without_argparse_is_read_as_argparse_reads_it(argv: list[str]) -> None:
    words = command_first(argv)
    options = plain(words)
    if options is None:
        return
    with redirect_stderr(StringIO()) as said, redirect_stdout(StringIO()):
        try:
            whole = vars(parser().parse_args(words))
        except SystemExit:
            assert "unrecognized arguments" in said.getvalue()  # targets on both sides of an option: we take them
            whole = vars(options)

    assert vars(options) == whole


@pytest.mark.parametrize("speed", ["nan", "inf", "0", "-1", "x"])
def test_a_recording_is_played_at_some_speed_and_forwards(speed: str) -> None:
    with redirect_stderr(StringIO()) as said, pytest.raises(SystemExit):
        parser().parse_args(["demo", f"--speed={speed}"])

    assert f"argument --speed: invalid times value: '{speed}'" in said.getvalue()
