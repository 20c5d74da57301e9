"""SVG pictures of the demo's screens, at three sizes: `python tests/ui/screenshots.py [FOLDER] [THEME …]`.

The recording is played to the moment when most goes wrong, through the very same pipeline, and stopped there.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from mailtop.config import Settings
from mailtop.engine.engine import Engine
from mailtop.engine.making import engine_of
from mailtop.engine.process import Setup
from mailtop.ui.app import MailtopApp

SIZES = ((80, 24), (120, 40), (200, 50))
MOMENT = 135.0  # seconds from the recording's start: the outburst has grown, and the archive is down
SCREENS = (
    ("overview", ("1",)),
    ("queue", ("2",)),
    ("messages", ("2", "enter", "tab")),
    ("alerts", ("0",)),
    ("help", ("2", "?")),
)


async def picture(engine: Engine, folder: Path, theme: str) -> None:
    """Save each screen at each size."""
    for columns, lines in SIZES:
        for name, keys in SCREENS:
            app = MailtopApp(engine, theme=theme, operator="ann", no_colour=False)
            async with app.run_test(size=(columns, lines)) as pilot:
                await asyncio.sleep(0.5)  # a picture, not a test: let the pages arrive
                for key in keys:
                    await pilot.press(key)
                    await asyncio.sleep(0.3)
                file = folder / f"{name}-{theme}-{columns}x{lines}.svg"
                file.write_text(app.export_screenshot(title=f"mailtop {name}"), "utf-8")
                sys.stdout.write(f"{file}\n")


async def run(folder: Path, themes: list[str]) -> None:
    """Play, stop, and take the pictures."""
    with tempfile.TemporaryDirectory() as state:
        recording = str(files("mailtop") / "demo.recording")
        engine = engine_of(Setup(Settings(), "ann", audit=f"{state}/audit.jsonl", recording=recording, speed=20.0))
        await engine.start()
        began = 0.0
        async for snapshot in engine.snapshots():
            began = began or snapshot.at
            if snapshot.at - began >= MOMENT:
                break
        await engine.pause(True)
        for theme in themes:
            await picture(engine, folder, theme)
        await engine.close()


def main(folder: str = "screenshots", *themes: str) -> None:
    """Make the folder, and the pictures in it."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    asyncio.run(run(Path(folder), list(themes) or ["dark"]))


if __name__ == "__main__":
    main(*sys.argv[1:])
