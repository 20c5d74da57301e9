"""What goes to the terminal."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest
from msgspec.structs import replace
from rich.cells import cell_len
from rich.segment import Segment
from textual.geometry import Region

from mailtop.model.errors import ConfigError
from mailtop.model.text import Foreign
from mailtop.ui.ink import clip, fit, over, plain, text, width
from mailtop.ui.theme import COLOURS, SITES, Styles, load, theme_names
from tests.ui.driving import driven
from tests.ui.sites import NOW, broken, causes


@pytest.mark.parametrize(
    "name", ["ink", "figures", "keys", "filtering", "ascii", "panels.shape"], ids=lambda name: str(name)
)
def test_the_examples_are_true(name: str) -> None:
    assert doctest.testmod(import_module(f"mailtop.ui.{name}")).failed == 0


async def test_only_lines_that_changed_are_drawn_and_none_when_none_did(monkeypatch: pytest.MonkeyPatch) -> None:
    async with driven(broken()) as mail:
        await mail.shows("outlook.test")
        drawn: list[Region] = []
        canvas = mail.app.query_one("Canvas")
        refresh = canvas.refresh

        def seen(*regions: Region, **options: bool) -> object:
            drawn.extend(regions)
            return refresh(*regions, **options)

        monkeypatch.setattr(canvas, "refresh", seen)
        mail.console.show()
        mail.console.show(interval=2.0)
        await mail.shows("every 2 s")
        assert [region.y for region in drawn] == [0]


async def test_a_strangers_text_is_never_obeyed() -> None:
    one = replace(causes()[0], reason=Foreign(b"\x1b[31m\x9b2J [bold]red[/] \xe2\x80\xae"), next_hop=Foreign(b"a\x07b"))
    async with driven(broken(), size=(200, 50)) as mail:
        mail.console.move("causes", [one])
        await mail.shows(r"\x1b[31m\x9b2J [bold]red[/] \u202e")
        strips = [mail.app.query_one("Canvas").render_line(y) for y in range(50)]
        segments: list[Segment] = [segment for strip in strips for segment in strip]
        assert all(segment.text.isprintable() for segment in segments)


async def test_every_line_is_exactly_as_wide_as_the_terminal() -> None:
    async with driven(broken(), size=(97, 31)) as mail:
        await mail.press("2")
        await mail.shows("▸     410")
        strips = [mail.app.query_one("Canvas").render_line(y) for y in range(31)]
        assert {sum(cell_len(segment.text) for segment in strip) for strip in strips} == {97}


def test_wide_characters_are_cut_whole() -> None:
    japanese = text("メール満杯")
    assert plain(clip(japanese, 5)) == "メー…"
    assert width(fit(japanese, 7)) == 7
    for column in range(8):
        assert width(over(japanese, column, text("ab", "crit"), 10)) == 10


def test_every_theme_is_whole() -> None:
    assert set(theme_names()) == {"dark", "light", "high-contrast", "colour-blind-safe", "16-colours"}
    for name in theme_names():
        theme = load(name)
        assert set(COLOURS) <= set(theme.colours)
        assert set(SITES) == set(theme.sites)


def test_a_theme_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(ConfigError, match="there are 16-colours, colour-blind-safe, dark"):
        load("../secret")


def test_without_colour_a_role_is_weight_and_shape_alone() -> None:
    styles = Styles(load("dark"), no_colour=True)
    for role in ("crit", "warn+cursor", "site:red", "dim", "title+bar", "faint+sheet"):
        assert styles[role].color is None
        assert styles[role].bgcolor is None
    assert styles["crit"].bold
    assert styles["text+cursor"].reverse


async def test_no_color_in_the_environment_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with driven(broken()) as mail:
        strips = [mail.app.query_one("Canvas").render_line(y) for y in range(24)]
        assert all(segment.style is None or segment.style.color is None for strip in strips for segment in strip)


async def test_the_clock_is_the_snapshots() -> None:
    async with driven(replace(broken(), at=NOW + 3600)) as mail:
        assert "23:13:20" in mail.text.splitlines()[0]


@pytest.mark.parametrize("name", ["dark", "light", "high-contrast", "colour-blind-safe"])
def test_what_must_be_read_stands_out_from_its_ground(name: str) -> None:
    colours = load(name).colours
    for ground in ("background", "cursor", "sheet", "bar"):
        for ink in ("text", "title", "ok", "warn", "crit", "unknown", "denied", "accent"):
            assert contrast(colours[ink], colours[ground]) >= 4.5, f"{ink} on {ground}"
        assert contrast(colours["dim"], colours[ground]) >= 3.5, f"dim on {ground}"


def contrast(one: str, other: str) -> float:
    """WCAG 2's contrast ratio of two colours."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
