"""What a host asks, over any screen; run with `SCREENS=write` to write the picture anew, and then look at it."""

from __future__ import annotations

import os
from pathlib import Path

from msgspec.structs import replace

from mailtop.model.question import Kind, Question
from mailtop.model.text import Foreign
from tests.ui.driving import driven
from tests.ui.sites import broken

PICTURE = Path(__file__).parent / "pictures/question-broken-80x24.txt"
WORDS = Foreign(b"ann@mail2: Duo two-factor login for ann. Passcode or option (1-3)\x1b[2J")


async def test_a_question_is_as_it_was_looked_at() -> None:
    asked = replace(broken(), questions=(Question("q1", "mail2", Kind.CODE, WORDS),))
    async with driven(asked) as mail:
        await mail.shows("mail2 asks for a code")
        await mail.type("123 456")
        drawn = mail.text + "\n"
    if os.environ.get("SCREENS") == "write":
        PICTURE.write_text(drawn, "utf-8")
    assert drawn == PICTURE.read_text("utf-8")
    assert "123" not in drawn.partition("asks for a code")[2].partition("esc refuses")[0]
