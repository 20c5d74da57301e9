"""Ways into the running lab: its Engines, its containers, its hosts over SSH, its databases and mailboxes."""

import imaplib
import json
import shlex
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from maillab.containers import STATE, address
from maillab.engine import Engine
from maillab.errors import LabError

HOSTS = ("mail1", "mail2")
SSH_CONFIG = STATE / "ssh" / "config"
POSTFIX = {"mail1": "postfix", "mail2": "mail2/postfix"}
GREETINGS: dict[str, tuple[int, bytes, bytes]] = {
    # container: port, what to say there, what must be in the answer
    "maildb": (3306, b"", b"MariaDB"),
    "maildb-replica": (3306, b"", b"MariaDB"),
    "dovecot": (24, b"", b"220"),
    "dovecot24": (143, b"", b"OK"),
    "clamav": (3310, b"nPING\n", b"PONG"),
    "spamassassin": (783, b"PING SPAMC/1.2\r\n\r\n", b"PONG"),
    "piler": (2525, b"", b"220"),
    "manticore": (9306, b"", b"2.2.11"),
    "amavis": (10024, b"", b"220"),
    "wwwapp": (80, b"GET /nginx_status HTTP/1.0\r\n\r\n", b"200 OK"),
    "remote": (25, b"", b"220"),
    "postfix": (25, b"", b"220"),
    "mail1": (22, b"", b"SSH"),
    "mail2": (25, b"", b"220"),
}


@dataclass(frozen=True)
class Reach:
    """Finds a container by its name; ``mail2/postfix`` is the one on mail2's own Engine."""

    engine: Engine = field(default_factory=Engine)
    on_mail2: Engine = field(default_factory=lambda: Engine(("docker", "exec", "-i", "mail2"), "mail2"))

    def execute(self, container: str, *command: str, stdin: str | None = None, timeout: float = 60) -> str:
        """Run a command inside a container; its standard output, or LabError."""
        engine, name = self.locate(container)
        return engine.execute(name, *command, stdin=stdin, timeout=timeout)

    def shell(self, container: str, script: str, timeout: float = 60) -> str:
        return self.execute(container, "bash", "-c", script, timeout=timeout)

    def locate(self, container: str) -> tuple[Engine, str]:
        host, slash, name = container.partition("/")
        return (self.on_mail2, name) if slash and host == "mail2" else (self.engine, name or host)

    def ssh(self, host: str, *command: str, user: str = "root", timeout: float = 30) -> str:
        """Run a command on a host over SSH; its standard output, or LabError."""
        argv = ["ssh", "-F", str(SSH_CONFIG), "-l", user, "-o", "ConnectTimeout=5", host, shlex.join(command)]
        try:
            done = subprocess.run(
                argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise LabError(f"ssh {host}: no answer within {timeout:g} s") from error
        if done.returncode:
            raise LabError(f"ssh {host}: {done.stderr.strip() or f'exit {done.returncode}'}")
        return done.stdout

    def sql(self, query: str, database: str = "", server: str = "maildb") -> list[list[str]]:
        """Rows of a query, every value as text."""
        answer = self.execute(
            server, "mariadb", "--batch", "--skip-column-names", "--execute", query, *filter(None, [database])
        )
        return [line.split("\t") for line in answer.splitlines()]

    def sphinx(self, query: str) -> list[list[str]]:
        """Rows of a query to the archive's full-text index."""
        client = ("mariadb", "--host=manticore", "--port=9306", "--protocol=tcp", "--skip-ssl", "--batch")
        answer = self.execute("maildb", *client, "--skip-column-names", "--execute", query)
        return [line.split("\t") for line in answer.splitlines()]

    def logs(self, container: str, since: float = 0) -> str:
        """A container's log from a moment (seconds since the epoch) on."""
        engine, name = self.locate(container)
        done = engine.try_run("logs", "--since", str(int(since)), name)
        return done.stdout + done.stderr

    def queue(self, host: str = "mail1") -> list[dict[str, Any]]:
        """The queue of one host's Postfix, as ``postqueue -j`` has it."""
        return [json.loads(line) for line in self.execute(POSTFIX[host], "postqueue", "-j").splitlines()]

    @contextmanager
    def mailbox(self, user: str, server: str = "dovecot", folder: str = "INBOX") -> Iterator[imaplib.IMAP4]:
        """An IMAP session of one user, logged in and with a folder open."""
        client = imaplib.IMAP4(address(server), timeout=20)
        try:
            client.login(user, password(user))
            client.select(folder)
            yield client
        except imaplib.IMAP4.error as error:
            raise LabError(f"imap {server}: {user}: {error}") from error
        finally:
            client.shutdown()

    def has_mail(self, user: str, message_id: str) -> bool:
        """Whether a message lies in a user's inbox."""
        with self.mailbox(user) as client:
            return bool(client.search(None, "HEADER", "Message-ID", message_id)[1][0])

    def archived(self, message_id: str) -> int | None:
        """The number of a message in the archive's metadata; None when it is not there."""
        rows = self.sql(f"SELECT id FROM metadata WHERE message_id = '{message_id}'", "piler")
        return int(rows[0][0]) if rows else None

    def indexed(self, number: int) -> bool:
        """Whether the archive's full-text index knows a message."""
        return bool(self.sphinx(f"SELECT id FROM piler1 WHERE id = {number}"))


def password(user: str) -> str:
    """Every user's password is the local part of the address and ``pw``."""
    return f"{user.partition('@')[0]}pw"


def greets(container: str) -> bool:
    """Whether a container's service answers as itself."""
    port, question, expected = GREETINGS[container]
    return expected in banner(address(container), port, question)


def banner(host: str, port: int, say: bytes = b"", timeout: float = 3) -> bytes:
    """What a TCP service answers, at once or to a line said to it."""
    with socket.create_connection((host, port), timeout) as connection:
        connection.settimeout(timeout)
        if say:
            connection.sendall(say)
        return connection.recv(512)
