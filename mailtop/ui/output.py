"""Writing what is shown to a file: all rows that match, not only those on the screen."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import fields, replace

from mailtop.engine.console import Console
from mailtop.model.errors import UsageError
from mailtop.model.log import LogWindow
from mailtop.model.snapshot import PageAsk
from mailtop.model.text import Foreign, shown
from mailtop.ui.loglines import words

_PAGE = 1000
_FORMULA = frozenset("=+-@")  # with one of these before them, a stranger's words would be reckoned, not read


async def write_lines(path: str, lines: Iterable[str]) -> int:
    """Write lines to a new file; returns how many. Raises UsageError where that cannot be."""
    gathered = list(lines)
    await asyncio.to_thread(_write, path, gathered, "x")
    return len(gathered)


async def write_rows(
    path: str, console: Console, ask: PageAsk, progress: Callable[[int, int], object]
) -> tuple[int, str]:
    """Write all rows that match, as tab-separated columns under a header, page by page.

    Returns how many, and why some are missing (empty where none are). Raises UsageError where no row is known: an empty
    file would say that there is no mail.
    """
    offset, total, missing = 0, 1, ""
    while offset < total:
        page = await console.page(replace(ask, offset=offset, limit=_PAGE))
        rows: Sequence[Any] = page.causes or page.shapes or page.messages
        total, missing = page.total, page.unknown or missing
        if not rows and not offset and missing:
            raise UsageError(Path(path).name, f"not written, for no row is known: {missing}")
        if not rows:
            break
        header = ["\t".join(field.name for field in fields(rows[0]))] if not offset else []
        lines = header + ["\t".join(_cell(getattr(row, f.name)) for f in fields(row)) for row in rows]
        await asyncio.to_thread(_write, path, lines, "a" if offset else "x")
        offset += len(rows)
        progress(offset, total)
    return offset, missing


async def write_log(path: str, console: Console, ask: PageAsk, progress: Callable[[int, int], object]) -> int:
    """Write all log lines that match, oldest first, up to the newest one there is now; returns how many.

    Raises UsageError where there is none.
    """
    newest = (await console.page(replace(ask, window=LogWindow(back=1)))).log
    end, written, place = newest.lines[-1].place if newest is not None and newest.lines else (0.0, 0), 0, (0.0, 0)
    while place <= end:
        page = (await console.page(replace(ask, window=LogWindow(place, ahead=_PAGE)))).log
        found = [line for line in page.lines if line.place <= end] if page is not None else []
        if page is None or not found:
            break
        await asyncio.to_thread(_write, path, [words(line) for line in found], "a" if written else "x")
        written += len(found)
        at, number = found[-1].place
        place = (at, number + 1)
        progress(written, page.held)
    if not written:
        raise UsageError(Path(path).name, "not written: no line matches")
    return written


def _write(path: str, lines: Sequence[str], mode: str) -> None:
    try:
        with Path(path).expanduser().open(mode, encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)
    except FileExistsError as error:
        raise UsageError(Path(path).name, "is there already", "choose another name") from error
    except OSError as error:
        raise UsageError(Path(path).name, os.strerror(error.errno or 0), "choose another place") from error


def _cell(value: object) -> str:
    """One value, as text that no spreadsheet or terminal obeys."""
    if isinstance(value, bytes):
        words = shown(Foreign(value))
        return f"'{words}" if words[:1] in _FORMULA else words
    if isinstance(value, tuple):
        return ",".join(_cell(part) for part in value)
    if hasattr(value, "__struct_fields__"):
        return " ".join(_cell(getattr(value, name)) for name in value.__struct_fields__)
    return "" if value is None else str(value)
