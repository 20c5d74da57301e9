"""What mailtop keeps on a target about changed destinations: lines of JSON, and the name of a folder left behind."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from mailtop.model.ask import Asking, Command
from mailtop.model.destination import InForce, UnderWay
from mailtop.model.errors import ParseError
from mailtop.model.text import Foreign, shown

FOLDER = "mailtop"
"""In Postfix's config_directory, readable by root alone."""

REMEDY = "only root may read what mailtop keeps there"

_line = msgspec.json.Decoder(InForce | UnderWay)


class Kept(NamedTuple):
    """What is in force, what is under way; `begun`: the folder of a change is there."""

    in_force: InForce | None = None
    under_way: UnderWay | None = None
    begun: bool = False


def noted(config_directory: str) -> Asking[Kept]:
    """Ask what mailtop keeps under an instance's config_directory; where there is no folder, that is nothing."""
    folder, cat = f"{config_directory}/{FOLDER}", ("-exec", "cat", "{}", ";")
    state, plan = ("-o", "-name", "state.json", *cat), ("-o", "-name", "plan.json", *cat)
    found = yield Command(("find", folder, "-maxdepth", "2", "-name", "pending", "-print", *state, *plan))
    if found.exit and b"No such file" not in found.stderr:
        found.ok(folder, REMEDY)
    return kept(found.stdout)


def kept(stdout: bytes) -> Kept:
    """Read what `find` printed: a path for the folder of a change, a line of JSON for each file.

    Raises ParseError for a line that is neither: what cannot be read must not pass for nothing.
    """
    found = Kept()
    for line in stdout.splitlines():
        if line.startswith(b"/"):
            found = found._replace(begun=True)
            continue
        if not line.strip():
            continue
        try:
            one = _line.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            said = shown(Foreign(line), 60)
            raise ParseError("mailtop's own notes", f"are not as mailtop writes them: {said!r}") from error
        found = found._replace(in_force=one) if isinstance(one, InForce) else found._replace(under_way=one)
    return found


def written(note: InForce | UnderWay) -> bytes:
    """One line of JSON, as `kept` reads it."""
    return msgspec.json.encode(note) + b"\n"
