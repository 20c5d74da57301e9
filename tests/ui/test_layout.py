"""The screens at three sizes, as text; run with `SCREENS=write` to write them anew, and then look at them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from rich.cells import cell_len

from tests.ui.driving import driven
from tests.ui.sites import broken, well

PICTURES = Path(__file__).parent / "pictures"
SIZES = ((80, 24), (120, 40), (200, 50))
STATES = {"well": well, "broken": broken}
SCREENS = {
    "overview": ((), "outlook.test"),
    "queue": (("2",), "▸     410"),
    "messages": (("2", "tab", "tab", "space"), "1 marked"),
    "hold": (("2", "a", "H"), "[ Cancel ]"),
    "flow": (("3", "j"), "▸outlook.test"),
    "filter": (("4",), "clamd"),
    "logs": (("9",), "does not resolve"),
    "alerts": (("0",), "recent"),
    "help": (("2", "?"), "╭─ Keys"),
}


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("state", STATES)
async def test_the_screen_is_as_it_was_looked_at(state: str, screen: str, size: tuple[int, int]) -> None:
    keys, ready = SCREENS[screen]
    async with driven(STATES[state](), size=size) as mail:
        for key in keys:
            await mail.press(key)
        await mail.shows(ready)
        drawn = mail.text

    lines = drawn.splitlines()
    assert len(lines) == size[1]
    assert max(map(cell_len, lines)) <= size[0]
    picture = PICTURES / f"{screen}-{state}-{size[0]}x{size[1]}.txt"
    if os.environ.get("SCREENS") == "write":
        picture.parent.mkdir(exist_ok=True)
        picture.write_text(drawn + "\n", "utf-8")
    assert drawn + "\n" == picture.read_text("utf-8")


async def test_ascii_draws_the_same_screen_in_ascii_alone() -> None:
    async with driven(broken(), size=(120, 40)) as mail:
        await mail.shows("outlook.test")
        signs = mail.text
    async with driven(broken(), size=(120, 40), ascii=True) as mail:
        await mail.shows("outlook.test")
        plain = mail.text

    assert plain.isascii()
    assert [cell_len(line) for line in signs.splitlines()] == [len(line) for line in plain.splitlines()]


@pytest.mark.parametrize("size", [(80, 12), (60, 24), (40, 10), (20, 5), (80, 24), (132, 43)])
async def test_no_size_breaks_it(size: tuple[int, int]) -> None:
    async with driven(None, size=size) as mail:
        mail.console.snapshot = broken()
        mail.console.show()
        await mail.press("2", "a", "H", "escape", "escape", "1", "?", "G")
        assert mail.app.is_running
