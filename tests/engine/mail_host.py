"""A mail host that never was: enough of Docker's Engine and of Postfix's tools to watch and to act on."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from mailtop.engine.clock import SystemClock
from mailtop.model.ask import Answer, Chunk, Command, Dns, Engine, Follow, Look, Put, Talk, Tls, handed
from mailtop.model.errors import CommandFailed, LinkLost, Missing

ARRIVED = 1_795_487_814
REASON = "host mx.outlook.test[203.0.113.9] said: 451 4.7.650 rate limited (S775) (in reply to MAIL FROM command)"


@dataclass
class Message:
    """One queued message."""

    queue: str = "deferred"
    sender: str = "news@shop.example"
    recipients: tuple[str, ...] = ("anna@outlook.test",)
    arrival: int = ARRIVED
    reason: str = REASON


@dataclass
class MailHost:
    """A `Source`. `faults` are raised, once each, by the ask whose first word they are keyed by; `always` each time."""

    messages: dict[str, Message] = field(default_factory=dict)
    engine_id: str = "ENGINE-1"
    container_id: str = "c" * 64
    faults: dict[str, Exception] = field(default_factory=dict)
    always: dict[str, Exception] = field(default_factory=dict)
    sent: list[Put] = field(default_factory=list)
    before_put: Callable[[], None] = lambda: None
    now: Callable[[], float] = SystemClock().now  # its clock
    name: str = "postfix"  # of its only container
    state: str = "running"
    up: bool = False

    def __post_init__(self) -> None:
        self._log: list[Chunk | None] = []
        self._said = threading.Condition()
        self.dialled = threading.Event()  # cleared: whoever follows the log waits for the Engine
        self.dialled.set()

    def connect(self) -> None:
        if "connect" in self.faults:
            raise self.faults.pop("connect")
        self.up = True

    def afford(self, thing: str) -> None:
        pass

    def alive(self) -> bool:
        return self.up

    def close(self) -> None:
        self.dialled.set()
        with self._said:
            self.up = False
            self._said.notify_all()

    def say(self, *lines: str, stamp: float = 0.0) -> None:
        """Let Postfix log something; no lines end the log, as a restart does."""
        with self._said:
            text = "".join(f"{line}\n" for line in lines).encode()
            self._log.append(Chunk(text, str(len(self._log) + 1), stamp) if lines else None)
            self._said.notify_all()

    def follow(self, container: str, follow: Follow) -> Iterator[Chunk]:
        at = int(follow.resume or 0)
        if "follow" in self.faults:
            raise self.faults.pop("follow")
        self.dialled.wait()
        yield Chunk(b"", follow.resume, max((chunk.stamp for chunk in self._log[at:] if chunk), default=0.0))
        while True:
            with self._said:
                while self.up and at >= len(self._log):
                    self._said.wait()
                if not self.up:
                    raise LinkLost("mail1", "closed")
                chunk = self._log[at]
                if chunk is None:
                    del self._log[at]
                    return
            at += 1
            yield chunk

    def ask(self, container: str, ask: Look | Put, by: str = "") -> Answer:
        if isinstance(ask, Tls | Talk):
            raise Missing(f"{ask.host}:{ask.port}", "connection refused")
        if isinstance(ask, Dns):
            raise Missing("resolver", "connection refused")
        word = ask.path if isinstance(ask, Engine) else ask.argv[0]
        if word in self.always:
            raise self.always[word]
        if word in self.faults:
            raise self.faults.pop(word)
        if isinstance(ask, Engine):
            return self._engine(ask)
        if container and self.state != "running":
            raise CommandFailed(f"mail1/{container}", f"the container is {self.state}")
        if isinstance(ask, Put):
            return self._postsuper(ask)
        return handed(self._command(ask), ask)

    def _engine(self, ask: Engine) -> Answer:
        postfix = {"Id": self.container_id, "Names": [f"/{self.name}"], "Image": "debian", "State": self.state}
        answers: dict[str, object] = {
            "/info": {"ID": self.engine_id},
            "/containers/json?all=1": [postfix],
            "/containers/postfix/json": {"Id": self.container_id},
        }
        if ask.path not in answers:
            raise Missing("docker", ask.path)
        return Answer(json.dumps(answers[ask.path]).encode())

    def _command(self, ask: Command) -> Answer:
        match ask.argv[0]:
            case "postconf" if "config_directory" in ask.argv and "-h" in ask.argv:
                return Answer(b"/etc/postfix\n")
            case "postconf" if "-h" in ask.argv:
                return Answer(b"/var/spool/postfix\n")
            case "postconf":
                return Answer(b"mail_version = 3.7.11\n")
            case "find":
                queues = [path.rpartition("/")[2] for path in ask.argv if path.startswith("/var/spool")]
                counts = "".join(f"{name} {self.count(name)} -\n" for name in queues)
                return Answer(f"now {int(self.now())} -\n{counts}".encode())
            case "postqueue":
                return Answer(self.listing())
            case "printf":
                return self._postcat(ask.argv[2:])
            case "cat":
                return Answer(b"0.10 0.20 0.30 1/99 1\n1000.0 1000.0\n")
            case _:
                raise Missing(ask.argv[0], "not there")

    def count(self, queue: str) -> int:
        """How many messages are in one queue."""
        return sum(message.queue == queue for message in self.messages.values())

    def listing(self) -> bytes:
        """The queue as `postqueue -j` prints it."""
        return b"".join(
            json.dumps(_line(number, message)).encode() + b"\n" for number, message in self.messages.items()
        )

    def _postcat(self, ids: tuple[str, ...]) -> Answer:
        out, err = "", ""
        for number in ids:
            message = self.messages.get(number)
            if message is None:
                err += f"postcat: fatal: open queue file {number}: No such file or directory\n"
                continue
            # 2026-11-24 02:36:54 UTC, and whatever else it may be
            out += f"*** ENVELOPE RECORDS {message.queue}/{number} ***\n"
            out += f"message_arrival_time: {_ctime(message.arrival)}\nsender: {message.sender}\n"
            out += "".join(f"recipient: {recipient}\n" for recipient in message.recipients)
            out += f"*** HEADER EXTRACTED {message.queue}/{number} ***\n"
            out += f"*** MESSAGE FILE END {message.queue}/{number} ***\n"
        return Answer(out.encode(), err.encode(), 123 if err else 0)

    def _postsuper(self, put: Put) -> Answer:
        self.before_put()
        self.sent.append(put)
        moved, to = 0, "hold" if "-h" in put.argv else "deferred"
        for number in put.stdin.decode().split():
            message = self.messages.get(number)
            if message is not None and message.queue != to:
                message.queue, moved = to, moved + 1
        what = "Placed on hold" if to == "hold" else "Released from hold"
        said = f"postsuper: {what}: {moved} message{'s' * (moved != 1)}\n" if moved else ""
        if "postsuper after" in self.faults:
            raise self.faults.pop("postsuper after")
        return Answer(b"", said.encode())


def _line(number: str, message: Message) -> dict[str, object]:
    waits = {} if message.queue == "active" or not message.reason else {"delay_reason": message.reason}
    return {
        "queue_name": message.queue,
        "queue_id": number,
        "arrival_time": message.arrival,
        "message_size": 724,
        "forced_expire": False,
        "sender": message.sender,
        "recipients": [{"address": recipient, **waits} for recipient in message.recipients],
    }


def _ctime(at: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).strftime("%a %b %e %H:%M:%S %Y")
