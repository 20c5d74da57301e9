"""Receive mail by SMTP and archive it as Piler does: a file in tmp, then store, tables and full-text index.

Two workers empty ``/var/piler/tmp/0`` and ``/var/piler/tmp/1``. When the database or the index does not answer, the
file stays where it is and is tried again, as with the real program; what cannot be read at all goes to ``error``.
Log lines have Piler's wording and rsyslog's stamps.
"""

import asyncio
import email.policy
import email.utils
import hashlib
import secrets
import string
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import TypeAlias

import pymysql
from smtp_server import Envelope, Receiver, listen

Connection: TypeAlias = "pymysql.Connection[pymysql.cursors.Cursor]"

VAR = Path("/var/piler")
WORKERS = 2
LOOK_EVERY = 0.2  # seconds between two looks into an empty folder
RETRY_AFTER = 2.0  # seconds to wait when the database or the index is away
RETENTION_DAYS = 2557
INDEXED_CHARACTERS = 10_000
SMTP_PID, WORKER_PID = 8, 34  # as real ones; the log shows which process spoke


def log(program: str, pid: int, text: str) -> None:
    print(f"{datetime.now(UTC).isoformat()} piler {program}[{pid}]: {text}", flush=True)


class ArchiveReceiver(Receiver):
    """piler-smtp: takes every message and leaves it in one of the workers' folders."""

    name = "archive.test"

    def __init__(self) -> None:
        self.active = 0
        self.received = 0

    async def connected(self, client: str, to: str) -> str | None:
        self.active += 1
        log("piler-smtp", SMTP_PID, f"connected from {client} on fd=6 (active connections: {self.active})")
        return None

    async def message(self, envelope: Envelope) -> str:
        name = "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(16))
        folder = VAR / "tmp" / str(self.received % WORKERS)
        self.received += 1
        began = time.perf_counter()
        recipients = "".join(f"X-Envelope-To: {address}\r\n" for address in envelope.recipients)
        hidden = folder / f".{name}"
        hidden.write_bytes(recipients.encode() + envelope.content)
        hidden.rename(folder / name)
        taken = int((time.perf_counter() - began) * 1e6)
        log("piler-smtp", SMTP_PID, f"received: {name}, from={envelope.sender}, size={len(envelope.content)}, "
            f"client={envelope.client}, fd=6, fsync={taken}")  # fmt: skip
        return f"250 OK <{name}>"

    async def disconnected(self, client: str) -> None:
        self.active -= 1
        log("piler-smtp", SMTP_PID, f"disconnected from {client} on fd=6, slot=0, reason=done "
            f"({self.active} active connections)")  # fmt: skip


@dataclass(frozen=True)
class Mail:
    """What the archive keeps of one message."""

    piler_id: str
    sender: str
    recipients: tuple[str, ...]
    subject: str
    message_id: str
    sent: int
    size: int
    header_size: int
    attachments: int
    digest: str
    body_digest: str
    body: str
    packed: bytes


def parse(raw: bytes) -> Mail:
    content = raw[raw.index(b"\r\n") + 2 :] if raw.startswith(b"X-Envelope-To:") else raw
    message = BytesParser(EmailMessage, policy=email.policy.default).parsebytes(content)
    header, _, body = content.partition(b"\r\n\r\n")
    addressed = email.utils.getaddresses(
        [str(value) for name in ("To", "Cc", "Bcc") for value in message.get_all(name, [])]
    )
    text = message.get_body(("plain",))
    sent = email.utils.parsedate_to_datetime(str(message["Date"])).timestamp() if message["Date"] else time.time()
    return Mail(
        piler_id=f"5000000{int(time.time()):x}{secrets.token_hex(16)}"[:36],
        sender=email.utils.parseaddr(str(message["From"] or ""))[1],
        recipients=tuple(dict.fromkeys(address for _, address in addressed if "@" in address)),
        subject=str(message["Subject"] or ""),
        message_id=str(message["Message-ID"] or f"<{hashlib.sha256(content).hexdigest()}>")[:128],
        sent=int(sent),
        size=len(content),
        header_size=len(header),
        attachments=sum(1 for _ in message.iter_attachments()),
        digest=hashlib.sha256(content).hexdigest(),
        body_digest=hashlib.sha256(body).hexdigest(),
        body=str(text.get_content()) if text else "",
        packed=zlib.compress(content),
    )


class Worker(threading.Thread):
    """One of Piler's children: empties its own folder, one message after the other."""

    def __init__(self, serial: int) -> None:
        super().__init__(daemon=True)
        self.serial = serial
        self.pid = WORKER_PID + serial
        self.folder = VAR / "tmp" / str(serial)

    def run(self) -> None:
        log(
            "piler",
            self.pid,
            f"child (pid: {self.pid}, serial: {self.serial}) started main() working on '{self.serial}'",
        )
        while True:
            waiting = sorted(path for path in self.folder.iterdir() if not path.name.startswith("."))
            if not waiting:
                time.sleep(LOOK_EVERY)
                continue
            try:
                self.archive(waiting)
            except pymysql.MySQLError as error:
                log("piler", self.pid, f"ERROR: {error.args[-1]}")
                time.sleep(RETRY_AFTER)

    def archive(self, waiting: list[Path]) -> None:
        with connect_index() as index, connect_database() as database:
            for path in waiting:
                self.archive_one(path, database, index)

    def archive_one(self, path: Path, database: Connection, index: Connection) -> None:
        began = time.perf_counter()
        try:
            mail = parse(path.read_bytes())
        except (ValueError, LookupError) as error:
            path.rename(VAR / "error" / path.name)
            log("piler", self.pid, f"{self.serial}/{path.name}: ERROR: cannot parse: {error}, status=error")
            return
        number = store_tables(database, mail)
        if number is not None:
            place = VAR / "store/00" / mail.piler_id[8:11] / mail.piler_id[-4:-2] / mail.piler_id[-2:]
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{mail.piler_id}.m").write_bytes(mail.packed)
            store_index(index, number, mail)
            log("piler", self.pid, f"{mail.piler_id}: stored {len(mail.recipients)} recipients, rc=0")
            log("piler", self.pid, f"{mail.piler_id}: stored metadata, rc=0")
        database.commit()
        path.unlink()
        status = "duplicate" if number is None else "stored"
        log("piler", self.pid, f"{self.serial}/{path.name}: {mail.piler_id}, size={mail.size}/{len(mail.packed)}, "
            f"attachments={mail.attachments}, reference=, message-id={mail.message_id}, retention={RETENTION_DAYS}, "
            f"folder=0, delay={time.perf_counter() - began:.4f}, status={status}")  # fmt: skip


def connect_database() -> Connection:
    with _named("mysql server"):
        return pymysql.connect(
            host="maildb", user="piler", password="pilerpw", database="piler", charset="utf8", connect_timeout=5
        )


def connect_index() -> Connection:
    with _named("manticore:9306"):
        # Sphinx knows no SET AUTOCOMMIT.
        return pymysql.connect(host="manticore", port=9306, user="", charset="utf8", autocommit=None, connect_timeout=5)


@contextmanager
def _named(what: str) -> Iterator[None]:
    """Say what could not be reached, in Piler's words."""
    try:
        yield
    except pymysql.MySQLError as error:
        raise pymysql.OperationalError(f"cant connect to {what}, error={error.args[-1]}") from error


def store_tables(database: Connection, mail: Mail) -> int | None:
    """Write a message's rows and return its number; None for a message that is in the archive already."""
    now = int(time.time())
    with database.cursor() as cursor:
        if cursor.execute("SELECT id FROM metadata WHERE message_id = %s", (mail.message_id,)):
            cursor.execute("UPDATE counter SET rcvd = rcvd + 1, duplicate = duplicate + 1")
            return None
        cursor.execute(
            "INSERT INTO metadata (`from`, fromdomain, subject, arrived, sent, retained, size, hlen, attachments,"
            " piler_id, message_id, reference, digest, bodydigest, vcode)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, '', %s, %s, %s)",
            (mail.sender, mail.sender.rpartition("@")[2], mail.subject, now, mail.sent, now + RETENTION_DAYS * 86_400,
             mail.size, mail.header_size, mail.attachments, mail.piler_id, mail.message_id, mail.digest,
             mail.body_digest, hashlib.sha256(mail.digest.encode()).hexdigest()),
        )  # fmt: skip
        number = cursor.lastrowid
        rows = [(number, address[:128], address.rpartition("@")[2][:128]) for address in mail.recipients]
        cursor.executemany("INSERT IGNORE INTO rcpt (id, `to`, todomain) VALUES (%s, %s, %s)", rows)
        cursor.execute(
            "UPDATE counter SET rcvd = rcvd + 1, size = size + %s, stored_size = stored_size + %s",
            (mail.size, len(mail.packed)),
        )
    return number


def store_index(index: Connection, number: int, mail: Mail) -> None:
    domains = " ".join(address.rpartition("@")[2] for address in mail.recipients)
    recipients, domain = " ".join(mail.recipients), mail.sender.rpartition("@")[2]
    texts = (mail.sender, recipients, domain, domains, mail.subject, mail.body[:INDEXED_CHARACTERS])
    write_index(index, (number, *texts, mail.size, mail.attachments, int(time.time()), mail.sent))


def write_index(index: Connection, row: tuple[object, ...]) -> None:
    with index.cursor() as cursor:
        cursor.execute(
            "REPLACE INTO piler1 (id, sender, rcpt, senderdomain, rcptdomain, subject, body, size, direction, folder,"
            " attachments, arrived, sent) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, 0, 0, %s, %s, %s)",
            row,
        )


def catch_up() -> None:
    """Index what the database holds and the index does not: a new index container starts empty."""
    with connect_database() as database, connect_index() as index:
        with index.cursor() as cursor:
            cursor.execute("SELECT MAX(id) FROM piler1")
            newest = int((cursor.fetchone() or (0,))[0] or 0)
        with database.cursor() as cursor:
            cursor.execute(
                "SELECT id, `from`, '', fromdomain, '', subject, '', size, attachments, arrived, sent FROM metadata"
                " WHERE deleted = 0 AND id > %s",
                (newest,),
            )
            for row in cursor.fetchall():
                write_index(index, row)


async def main() -> None:
    log("piler", WORKER_PID - 1, "piler 1.4.9 starting")
    server = [await listen(ArchiveReceiver(), port) for port in (25, 2525)]
    log("piler-smtp", SMTP_PID, "piler-smtp 1.4.9 starting")
    while True:
        try:
            await asyncio.to_thread(catch_up)
            break
        except pymysql.MySQLError as error:
            log("piler", WORKER_PID, f"ERROR: {error.args[-1]}")
            await asyncio.sleep(RETRY_AFTER / 4)
    for serial in range(WORKERS):
        Worker(serial).start()
    await asyncio.gather(*(each.serve_forever() for each in server))


if __name__ == "__main__":
    asyncio.run(main())
