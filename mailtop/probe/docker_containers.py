"""Which containers there are and how they are, from the Engine in one request."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from mailtop.model.ask import Answer, Engine
from mailtop.model.errors import ParseError
from mailtop.model.sample import Sample
from mailtop.probe import Needs, Poll

STATES = ("created", "running", "paused", "restarting", "removing", "exited", "dead")


class _Container(Struct):
    Names: list[str] = []
    State: str = ""


def read(answer: Answer) -> Iterator[Sample]:
    """Yield for each container whether it runs, and how many are in each state."""
    try:
        containers = msgspec.json.decode(answer.ok("docker"), type=list[_Container])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ParseError("docker", "the list of containers is not what the Engine sends") from error
    states = dict.fromkeys(STATES, 0)
    for container in containers:
        name = min((name.lstrip("/") for name in container.Names), key=len, default="")
        if container.State in states:
            states[container.State] += 1
        if name:
            running = float(container.State == "running")  # a paused one answers no more than one that has ended
            yield Sample("container_running", running, (("container", name),))
    for state, count in states.items():
        yield Sample("containers", count, (("state", state),))


PROBE = Poll(
    "docker_containers",
    None,
    Engine("/containers/json?all=1", keep=("Names", "State")),
    read,
    every=10.0,
    needs=Needs(socket="/var/run/docker.sock"),
)
