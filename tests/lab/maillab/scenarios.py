"""Named scenarios: what the platform can be made to go through. Each returns what it sent."""

import imaplib
import itertools
import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from maillab.containers import STATE, address
from maillab.errors import LabError
from maillab.reach import POSTFIX, Reach, password
from maillab.traffic import EICAR, GTUBE, Message, RefusedError, Sent, deliver, flood, submit
from maillab.waiting import wait_until

BEHAVIOUR = STATE / "remote" / "behaviour.json"
RECEIVED = STATE / "remote" / "received.jsonl"
STRANGERS = tuple(f"172.28.0.{last}" for last in range(61, 69))  # the remote container's further addresses
INBOUND_HOST = {"mail1": "postfix", "mail2": "mail2"}
USERS = ("alice", "bob", "carol", *(f"user{number:02d}" for number in range(1, 21)))
SESSIONS_PER_USER = 10  # Dovecot's mail_max_userip_connections


@dataclass(frozen=True)
class Behaviour:
    """How the remote stand-in treats mail for one domain.

    ``action`` is accept, defer, reject, greylist or slow; ``at`` is the moment: connect, rcpt or data; ``text`` is the
    whole reply, and it comes after so many ``seconds``.
    """

    action: str = "accept"
    at: str = "rcpt"
    text: str = ""
    seconds: float = 0


class Scenarios(Reach):
    """What can be sent through the lab."""

    # ── mail that arrives ──────────────────────────────────────────────────────────────────────────────────────────

    def clean(self, count: int = 1, recipient: str = "bob@example.test", sender: str = "sender@client.test") -> Sent:
        """Mail from outside, through the filter into a mailbox and the archive."""
        messages = _messages(count, sender, recipient, "Clean mail")
        return Sent("clean", "mail1", messages, deliver(messages))

    def submitted(
        self, count: int = 1, user: str = "alice@example.test", recipient: str = "friend@accept.test"
    ) -> Sent:
        """Mail of one of our own users to the world, through submission and the filter."""
        messages = _messages(count, user, recipient, "Outgoing mail")
        return Sent("submitted", "mail1", messages, submit(messages))

    def spam(self, count: int = 1, recipient: str = "bob@example.test") -> Sent:
        """Mail with the GTUBE test string: amavis blocks it as SPAM."""
        messages = _messages(count, "spammer@client.test", recipient, "Buy now", body=f"{GTUBE}\n")
        return Sent("spam", "mail1", messages, deliver(messages))

    def virus(self, count: int = 1, recipient: str = "bob@example.test", sender: str = "sender@client.test") -> Sent:
        """Mail with the EICAR test file: amavis blocks it as INFECTED."""
        messages = _messages(count, sender, recipient, "An invoice", attachment=("invoice.txt", EICAR))
        return Sent("virus", "mail1", messages, deliver(messages))

    # ── mail that does not get through ─────────────────────────────────────────────────────────────────────────────

    def deferred(
        self,
        count: int = 10,
        domain: str = "deferred.test",
        sender: str = "alice@example.test",
        text: str = "",
        host: str = "mail1",
        wait: bool = True,
    ) -> Sent:
        """Mail of one sender that a domain defers for one cause; with ``wait``, until the queue shows all of it.

        ``text`` is the remote's whole reply, such as ``451 4.7.650 The mail server has been temporarily rate limited``.
        For ``busy.test`` the text is a greeting (421 ...): Postfix then gives up on the whole destination at once,
        which is the quickest way to thousands. ``refused.test`` and ``unreachable.test`` are never reached.
        """
        if text:
            at = "connect" if domain == "busy.test" else "rcpt"
            self.remote(domain, Behaviour("defer", at, text))
        messages = tuple(
            Message(sender, (f"user{number}@{domain}",), subject=f"Deferred {number}") for number in range(count)
        )
        sent = Sent("deferred", host, messages, self.inject(messages, host))
        if wait:
            self.wait_for_deferred(sent)
        return sent

    def inject(self, messages: tuple[Message, ...], host: str = "mail1") -> tuple[str, ...]:
        """Put mail into a host's queue behind the filter, quickly and without a copy for the archive."""
        return flood(messages, INBOUND_HOST[host])

    def wait_for_deferred(self, sent: Sent, timeout: float = 120) -> None:
        """Until everything that a scenario put into a queue lies in its deferred part."""
        wanted = set(sent.queue_ids)
        wait_until(
            lambda: wanted <= self.deferred_ids(sent.host),
            timeout,
            f"{len(wanted)} messages deferred on {sent.host}",
            0.3,
        )

    def deferred_ids(self, host: str) -> set[str]:
        """The ids in a host's deferred queue, from its spool: much cheaper than a listing of thousands."""
        files = self.execute(POSTFIX[host], "find", "/var/spool/postfix/deferred", "-type", "f", "-printf", "%f\n")
        return set(files.split())

    def bounced(
        self, count: int = 1, domain: str = "rejected.test", sender: str = "alice@example.test", text: str = ""
    ) -> Sent:
        """Outgoing mail that a domain refuses for good, so that its sender gets a bounce."""
        if text:
            self.remote(domain, Behaviour("reject", text=text))
        messages = _messages(count, sender, f"nobody@{domain}", "To be bounced")
        return Sent("bounced", "mail1", messages, self.inject(messages))

    def rejected(self, count: int = 1, recipient: str = "nobody@example.test") -> Sent:
        """Mail that our own Postfix refuses at RCPT: no such user, or relaying."""
        for message in _messages(count, "sender@client.test", recipient, "Refused"):
            try:
                deliver([message])
            except RefusedError:
                continue
            raise LabError(f"mail to {recipient} was taken, not rejected")
        return Sent("rejected", "mail1", attempts=count)

    def slow(self, count: int = 5, seconds: float = 30, domain: str = "slow.test", host: str = "mail1") -> Sent:
        """Mail that sits in delivery, in the active queue, because the remote takes so long to answer after DATA."""
        self.remote(domain, Behaviour("slow", at="data", seconds=seconds))
        messages = _messages(count, "alice@example.test", f"friend@{domain}", "Slow mail")
        return Sent("slow", host, messages, self.inject(messages, host))

    @contextmanager
    def hung_filter(self, count: int = 5) -> Iterator[Sent]:
        """A filter that takes connections and never answers: mail stays in active, without a reason."""
        self.engine.run("pause", "amavis")
        try:
            messages = _messages(count, "sender@client.test", "bob@example.test", "Before a hung filter")
            yield Sent("hung_filter", "mail1", messages, deliver(messages))
        finally:
            self.engine.run("unpause", "amavis")

    # ── logins ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def auth_failure(
        self, count: int = 5, user: str = "alice@example.test", protocol: str = "imap", sources: int = 1
    ) -> Sent:
        """Wrong passwords for one user, by imap or smtp, from so many strangers' addresses."""
        target = {"imap": "dovecot", "smtp": "postfix"}[protocol]
        attack = ("python3", "/lab/remote/attack.py", protocol, address(target), user, str(count))
        self.execute("remote", *attack, *STRANGERS[:sources], timeout=30 + 4 * count)
        return Sent("auth_failure", "mail1", attempts=count)

    def sasl_burst(self, count: int = 50, user: str = "carol@example.test", domain: str = "accept.test") -> Sent:
        """A stolen account: one user submits far more mail than ever before, to many strangers."""
        messages = tuple(
            Message(user, (f"victim{number}@{domain}",), subject="You have won") for number in range(count)
        )
        shares = [messages[start::4] for start in range(min(4, count))]
        with ThreadPoolExecutor(4) as pool:
            taken = list(pool.map(submit, shares))
        return Sent("sasl_burst", "mail1", tuple(itertools.chain(*shares)), tuple(itertools.chain(*taken)))

    @contextmanager
    def imap_sessions(self, count: int = 20, server: str = "dovecot") -> Iterator[list[imaplib.IMAP4]]:
        """So many IMAP sessions, held open: of alice, bob, carol, user01 ... at most ten each."""
        users = USERS if server == "dovecot" else USERS[:3]
        if count > len(users) * SESSIONS_PER_USER:
            raise LabError(f"{server} takes at most {len(users) * SESSIONS_PER_USER} sessions of the lab's users")
        sessions: list[imaplib.IMAP4] = []
        try:
            with ThreadPoolExecutor(8) as pool:
                logins: list[Future[imaplib.IMAP4]] = [
                    pool.submit(_login, server, f"{user}@example.test")
                    for user, _ in zip(itertools.cycle(users), range(count), strict=False)
                ]
            sessions.extend(login.result() for login in logins)
            yield sessions
        finally:
            for session in sessions:
                session.shutdown()

    # ── the remote stand-in ────────────────────────────────────────────────────────────────────────────────────────

    def remote(self, domain: str, behaviour: Behaviour) -> None:
        """From now on, the remote treats mail for this domain so; ``*`` is every domain without a rule of its own."""
        rules = json.loads(BEHAVIOUR.read_text()) if BEHAVIOUR.exists() else {}
        self._write_remote(rules | {domain: asdict(behaviour)})

    def remote_accepts(self) -> None:
        """Forget every rule; the standing domains (deferred.test, rejected.test ...) keep their ways."""
        if BEHAVIOUR.exists() and BEHAVIOUR.read_text() != "{}":
            self._write_remote({})

    def remote_received(self, message_id: str) -> bool:
        """Whether the remote has taken a message."""
        return RECEIVED.exists() and message_id in RECEIVED.read_text()

    def _write_remote(self, rules: dict[str, dict[str, object]]) -> None:
        fresh = BEHAVIOUR.with_suffix(".new")
        fresh.write_text(json.dumps(rules))
        fresh.replace(BEHAVIOUR)


def _messages(
    count: int,
    sender: str,
    recipient: str,
    subject: str,
    body: str = "A message of the lab.\n",
    attachment: tuple[str, str] | None = None,
) -> tuple[Message, ...]:
    return tuple(Message(sender, (recipient,), subject, body, attachment) for _ in range(count))


def _login(server: str, user: str) -> imaplib.IMAP4:
    client = imaplib.IMAP4(address(server), timeout=30)
    client.login(user, password(user))
    return client
