"""Text that a stranger wrote, and the one way to make it drawable.

Rule of the house: *bytes are theirs, str is ours.* Addresses, HELO names, reasons and log lines stay `Foreign` (bytes)
from the parser to the face; only `shown` turns them into a str.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NewType

Foreign = NewType("Foreign", bytes)

_PLAIN = re.compile(rb"[ -~]*")  # printable ASCII needs no work, and is what nearly all of it is
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_JOINERS = frozenset("\u200d\ufe0f")  # emoji sequences need them; alone they are harmless


def shown(text: Foreign, limit: int = 0) -> str:
    r"""Return `text` as one line that no terminal obeys, at most `limit` characters where a limit is given.

    Control characters, escapes, bidi overrides and bytes that are not UTF-8 are written out as `\xNN` or `\uNNNN`;
    a cut is marked with `…`. The result holds no markup by contract: faces draw it as plain text, never parse it.

    >>> shown(Foreign(b"anna@example.org"))
    'anna@example.org'
    >>> shown(Foreign(b"\x1b[31mred\xff"))
    '\\x1b[31mred\\xff'
    """
    if limit and len(text) > 8 * limit:  # a megabyte of HELO is cut before it is looked at
        text = Foreign(text[: 8 * limit])
    if _PLAIN.fullmatch(text):
        line = text.decode("ascii")
    else:
        line = "".join(map(_drawable, text.decode("utf-8", "surrogateescape")))
    return line if not limit or len(line) <= limit else line[: limit - 1] + "…"


def _drawable(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # surrogateescape: a byte that was not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if character in _JOINERS:
        return character
    if character in _BIDI or unicodedata.category(character) in _INVISIBLE:
        return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    return character
