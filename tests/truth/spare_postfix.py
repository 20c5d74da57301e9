"""A Postfix of a test's own, without a network: what is done to its mail disturbs nobody."""

from __future__ import annotations

import json
from collections.abc import Sequence

from maillab.engine import Engine
from maillab.waiting import wait_until

SENDER, DOMAIN = "news@qacts.test", "qacts-to.test"
NOBODY, TAKES, SLOW = 9, 2525, 2526
"""Ports of the next hop: where nobody listens, where all mail is taken at once, and after some seconds."""

_START = (
    "touch /etc/postfix/main.cf; echo spare.test >/etc/mailname; postconf -e compatibility_level=3.6 "
    "maillog_file=/dev/stdout inet_protocols=ipv4 mydestination= alias_maps= alias_database= "
    "enable_long_queue_ids={long} 'relayhost=[127.0.0.1]:9' smtp_host_lookup=native default_process_limit=20; "
    "postconf -F '*/*/chroot=n'; "
    "smtp-sink -u nobody 127.0.0.1:2525 100 & smtp-sink -u nobody -w 8 127.0.0.1:2526 100 & "
    "exec postfix start-fg"
)


class SparePostfix:
    """One of them, in a container on this machine."""

    def __init__(self, engine: Engine, image: str, name: str, *, long_ids: bool) -> None:
        self.name, self.target = name, f"here/{name}"
        self._engine = engine
        engine.try_run("rm", "--force", name)
        start = _START.format(long="yes" if long_ids else "no")
        words = ("--detach", "--name", name, "--network", "none", "--init", "--entrypoint", "bash", image, "-c", start)
        engine.run("run", *words)
        wait_until(lambda: engine.try_run("exec", name, "postqueue", "-j").returncode == 0, 20, "it answers")

    def remove(self) -> None:
        """No trace is left."""
        self._engine.try_run("rm", "--force", self.name)

    def run(self, *argv: str, stdin: str | None = None) -> str:
        """Run a program there; its standard output."""
        return self._engine.execute(self.name, *argv, stdin=stdin)

    def send(self, count: int, sender: str = SENDER, domain: str = DOMAIN, *more: str) -> tuple[str, ...]:
        """Submit messages, and wait until each has been tried; return their ids."""
        known = set(self.queue())
        text = "Subject: x\n\nbody {}\n.. a line that begins with dots\n"
        for number in range(count):
            self.run("sendmail", "-i", "-f", sender, f"user{number}@{domain}", *more, stdin=text.format(number))
        wait_until(lambda: len(self.new(known)) == count, 90, f"{count} are queued")
        return self.new(known)

    def new(self, known: set[str]) -> tuple[str, ...]:
        """Ids that are queued now, in another queue than maildrop and incoming."""
        there = self.queue()
        return tuple(id_ for id_, queue in there.items() if id_ not in known and queue not in ("maildrop", "incoming"))

    def queue(self) -> dict[str, str]:
        """Id → the queue it is in, by Postfix's own word."""
        entries = map(json.loads, self.run("postqueue", "-j").splitlines())
        return {entry["queue_id"]: entry["queue_name"] for entry in entries}

    def relay(self, port: int) -> None:
        """Lead all mail elsewhere from now on."""
        self.run("postconf", "-e", f"relayhost=[127.0.0.1]:{port}")
        self.run("postfix", "reload")

    def content(self, ids: Sequence[str]) -> dict[str, str]:
        """Header and body of each, as they are in its queue file."""
        return {id_: self.run("postcat", "-qbh", id_) for id_ in ids}

    def files(self, *folders: str) -> dict[str, str]:
        """Mode, owner and links of what is below some folders of the queue, by path."""
        paths = (f"/var/spool/postfix/{one}" for one in folders)
        found = self.run("find", *paths, "-exec", "stat", "-c", "%n %a %U %h", "{}", ";")
        return dict(line.split(" ", 1) for line in found.splitlines())

    def log(self) -> list[str]:
        """What it has logged."""
        done = self._engine.try_run("logs", self.name)
        return (done.stdout + done.stderr).splitlines()

    def logged(self, *words: str) -> bool:
        """Is there a line with all of these words?"""
        return any(all(word in line for word in words) for line in self.log())
