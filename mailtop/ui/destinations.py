"""Acts on a destination: which are offered for a row, what is asked before they are planned, and what is in force."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from mailtop.model.destination import STATES, Destination, Standing, Terms, domain_of, seconds_of
from mailtop.model.errors import MailtopError, UsageError
from mailtop.model.mail import QueueEntry
from mailtop.model.operation import Selection
from mailtop.model.snapshot import Health, Shape
from mailtop.model.text import Foreign
from mailtop.ui.figures import clock, whole
from mailtop.ui.meaning import Meant
from mailtop.ui.messages import AskLine, OpenSheet, PlanAct, Say
from mailtop.ui.prompt import Prompt
from mailtop.ui.sheets.choice import Choice, Option
from mailtop.ui.view import Act, Post, Scene

PAUSE, THROTTLE, REROUTE = "destination.pause", "destination.throttle", "destination.reroute"
RESTORE, FINISH = "destination.restore", "destination.finish"


class _Asked(NamedTuple):
    """What is typed for an act's terms: the prompt, and what it starts with."""

    label: str
    start: str


_ASKED = {
    PAUSE: _Asked("for how long (30m, 1h, 2d, ever): ", "1h"),
    THROTTLE: _Asked("deliveries at a time, seconds between, for how long: ", "1 1 1h"),
    REROUTE: _Asked("relay, for how long ([relay2.example.com]:25 1h): ", ""),
}


def destination_of(item: object, target: str) -> Destination | None:
    """The recipient domain of a row, on its own target or on the one that the page is of; None where it has none."""
    try:
        if isinstance(item, Shape):
            return Destination(target, domain_of(item.domain))
        if isinstance(item, QueueEntry):
            return Destination(item.key.target, domain_of(Foreign(item.recipient.rpartition(b"@")[2])))
    except UsageError:
        return None
    return None


def offered(scene: Scene, where: Destination) -> list[Act]:
    """The acts that make sense for a destination: what takes back where something is changed, else what changes."""
    here = [one for one in scene.snapshot.destinations if one.domain == where.domain and _on(one, where.target)]
    acts = [act for act in scene.acts if act.scope is Destination]
    if not here:
        return [act for act in acts if act.key in _ASKED]
    keys = {RESTORE} | ({FINISH} if any(one.half_way for one in here) else set())
    return [act for act in acts if act.key in keys]


def _on(standing: Standing, target: str) -> bool:
    return target in ("", standing.target)


def ask(key: str, where: Destination, post: Post) -> None:
    """Ask for an act's terms, where it has some, then plan it."""
    asked = _ASKED.get(key)
    if asked is None:
        post(PlanAct(key, [_meant(where, Terms())]))
        return
    done = partial(_plan, key, where, post)
    post(AskLine(Prompt(f"{_verb(key)} {where.domain}: {asked.label}", done, start=asked.start)))


def _plan(key: str, where: Destination, post: Post, words: str) -> None:
    try:
        terms = terms_of(key, words)
    except MailtopError as error:
        post(Say(str(error), Health.WARN))
        return
    post(PlanAct(key, [_meant(where, terms)]))


def _meant(where: Destination, terms: Terms) -> Meant:
    words = f"mail for {where.domain or 'a destination'} on {where.target or 'every host'}"
    return Meant(Selection(target=where.target, domain=Foreign(where.domain.encode()), terms=terms), words, None)


def _verb(key: str) -> str:
    return key.rpartition(".")[2]


def terms_of(key: str, words: str) -> Terms:
    """Return the terms that were typed for an act; raises UsageError for what they are not.

    >>> terms_of("destination.throttle", "2 5 30m")
    Terms(seconds=1800.0, relay='', concurrency=2, delay=5)
    >>> terms_of("destination.reroute", "[relay2]:25").relay
    '[relay2]:25'
    """
    parts = words.split()
    if key == PAUSE and len(parts) <= 1:
        return Terms(seconds_of(parts[0] if parts else "1h"))
    if key == REROUTE and 1 <= len(parts) <= 2:
        return Terms(seconds_of(parts[1] if len(parts) > 1 else "1h"), relay=parts[0])
    if key == THROTTLE and len(parts) <= 3 and all(part.isascii() and part.isdigit() for part in parts[:2]):
        numbers = [int(part) for part in parts[:2]] + [1, 1][len(parts[:2]) :]
        return Terms(seconds_of(parts[2] if len(parts) > 2 else "1h"), concurrency=numbers[0], delay=numbers[1])
    if key in (RESTORE, FINISH) and not parts:
        return Terms()
    wants = _ASKED[key].label.rstrip(": ") if key in _ASKED else "nothing more"
    raise UsageError(f"{_verb(key)} {words[:40]!r}", f"wants {wants}")


def typed(line: str, acts: Sequence[Act], post: Post) -> None:
    """Plan what `:domain pause bigmail.test 1h` says, on every host that has a queue."""
    verb, _, rest = line.strip().partition(" ")
    name, _, words = rest.strip().partition(" ")
    key = f"destination.{verb}"
    if key not in {act.key for act in acts} or not name:
        post(Say(":domain wants an act and a domain, as in `:domain pause bigmail.test 1h`", Health.WARN))
        return
    try:
        where = Destination("", domain_of(name))
        if not words and key == REROUTE:
            ask(key, where, post)
            return
        post(PlanAct(key, [_meant(where, terms_of(key, words))]))
    except MailtopError as error:
        post(Say(str(error), Health.WARN))


def listed(scene: Scene, post: Post) -> Choice | None:
    """What is in force or was left half-way, to choose from; None where nothing is."""
    options = [
        Option(
            one.domain or "a destination",
            one,
            f"{_how(one, scene.now)}, by {one.by or 'nobody knows whom'}, {one.target}",
            str(number) if number < 10 else "",
            "warn" if one.half_way or one.overdue(scene.now) else "dim",
        )
        for number, one in enumerate(scene.snapshot.destinations, 1)
    ]
    if not options:
        return None
    back = partial(_back, scene, post)
    return Choice("Changed destinations", options, back, post, "choose one to restore it")


def _how(one: Standing, now: float) -> str:
    """`paused until 22:43`, `paused, overdue 5 m`, `pause left half-way`."""
    if one.half_way:
        return f"{_verb(one.action) or 'change'} left half-way"
    state = STATES.get(one.action, "changed")
    if one.overdue(now):
        return f"{state}, overdue {whole(now - one.until)}"
    return f"{state} until {clock(one.until, seconds=False)}" if one.until else state


def _back(scene: Scene, post: Post, one: Standing) -> None:
    """To what takes one back; what was left half-way can be finished, too."""
    where = Destination(one.target, one.domain)
    acts = offered(scene, where)
    if one.half_way and len(acts) > 1:
        chosen: Callable[[str], None] = lambda key: ask(key, where, post)  # noqa: E731
        hints = {FINISH: "carry it to its end", RESTORE: "as before it was begun"}
        options = [Option(act.label, act.key, f"{act.danger.value}, {hints[act.key]}") for act in acts]
        post(OpenSheet(Choice(f"{one.domain or 'a destination'}: {_how(one, scene.now)}", options, chosen, post)))
    elif scene.acts:
        ask(RESTORE, where, post)
