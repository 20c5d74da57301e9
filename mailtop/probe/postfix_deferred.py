"""Messages in the queue directories that can grow without limit: counted as often as their size allows."""

from __future__ import annotations

from collections.abc import Iterable

from mailtop.model.ask import Asking
from mailtop.model.mail import Queue
from mailtop.model.sample import Sample
from mailtop.model.topology import Role, Target
from mailtop.parse import queue_count
from mailtop.probe import Found, Needs, Probe

QUEUES = (Queue.DEFERRED, Queue.HOLD)


def run(target: Target) -> Asking[Iterable[Found]]:
    """Ask where the queue is (it may be moved at a reload, once in years), and count."""
    spool = queue_count.spool_of((yield queue_count.spool(target.config)))
    answer = yield queue_count.command(spool, QUEUES)
    return tuple(queue_count.samples(answer, QUEUES))


def cost(found: tuple[Found, ...], took: float) -> float:  # noqa: ARG001 — the time is disk and way, not CPU
    """A million messages cost 1.2 s of the host: counted once a minute, at two hundredths of a core."""
    messages = sum(one.value for one in found if isinstance(one, Sample) and one.name == "postfix_queue_messages")
    return queue_count.START + messages * queue_count.COST


PROBE = Probe(
    "postfix_deferred",
    Role.MTA,
    run,
    every=10.0,
    needs=Needs(binary=("postconf", "find", "awk"), root=True, sudo="find"),
    cost=cost,
)
