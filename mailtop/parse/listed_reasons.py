"""The reasons of a listing: few texts, whatever providers add to them."""

from __future__ import annotations

import re

from mailtop.parse.columns import encoded
from mailtop.parse.reason import normalise

MOST = 32_768
"""Different reasons of a listing that are kept as they came."""

_TOKEN = re.compile(rb"(?=[A-Za-z]{0,16}\d)[0-9A-Za-z+/_-]{10,}")  # a session's, in a provider's answer


class Reasons(dict[str, int]):
    """Reasons as they came, up to a limit; past it, one example stands for all of the same normalised reason.

    Without a limit a provider that adds a session's token to each answer would keep 200 bytes a message here.
    """

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[bytes] = []
        self._examples: dict[tuple[bytes, bytes], int] = {}
        self._shapes: dict[bytes, int] = {}

    def __missing__(self, text: str) -> int:
        raw = encoded(text)
        if len(self.texts) < MOST:
            index = self[text] = len(self.texts)
            self.texts.append(raw)
            normalise(raw)  # kept: whoever groups a fresh listing finds it done
            return index
        if not self._examples:
            for index, known in enumerate(self.texts):
                self._examples.setdefault(_likeness(known), index)
        shape = _TOKEN.sub(b"*", raw)
        found = self._shapes.get(shape)
        if found is None:
            found = self._examples.setdefault(_likeness(raw), len(self.texts))
            if found == len(self.texts):
                self.texts.append(raw)
            if len(self._shapes) < MOST:
                self._shapes[shape] = found
        return found


def _likeness(raw: bytes) -> tuple[bytes, bytes]:
    reason = normalise.__wrapped__(raw)  # not kept: there may be a million
    return reason.text, reason.next_hop
