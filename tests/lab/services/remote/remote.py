"""Everybody else's mail servers: each recipient domain behaves as it is told.

``/state/remote/behaviour.json`` maps a domain to its behaviour and is read again whenever it changes:

    {"bigmail.test": {"action": "defer", "at": "rcpt", "text": "451 4.7.650 ...", "seconds": 0}}

``action`` is accept, defer, reject, greylist or slow; ``at`` is rcpt or data. ``busy.test`` alone has an address of its
own, and its ``text`` is the greeting. Accepted mail is noted in
``/state/remote/received.jsonl``.
"""

import asyncio
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smtp_server import Envelope, Receiver, listen

CONTROL = Path("/state/remote/behaviour.json")
RECEIVED = Path("/state/remote/received.jsonl")
LOOK_AGAIN = 0.2  # seconds between two looks at the control file while a message is being held up


@dataclass(frozen=True)
class Behaviour:
    action: str = "accept"
    at: str = "rcpt"
    text: str = ""
    seconds: float = 0


BUSY_ADDRESS = "172.28.0.69"

STANDING = {
    "busy.test": Behaviour(
        "defer", at="connect", text="421 4.7.0 Too many connections from your host, try again later"
    ),
    "deferred.test": Behaviour("defer", text="451 4.7.1 Try again later"),
    "greylist.test": Behaviour("greylist", text="451 4.7.1 Greylisted, please try again in 60 seconds"),
    "rejected.test": Behaviour("reject", text="550 5.7.1 Service unavailable, message blocked"),
    "slow.test": Behaviour("slow", at="data", seconds=30),
}


class Remote(Receiver):
    """Many domains behind one address."""

    def __init__(self) -> None:
        self.read_at = 0
        self.told: dict[str, Behaviour] = {}
        self.greeted: set[tuple[str, str]] = set()

    def behaviour(self, address: str) -> Behaviour:
        self.read_control()
        domain = address.rpartition("@")[2].lower()
        return self.told.get(domain) or STANDING.get(domain) or self.told.get("*") or Behaviour()

    def read_control(self) -> None:
        changed = CONTROL.stat().st_mtime_ns if CONTROL.exists() else 0
        if changed != self.read_at:
            rows: dict[str, dict[str, Any]] = json.loads(CONTROL.read_text()) if changed else {}
            self.told = {domain: Behaviour(**row) for domain, row in rows.items()}
            self.read_at = changed

    async def connected(self, client: str, to: str) -> str | None:
        busy = self.behaviour("@busy.test")
        return busy.text if to == BUSY_ADDRESS and busy.action == "defer" else None

    async def recipient(self, envelope: Envelope, address: str) -> str | None:
        behaviour = self.behaviour(address)
        if behaviour.action == "greylist":
            return None if self.seen_before(envelope.sender, address) else behaviour.text
        if behaviour.at == "rcpt":
            return await self.carry_out(address, behaviour)
        return None

    async def message(self, envelope: Envelope) -> str:
        for address in envelope.recipients:
            behaviour = self.behaviour(address)
            if behaviour.at == "data" and (refusal := await self.carry_out(address, behaviour)):
                return refusal
        await asyncio.to_thread(note, envelope)
        return "250 2.0.0 Ok: accepted"

    def seen_before(self, sender: str, address: str) -> bool:
        known = (sender, address) in self.greeted
        self.greeted.add((sender, address))
        return known

    async def carry_out(self, address: str, behaviour: Behaviour) -> str | None:
        until = time.monotonic() + behaviour.seconds
        while time.monotonic() < until and self.behaviour(address) == behaviour:
            await asyncio.sleep(LOOK_AGAIN)
        return behaviour.text if behaviour.action in ("defer", "reject") else None


def note(envelope: Envelope) -> None:
    headers = envelope.content.partition(b"\r\n\r\n")[0].decode("utf-8", "replace").split("\r\n")
    message_id = next(
        (line.partition(":")[2].strip() for line in headers if line.lower().startswith("message-id:")), ""
    )
    row = {
        "at": time.time(),
        "client": envelope.client,
        "sender": envelope.sender,
        "recipients": envelope.recipients,
        "message_id": message_id,
        "size": len(envelope.content),
    }
    with RECEIVED.open("a") as received:
        received.write(json.dumps(row) + "\n")


async def main() -> None:
    RECEIVED.parent.mkdir(parents=True, exist_ok=True)
    server = await listen(Remote(), 25)
    print("remote: listening on port 25", flush=True)
    await server.serve_forever()


asyncio.run(main())
