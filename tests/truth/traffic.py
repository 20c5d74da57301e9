"""A known mix of mail, sent by a thread whatever happens to the platform meanwhile."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from maillab.errors import LabError
from maillab.lab import Lab
from maillab.traffic import Message, deliver, flood

PACE = 0.1  # seconds between two messages
FILTERED = 10  # every so many rounds one goes the whole way: filter, mailbox, archive
BULK = {"sent": "friend@accept.test", "deferred": "friend@deferred.test", "mailbox": "bob@example.test"}
SENDER = "alice@example.test"


class Traffic:
    """`taken`: messages by kind that Postfix has answered for; what was lost on the way is not among them."""

    def __init__(self, lab: Lab, host: str = "postfix") -> None:
        self.taken: Counter[str] = Counter()
        self.failed = 0
        self._lab = lab
        self._host = host
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Send no more, and wait for what is under way."""
        self._end.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    @property
    def accepted(self) -> int:
        """How many messages Postfix has taken."""
        return self.taken.total() - self.taken["rejected"]

    def _run(self) -> None:
        for turn in count():
            for kind in (*BULK, "rejected", *(("filtered",) if turn % FILTERED == 0 else ())):
                if self._end.wait(PACE):
                    return
                self._send(kind)

    def _send(self, kind: str) -> None:
        try:
            if kind == "rejected":
                self._lab.rejected()
            elif kind == "filtered":
                deliver([Message("sender@client.test", ("bob@example.test",))], self._host)
            else:
                flood([Message(SENDER, (BULK[kind],))], self._host)
        except (LabError, OSError):
            self.failed += 1
        else:
            self.taken[kind] += 1


@contextmanager
def traffic(lab: Lab, host: str = "postfix") -> Iterator[Traffic]:
    """Mail under way for as long as this lasts."""
    sending = Traffic(lab, host)
    sending.start()
    try:
        yield sending
    finally:
        sending.stop()
