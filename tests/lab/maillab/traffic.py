"""Mail, and the ways to send it: one by one like a client, or thousands like a flood."""

import smtplib
import socket
import uuid
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate

from maillab.containers import address
from maillab.errors import LabError
from maillab.reach import password

HELO = "client.test"
BULK_PORT = 10027  # a way in behind the filter which makes no copy for the archive
BULK_CONNECTIONS = 8

GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
# In two pieces, so that no scanner takes this file for the real thing.
EICAR = r"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


def new_message_id() -> str:
    return f"<{uuid.uuid4().hex}@{HELO}>"


@dataclass(frozen=True)
class Message:
    """One mail to send; its message-id is known before it is sent."""

    sender: str
    recipients: tuple[str, ...]
    subject: str = "Lab mail"
    body: str = "A message of the lab.\n"
    attachment: tuple[str, str] | None = None  # file name, content
    message_id: str = field(default_factory=new_message_id)

    def as_bytes(self) -> bytes:
        return self._plain() if self.attachment is None else self._with_attachment(*self.attachment)

    def _plain(self) -> bytes:
        # By hand: composing thousands with EmailMessage would take longer than Postfix takes to queue them.
        head = (
            f"From: {self.sender}\nTo: {', '.join(self.recipients)}\nSubject: {self.subject}\n"
            f"Date: {formatdate()}\nMessage-ID: {self.message_id}\n"
            "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
        )
        return (head + self.body).replace("\n", "\r\n").encode()

    def _with_attachment(self, name: str, content: str) -> bytes:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = self.sender, ", ".join(self.recipients), self.subject
        mail["Date"], mail["Message-ID"] = formatdate(), self.message_id
        mail.set_content(self.body)
        mail.add_attachment(content.encode(), "application", "octet-stream", filename=name)
        return bytes(mail).replace(b"\n", b"\r\n")


@dataclass(frozen=True)
class Sent:
    """What a scenario has sent: the truth that a test can hold against the screen."""

    scenario: str
    host: str
    messages: tuple[Message, ...] = ()
    queue_ids: tuple[str, ...] = ()  # the first id of each message; filtered mail gets a second one
    attempts: int = 0  # logins or messages that were refused

    @property
    def message_ids(self) -> tuple[str, ...]:
        return tuple(message.message_id for message in self.messages)


class RefusedError(LabError):
    """A server did not take what it was sent; ``reply`` is its answer."""

    def __init__(self, reply: str) -> None:
        super().__init__(f"refused: {reply}")
        self.reply = reply


def deliver(messages: Iterable[Message], host: str = "postfix", port: int = 25) -> tuple[str, ...]:
    """Send mail as a foreign server does; the queue ids. RefusedError when a message is not taken."""
    with smtplib.SMTP(address(host), port, HELO, timeout=30) as client:
        return tuple(_send(client, message) for message in messages)


def submit(messages: Sequence[Message], host: str = "postfix", user: str = "") -> tuple[str, ...]:
    """Send mail as one of our own users, logged in at the submission port; the queue ids."""
    try:
        with smtplib.SMTP(address(host), 587, HELO, timeout=30) as client:
            client.ehlo()
            login = user or messages[0].sender
            client.login(login, password(login))
            return tuple(_send(client, message) for message in messages)
    except smtplib.SMTPException as error:
        raise LabError(f"submission at {host}: {error}") from error


def _send(client: smtplib.SMTP, message: Message) -> str:
    client.ehlo_or_helo_if_needed()
    code, reply = client.mail(message.sender)
    for recipient in message.recipients:
        if code == 250:
            code, reply = client.rcpt(recipient)
    if code == 250:
        code, reply = client.data(message.as_bytes())
    if code != 250:
        client.rset()
        raise RefusedError(f"{code} {reply.decode(errors='replace')}")
    return reply.decode().rpartition("queued as ")[2]


def flood(messages: Sequence[Message], host: str = "postfix", port: int = BULK_PORT) -> tuple[str, ...]:
    """Send thousands of messages quickly, over several connections; the queue ids in the messages' order."""
    shares = [messages[start::BULK_CONNECTIONS] for start in range(BULK_CONNECTIONS)]
    queue_ids = [""] * len(messages)
    with ThreadPoolExecutor(BULK_CONNECTIONS) as pool:
        for start, taken in enumerate(pool.map(lambda share: _flood_one(share, host, port), shares)):
            queue_ids[start::BULK_CONNECTIONS] = taken
    return tuple(queue_ids)


def _flood_one(messages: Sequence[Message], host: str, port: int) -> list[str]:
    queue_ids: list[str] = []
    if not messages:
        return queue_ids
    with socket.create_connection((address(host), port), 60) as connection, connection.makefile("rb") as replies:
        _expect(replies.readline(), b"220")
        connection.sendall(f"HELO {HELO}\r\n".encode())
        _expect(replies.readline(), b"250")
        for message in messages:
            recipients = "".join(f"RCPT TO:<{recipient}>\r\n" for recipient in message.recipients)
            connection.sendall(f"MAIL FROM:<{message.sender}>\r\n{recipients}DATA\r\n".encode())
            for _ in range(1 + len(message.recipients)):
                _expect(replies.readline(), b"250")
            _expect(replies.readline(), b"354")
            connection.sendall(message.as_bytes() + b".\r\n")
            queue_ids.append(_expect(replies.readline(), b"250").decode().rpartition("queued as ")[2].strip())
        connection.sendall(b"QUIT\r\n")
    return queue_ids


def _expect(reply: bytes, code: bytes) -> bytes:
    if not reply.startswith(code):
        raise RefusedError(reply.decode(errors="replace").strip() or "the connection was closed")
    return reply
