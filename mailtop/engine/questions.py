"""What hosts ask a person: open questions for the faces, and the answers that were right, for this run only.

Nothing of it is written down: an answer is in no snapshot, no log, no recording, and ends with the engine.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from msgspec import Struct

from mailtop.model.errors import Unanswered, UsageError
from mailtop.model.question import Asker, Kind, Question
from mailtop.model.text import Foreign, shown
from mailtop.transport.deadline import Deadline, Monotonic, monotonic

ANSWER_WITHIN = 600.0
"""Seconds that a question stays open; a host's own patience (LoginGraceTime, 120 s) is mostly shorter."""

_LOOK = 0.2  # seconds between two looks whether the answer is still wanted


class _Open(Struct, eq=False):
    """One open question, and the hosts that wait for its answer."""

    question: Question
    about: str
    hosts: list[str]
    settled: threading.Event
    answer: str | None = None


class Questions:
    """Belongs to one engine; safe to use from any thread. `now`: seconds since the epoch."""

    def __init__(self, now: Callable[[], float], monotonic: Monotonic = monotonic) -> None:
        self._now, self._monotonic = now, monotonic
        self._lock = threading.Lock()
        self._open: dict[str, _Open] = {}
        self._right: dict[tuple[Kind, str], str] = {}
        self._number = 0
        self._closed = False

    @property
    def open(self) -> tuple[Question, ...]:
        """What is asked just now, the oldest first."""
        with self._lock:
            return tuple(one.question for one in self._open.values())

    def waits(self, host: str) -> str:
        """What a host waits to be told, empty where nothing."""
        with self._lock:
            words = [one.question.words for one in self._open.values() if host in one.hosts]
        return shown(words[0], 120) if words else ""

    def answer(self, id: str, text: str | None) -> None:  # noqa: A002 - the question's own word
        """Answer one; None refuses. Raises UsageError where it is not open, or no longer."""
        with self._lock:
            one = self._open.pop(id, None)
        if one is None:
            raise UsageError("answer", f"no question {id[:40]!r} is open")
        one.answer = text
        one.settled.set()

    def close(self) -> None:
        """Refuse all, and all that come."""
        with self._lock:
            self._closed = True
            waiting = list(self._open.values())
            self._open.clear()
        for one in waiting:
            one.settled.set()

    def asker(self, host: str) -> Asker:
        """What one host's connection asks through."""
        return _HostAsker(self, host)

    def put(self, host: str, kind: Kind, about: str, words: Foreign, secret: bool, wanted: Callable[[], bool]) -> str:
        """Ask, and wait. See `Asker.ask`."""
        one = self._joined(host, kind, about, words, secret)
        deadline = Deadline(ANSWER_WITHIN, self._monotonic)
        while not one.settled.wait(_LOOK):
            if not wanted() or not deadline.left():
                self._leave(one, host)
                break
        what = shown(words, 120)
        if one.answer is not None:
            return one.answer
        remedy = f"ssh-add {about}, or: r asks again" if kind is Kind.PASSPHRASE else "r asks again"
        if one.settled.is_set():
            raise Unanswered(host, f"asked for {what}: not answered", remedy)
        took = f"{deadline.took():.0f} s"
        why = "the host hung up" if deadline.left() else "it was given up"
        raise Unanswered(host, f"asked for {what}: no answer within {took}, {why}", remedy)

    def recall(self, kind: Kind, about: str) -> str | None:
        """See `Asker.recall`."""
        with self._lock:
            return self._right.get((kind, about))

    def keep(self, kind: Kind, about: str, answer: str | None) -> None:
        """Remember what was right; None forgets it. A code is never remembered."""
        with self._lock:
            if answer is None:
                self._right.pop((kind, about), None)
            elif kind is not Kind.CODE:
                self._right[kind, about] = answer

    def _joined(self, host: str, kind: Kind, about: str, words: Foreign, secret: bool) -> _Open:
        """The open question for that; one key's passphrase is asked for once, however many hosts need it."""
        with self._lock:
            for one in self._open.values():
                if one.question.kind is kind is not Kind.CODE and (one.about, one.question.words) == (about, words):
                    one.hosts.append(host)
                    return one
            self._number += 1
            question = Question(f"q{self._number}", host, kind, words, secret, self._now())
            one = _Open(question, about, [host], threading.Event())
            if self._closed:
                one.settled.set()
            else:
                self._open[question.id] = one
            return one

    def _leave(self, one: _Open, host: str) -> None:
        """One host waits no longer; a question for which nobody waits is asked no longer."""
        with self._lock:
            one.hosts.remove(host)
            if not one.hosts:
                self._open.pop(one.question.id, None)


class _HostAsker:
    """One host's `Asker`."""

    def __init__(self, questions: Questions, host: str) -> None:
        self._questions = questions
        self._host = host

    def ask(self, kind: Kind, about: str, words: Foreign, secret: bool, wanted: Callable[[], bool]) -> str | None:
        """See Asker."""
        return self._questions.put(self._host, kind, about, words, secret, wanted)

    def recall(self, kind: Kind, about: str) -> str | None:
        """See Asker."""
        return self._questions.recall(kind, about)

    def keep(self, kind: Kind, about: str, answer: str) -> None:
        """See Asker."""
        self._questions.keep(kind, about, answer)

    def forget(self, kind: Kind, about: str) -> None:
        """See Asker."""
        self._questions.keep(kind, about, None)
