"""Answers that hold for a while: a spool's folder moves once in years, and is needed for each count."""

from __future__ import annotations

from mailtop.model.ask import Answer, Command


class Lasting:
    """What was answered lately to asks that say how long their answers last. Of one connection. Times are monotonic.

    >>> where, known = Command(("postconf", "-h", "queue_directory"), lasts=60.0), Lasting()
    >>> known.take("postfix", where, Answer(b"/var/spool/postfix"), now=100.0)
    >>> [known.answer("postfix", where, now) is not None for now in (100.0, 159.0, 160.0)]
    [True, True, False]
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, Command], tuple[float, Answer]] = {}

    def answer(self, container: str, ask: object, now: float) -> Answer | None:
        """The answer that still holds, None where there is none."""
        if not isinstance(ask, Command) or not ask.lasts:
            return None
        at, answer = self._known.get((container, ask), (0.0, None))
        return answer if 0.0 <= now - at < ask.lasts else None

    def take(self, container: str, ask: object, answer: Answer, now: float) -> None:
        """Keep an answer if its ask wants it kept. One that failed tells nothing, and ends what held there."""
        if not isinstance(ask, Command):
            return
        if answer.exit:
            self.forget(container)
        elif ask.lasts and not answer.cut:
            self._known = {key: held for key, held in self._known.items() if 0.0 <= now - held[0] < key[1].lasts}
            self._known[container, ask] = now, answer

    def forget(self, container: str) -> None:
        """Something is not as it was there."""
        for key in [key for key in self._known if key[0] == container]:
            del self._known[key]

    def clear(self) -> None:
        """Another connection, and perhaps another machine."""
        self._known.clear()
