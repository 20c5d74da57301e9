"""Files on a host or in a container, seen through its shell: `stat` and `dd`, as GNU and BusyBox have them."""

from __future__ import annotations

from collections.abc import Callable

from mailtop.model.ask import Answer, Command
from mailtop.model.errors import Denied, Garbled, Missing, ParseError
from mailtop.model.text import Foreign
from mailtop.parse.log_file import UNPACKERS, Look, Sibling, family_of, look_of

PIECE = 1 << 20  # bytes that one look reads
PACKED_PIECE = 16 << 20  # the same of a packed file, which is unpacked from its beginning each time

_BLOCK = 4096
_BLOCKS = PIECE // _BLOCK + 1
# What is opened once is one file, whatever is renamed meanwhile. FILE KNOWN SKIP COUNT [START MOST UNPACKER…]
_LOOK = """[ -f "$1" ]||{ ls -d "$1" >/dev/null&&echo "$1: not a regular file" >&2;exit 3;};exec <"$1"||exit 3;\
s=$(stat -Lc '%d:%i %s %Y' /proc/self/fd/0)||exit 3;echo "$s";s=${s#* };[ "${s% *}" -ne "$2" ]||exit 0;\
[ $# -gt 4 ]||exec dd bs=4096 skip="$3" count="$4" 2>/dev/null;\
n=$5;m=$6;shift 6;"$@" 2>/dev/null|tail -c +"$n"|head -c "$m"
"""
_FAMILY = """stat -Lc '%d:%i %s %Y %f %n' "$1" "$1".* "$1"-* "${1%.*}"-* "${1%.*}".[0-9]* 2>/dev/null;true"""


class ShellFiles:
    """`ask` runs a command where the files are; `thing` names that in errors."""

    def __init__(self, ask: Callable[[Command], Answer], thing: str) -> None:
        self._ask = ask
        self._thing = thing

    def look(self, path: str, start: int = 0, known: int = -1, packing: str = "") -> Look:
        """See a file; see `Files.look`."""
        skip = start // _BLOCK
        words = ["sh", "-c", _LOOK, "sh", path, str(known), str(skip), str(_BLOCKS)]
        if packing:
            words += [str(start + 1), str(PACKED_PIECE), *UNPACKERS[packing]]
        timeout = 60.0 if packing else 10.0
        answer = self._ask(Command(tuple(words), timeout=timeout, large=bool(packing), limit=2 * PACKED_PIECE))
        if answer.exit:
            raise self._refused(path, answer)
        try:
            look = look_of(answer.stdout, start if packing else skip * _BLOCK)
        except ParseError as error:
            raise Garbled(f"{self._thing}: {path}", error.reason) from error
        if packing:
            more = len(look.octets) >= PACKED_PIECE
            return Look(look.file, start + len(look.octets) + more, look.mtime, start, look.octets)
        # it may have grown between stat and dd: what was seen is as long as what was read
        seen = look.start + len(look.octets)
        return Look(look.file, max(look.size, seen), look.mtime, look.start, look.octets)

    def family(self, path: str) -> tuple[Sibling, ...]:
        """See the file and all that it was rotated into; see `Files.family`."""
        return family_of(self._ask(Command(("sh", "-c", _FAMILY, "sh", path))).ok("stat"), path)

    def _refused(self, path: str, answer: Answer) -> Denied | Missing:
        words = (answer.stderr.strip().splitlines() or [b"cannot be read"])[-1]
        if b"ermission denied" in words:
            return Denied(f"{self._thing}: {path}", "permission denied", self._remedy(path))
        if b"o such file" in words or b"annot open" in words:
            return Missing(f"{self._thing}: {path}", "no such file")
        return Missing(f"{self._thing}: {path}", Foreign(words))

    def _remedy(self, path: str) -> str:
        """The group that may read it, where one may."""
        answer = self._ask(Command(("stat", "-Lc", "%A %G", path)))
        mode, _, group = answer.stdout.decode("ascii", "replace").strip().partition(" ")
        if answer.exit == 0 and mode[4:5] == "r" and group.isalnum() and group != "root":
            return f"add the user to group {group}"
        return "let the user read it"
