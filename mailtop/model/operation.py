"""What is changed: danger, step, plan, approval, receipt."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from mailtop.model.destination import Change, Hashes, Terms
from mailtop.model.mail import Key, QueueId
from mailtop.model.text import Foreign
from mailtop.model.topology import Identity


class Danger(StrEnum):
    """What an act costs if it was wrong."""

    LOOK = "look"
    REVERSIBLE = "reversible"  # undo restores exactly what was
    SENDS = "sends"  # mail leaves, nobody can recall it
    DESTRUCTIVE = "destructive"  # no undo


class Selection(Struct, frozen=True):
    """What the operator marked: explicit `keys`, or all that match `where`, `cause` and `domain` on `target`.

    `domain` is a recipient domain to the letter, None for any (empty: mail without recipients). A selection that
    names nothing is refused: the whole queue is only meant where `everything` says so. An act whose scope is a
    destination takes `target`, `domain` and `terms`.
    """

    keys: tuple[Key, ...] = ()
    where: str = ""
    cause: str = ""
    target: str = ""
    domain: Foreign | None = None
    everything: bool = False
    terms: Terms = Terms()

    @property
    def names_something(self) -> bool:
        """Does it say what is meant?"""
        return bool(self.keys or self.where.strip() or self.cause or self.domain is not None or self.everything)


class Step(Struct, frozen=True):
    """One command of a plan, exactly as it will be sent. `stdin` in words; the ids themselves are the plan's."""

    target: str
    argv: tuple[str, ...]
    stdin: str = ""
    expects: str = ""
    undo: str = ""


class Item(Struct, frozen=True):
    """One message of a plan: its id and what the id meant when it was planned (short ids are reused)."""

    id: QueueId
    sender: Foreign
    arrival: float
    size: int
    queue: str
    recipient: Foreign = Foreign(b"")


class Work(Struct, frozen=True):
    """How the configuration behind a destination goes from what it `was` to what it will be.

    `source`: the new files are made from the `live` ones, or from those saved `before` the first change. `edits`:
    postconf's words, a command each. `order`: in which the files are replaced. `after`: what is in force then.
    `base`: the saved files are made `new`, are to `keep`, or to `drop`; `done`: only notes are left to clear away.
    `exact`: the saved files are those before the first change, and `before` are their hashes. `resumes`: `finish` or
    `undo` what was left half-way, which has a `will` once a live file may have been touched. `diff`: what changes, a
    line each, `-` or `+` before it.
    """

    domain: str
    was: Hashes
    source: str = "live"
    edits: tuple[tuple[str, ...], ...] = ()
    order: tuple[str, ...] = ()
    after: tuple[Change, ...] = ()
    base: str = "keep"
    exact: bool = True
    before: Hashes | None = None
    resumes: str = ""
    will: Hashes | None = None
    until: float = 0.0
    diff: tuple[str, ...] = ()


class Plan(Struct, frozen=True):
    """An act on one target, frozen. Lives in the engine; a face sees its `Preview`.

    `items` are the messages of an act on messages; a million of them are nouns only while they are walked. `work` is
    that of an act on a destination. `without_undo`: why this once nothing undoes an act that else could be.
    """

    id: str
    action: str
    target: str
    identity: Identity
    danger: Danger
    items: Sequence[Item]
    steps: tuple[Step, ...]
    at: float
    undoes: str = ""  # the receipt that this plan takes back
    work: Work | None = None
    without_undo: str = ""


class Preview(Struct, frozen=True):
    """What a face shows before an approval: exact commands and the blast radius.

    `senders` and `domains`: the most frequent with their counts. `in_delivery`: messages now active, which may
    still leave. `warnings` are whole sentences. `typed`: what must be typed to approve, empty where `A` is enough.
    `domain`: the destination that is changed, empty for an act on messages; `until`: when that should be lifted (0.0:
    nobody said); `diff`: what changes in which file, a line each, `-` or `+` before it.
    """

    plan: str
    action: str
    label: str
    target: str
    container: str
    danger: Danger
    undo: str
    commands: tuple[Step, ...]
    count: int
    size: int
    oldest: float
    senders: tuple[tuple[Foreign, int], ...]
    domains: tuple[tuple[Foreign, int], ...]
    samples: tuple[Item, ...]
    in_delivery: int
    typed: str = ""
    warnings: tuple[str, ...] = ()
    domain: str = ""
    until: float = 0.0
    diff: tuple[str, ...] = ()


class Approval(Struct, frozen=True):
    """One operator's yes to one plan."""

    plan: str
    by: str
    typed: str = ""
    dry_run: bool = False


class Fate(StrEnum):
    """What became of one message of a plan."""

    DONE = "done"
    GONE = "gone"  # not in the queue any more when the act came
    CHANGED = "changed"  # the id means another message now: dropped
    REFUSED = "refused"
    IN_DELIVERY = "in delivery"  # Postfix finishes what it has begun: open until the log decides
    UNDER_WAY = "under way"  # asked for, and Postfix has not come to it yet: open until the log decides
    DELIVERED = "delivered"  # it left all the same
    UNKNOWN = "unknown"  # the connection ended before it could be read back


class Outcome(Struct, frozen=True):
    """One message's fate, with what the service or the log said. For a destination, `id` is its domain."""

    id: QueueId
    fate: Fate
    said: Foreign = Foreign(b"")


class Receipt(Struct, frozen=True):
    """What an act did. `open` while the log has not decided about messages in delivery.

    `fates` counts all messages by fate. `outcomes` are all of them where the receipt is whole, and only some of
    those that were not simply done in a snapshot. `ok`: what was sent is done, or is being done. `ended`: when the last
    program had ended (0.0: nothing was sent). `said`: the last line of its own words. `undo`: the action that takes
    it back, empty where none does.
    """

    id: str
    plan: str
    action: str
    target: str
    by: str
    at: float
    dry_run: bool
    ok: bool
    outcomes: tuple[Outcome, ...]
    said: Foreign = Foreign(b"")
    error: str = ""
    undo: str = ""
    open: bool = False
    undone: bool = False
    ended: float = 0.0
    fates: tuple[tuple[Fate, int], ...] = ()

    def count(self, *fates: Fate) -> int:
        """How many messages met one of these fates."""
        if self.fates:
            return sum(count for fate, count in self.fates if fate in fates)
        return sum(outcome.fate in fates for outcome in self.outcomes)
