"""How long the volume with the mail takes for a read that no cache answers: dd tells it, 4 kB of a file that is there.

Nothing is written. `iflag=direct` goes to the device, to the server of a network mount too. The mailboxes' root is
taken from the settings: what stands before the first variable of `mail_home` or `mail_location`, else /var/vmail; in
it the way goes down by whatever entry comes first, unsorted, so that a directory of a million costs no more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from mailtop.model.ask import Answer, Asking, Command
from mailtop.model.errors import CommandFailed, ParseError
from mailtop.model.sample import Fact, Sample
from mailtop.model.text import Foreign, shown
from mailtop.model.topology import Role, Target
from mailtop.probe import Board, Found, Metric, Needs, Probe

READ = "dovecot_storage_read_seconds"
DEFAULT = "/var/vmail"

_SETTINGS = Command(("doveconf", "mail_home", "mail_location", "mail_path"), lasts=600.0)  # 2.3 lacks one, 2.4 another
_ROOT = re.compile(rb"^mail_(?:home|path|location) = (?:\w+:)?(/[\w./-]*)/", re.MULTILINE)
_FIND = ("-mindepth", "1", "-maxdepth", "6", "-type", "f", "-size", "+0", "-print", "-quit")
_TOOK = re.compile(rb"\d+ bytes.* copied, (\d{1,6}(?:[.,]\d{1,12})?(?:e-\d{1,2})?) s,")


def run(target: Target) -> Asking[Iterable[Found]]:  # noqa: ARG001 — the same question to all
    """Find a file, the first one met, and read its beginning."""
    settings = yield _SETTINGS
    found = _ROOT.search(settings.stdout)
    root = found[1].decode() if found else DEFAULT
    listed = yield Command(("find", root, *_FIND), timeout=5.0, large=True)
    file = (listed.stdout or listed.ok("find", "only root may look into all mailboxes")).rstrip(b"\n")
    if not file:
        return (Fact("mail volume", f"no mail in {shown(Foreign(root.encode()), 60)} yet: nothing to read"),)
    try:
        name = file.decode()
    except UnicodeDecodeError as error:
        raise ParseError("find", "a file's name is not UTF-8") from error
    arguments = (f"if={name}", "of=/dev/null", "bs=4096", "count=1", "iflag=direct")
    answer = yield Command(("env", "LC_ALL=C", "dd", *arguments), timeout=10.0, large=True)
    return tuple(_read(root, answer))


def _read(root: str, answer: Answer) -> Iterator[Found]:
    if answer.exit and b"nvalid argument" in answer.stderr:
        yield Fact("mail volume", "it cannot be read past the cache: its latency is not known")
        return
    if answer.exit and b"No such file" in answer.stderr:  # a mail that was moved since: another one next time
        raise CommandFailed("dd", "the file that was found is gone; another is looked for")
    answer.ok("dd")
    took = _TOOK.search(answer.stderr)
    if took is None:
        raise ParseError("dd", f"tells no time: {shown(Foreign(answer.stderr), 80)!r}")
    yield Sample(READ, float(took[1].replace(b",", b".")))
    yield Fact("mail volume", shown(Foreign(root.encode()), 60))


BOARD = Board(
    "sessions",
    "mail volume",
    (Metric(READ, "read", "s", 0.02, 0.1, means="a read of 4 kB from the volume with the mail, past the cache"),),
    order=17,
)

PROBE = Probe(
    "dovecot_storage",
    Role.IMAP,
    run,
    every=30.0,
    needs=Needs(binary=("dd", "find"), root=True),
    board=BOARD,
)
