"""Messages in the queue directories that stay small: cheap enough for every tick."""

from __future__ import annotations

from collections.abc import Iterable

from mailtop.model.ask import Asking
from mailtop.model.mail import Queue
from mailtop.model.topology import Role, Target
from mailtop.parse import queue_count
from mailtop.probe import Found, Needs, Probe

QUEUES = (Queue.MAILDROP, Queue.INCOMING, Queue.ACTIVE, Queue.CORRUPT)
"""Qmgr keeps active and incoming small; the others are empty unless something is wrong."""


def run(target: Target) -> Asking[Iterable[Found]]:
    """Ask where the queue is (it may be moved at a reload, once in years), and count."""
    spool = queue_count.spool_of((yield queue_count.spool(target.config)))
    answer = yield queue_count.command(spool, QUEUES)
    return tuple(queue_count.samples(answer, QUEUES))


PROBE = Probe(
    "postfix_queue", Role.MTA, run, every=10.0, needs=Needs(binary=("postconf", "find", "awk"), root=True, sudo="find")
)
