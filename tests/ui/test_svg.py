"""Two screens as SVG, colours and all; run with `SCREENS=write` to write them anew, and then look at them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.ui.driving import driven
from tests.ui.sites import broken

PICTURES = Path(__file__).parent / "pictures"
SHOTS = {"overview": ((), "outlook.test", (120, 40)), "hold": (("2", "a", "H"), "[ Cancel ]", (80, 24))}
_ID = re.compile(r"terminal-\d+-")  # Rich's hash of the content, which would only repeat that something changed


@pytest.mark.parametrize("name", SHOTS)
async def test_the_colours_are_as_they_were_looked_at(name: str) -> None:
    keys, ready, size = SHOTS[name]
    async with driven(broken(), size=size) as mail:
        await mail.press(*keys)
        await mail.shows(ready)
        await mail.pilot.pause()
        drawn = _ID.sub("terminal-", mail.app.export_screenshot(title=name))

    picture = PICTURES / f"{name}-broken.svg"
    if os.environ.get("SCREENS") == "write":
        picture.write_text(drawn, "utf-8")
    assert drawn == picture.read_text("utf-8"), f"{picture} is another picture now: look at both"
