"""The little of SMTP that a receiving server must speak, on asyncio; what it answers is up to its Receiver."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

LINE_LIMIT = 1 << 20
ADDRESS = re.compile(r"<([^>]*)>")


@dataclass
class Envelope:
    """One message on its way in."""

    client: str
    helo: str = ""
    sender: str = ""
    recipients: list[str] = field(default_factory=list)
    content: bytes = b""


class Receiver:
    """Answers each step of a session; a subclass decides. None means the usual friendly reply."""

    name = "mx.remote.test"
    greeting = "ESMTP"

    async def connected(self, client: str, to: str) -> str | None:
        """A client's address, and the one of ours that it came to; a reply refuses it."""
        return None

    async def recipient(self, envelope: Envelope, address: str) -> str | None:
        return None

    async def message(self, envelope: Envelope) -> str:
        return "250 2.0.0 Ok"

    async def disconnected(self, client: str) -> None:
        return None

    def heard(self, line: bytes) -> None:
        """Called with every command line."""

    def said(self, reply: str) -> None:
        """Called with every reply."""


async def listen(receiver: Receiver, port: int) -> asyncio.Server:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Session(receiver, reader, writer).run()

    return await asyncio.start_server(serve, "0.0.0.0", port, limit=LINE_LIMIT, backlog=512)


class Session:
    """One connection."""

    def __init__(self, receiver: Receiver, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.receiver = receiver
        self.reader = reader
        self.writer = writer
        self.client: str = writer.get_extra_info("peername")[0]
        self.envelope = Envelope(self.client)
        self.verbs: dict[str, Callable[[str], Awaitable[str]]] = {
            "EHLO": self.ehlo,
            "HELO": self.helo,
            "MAIL": self.mail,
            "RCPT": self.rcpt,
            "DATA": self.data,
            "RSET": self.rset,
            "NOOP": self.noop,
        }

    async def run(self) -> None:
        try:
            refusal = await self.receiver.connected(self.client, self.writer.get_extra_info("sockname")[0])
            await self.reply(refusal or f"220 {self.receiver.name} {self.receiver.greeting}")
            while not refusal and (line := await self.reader.readline()):
                self.receiver.heard(line)
                verb, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
                if verb.upper() == "QUIT":
                    await self.reply(f"221 {self.receiver.name} Goodbye")
                    break
                answer = self.verbs.get(verb.upper())
                await self.reply(await answer(rest) if answer else "502 5.5.2 Command not recognized")
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has gone; that is its right
        finally:
            self.writer.close()
            await self.receiver.disconnected(self.client)

    async def reply(self, text: str) -> None:
        self.receiver.said(text)
        self.writer.write(text.encode() + b"\r\n")
        await self.writer.drain()

    async def ehlo(self, rest: str) -> str:
        self.envelope.helo = rest
        return f"250-{self.receiver.name}\r\n250-PIPELINING\r\n250-SIZE 50000000\r\n250 8BITMIME"

    async def helo(self, rest: str) -> str:
        self.envelope.helo = rest
        return f"250 {self.receiver.name}"

    async def mail(self, rest: str) -> str:
        self.envelope = Envelope(self.client, self.envelope.helo, _address(rest))
        return "250 2.1.0 Ok"

    async def rcpt(self, rest: str) -> str:
        address = _address(rest)
        refusal = await self.receiver.recipient(self.envelope, address)
        if refusal is None:
            self.envelope.recipients.append(address)
        return refusal or "250 2.1.5 Ok"

    async def data(self, rest: str) -> str:
        if not self.envelope.recipients:
            return "554 5.5.1 No valid recipients"
        await self.reply("354 End data with <CR><LF>.<CR><LF>")
        lines: list[bytes] = []
        while (line := await self.reader.readline()) != b".\r\n":
            if not line:
                raise ConnectionResetError("the client left in the middle of its message")
            lines.append(line[1:] if line.startswith(b".") else line)
        self.envelope.content = b"".join(lines)
        return await self.receiver.message(self.envelope)

    async def rset(self, rest: str) -> str:
        self.envelope = Envelope(self.client, self.envelope.helo)
        return "250 2.0.0 Ok"

    async def noop(self, rest: str) -> str:
        return "250 2.0.0 Ok"


def _address(text: str) -> str:
    found = ADDRESS.search(text)
    return found.group(1) if found else ""
