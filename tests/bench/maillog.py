"""A busy mail platform's log of any length, made up from one seed: the same lines for every reader that is measured.

    python maillog.py LINES FILE [SEED] [rfc3339|traditional]

One Postfix behind postscreen with a content filter (re-injecting), LMTP delivery, submission, retries, bounces,
refusals and password guessing, mixed with what Amavis, SpamAssassin, ClamAV, opendkim and Dovecot write.
"""

# ruff: noqa: E501 — log lines are as long as they are
from __future__ import annotations

import heapq
import random
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

_BEGIN = datetime(2026, 5, 1, tzinfo=UTC).timestamp()
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_BASE52 = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"
_DEFERRED = (
    ("4.4.1", "none", "connect to {mx}[{ip}]:25: Connection timed out"),
    (
        "4.7.0",
        "{mx}[{ip}]:25",
        "host {mx}[{ip}] said: 421 4.7.0 Try again later (S775), closing (in reply to MAIL FROM command)",
    ),
    (
        "4.4.3",
        "none",
        "Host or domain name not found. Name service error for name={domain} type=MX: Host not found, try again",
    ),
)
_BOUNCED = (
    (
        "5.1.1",
        "{mx}[{ip}]:25",
        "host {mx}[{ip}] said: 550 5.1.1 <{to}>: Recipient address rejected: no such user (in reply to RCPT TO command)",
    ),
    ("5.4.4", "none", "unable to look up host {domain}: Name or service not known"),
)


class Platform:
    """Plays sessions one after another and gives their lines in the order of time."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._due: list[tuple[float, int, str, str]] = []
        self._number = count()
        self._inode = count(0x4B0000)
        pick = self.random
        self.users = [f"user{n}@{pick.choice(('example.org', 'example.com', 'shop.example'))}" for n in range(3000)]
        self.domains = [f"remote{n}.test" for n in range(600)] + ["gmail.test", "outlook.test"] * 200

    def lines(self) -> Iterator[tuple[float, str]]:
        """Yield (time, `host tag: text`) without end."""
        now = _BEGIN
        plays: tuple[tuple[Callable[[float], None], int], ...] = (
            (self.inbound, 30), (self.outbound, 14), (self.refused, 26), (self.mailbox, 40), (self.guess, 8),
        )  # fmt: skip
        acts, weights = zip(*plays, strict=True)
        while True:
            now += self.random.expovariate(70)
            self.random.choices(acts, weights)[0](now)
            while self._due and self._due[0][0] <= now:
                at, _, tag, text = heapq.heappop(self._due)
                yield at, f"mail1 {tag}: {text}"

    def say(self, at: float, program: str, text: str) -> None:
        """Write one line at a time to come."""
        pid = self.random.randrange(1000, 1060) if program.startswith("postfix/") else self.random.randrange(300, 320)
        heapq.heappush(self._due, (at, next(self._number), f"{program}[{pid}]", text))

    def id(self, at: float) -> str:
        """Make a queue id: long or short, by turns."""
        inode, micros = next(self._inode), int(at % 1 * 1e6)
        if inode % 2:
            return f"{micros:05X}{inode:X}"
        seconds, text = int(at), ""
        for _ in range(4):
            micros, digit = divmod(micros, 52)
            text = _BASE52[digit] + text
        for _ in range(6):
            seconds, digit = divmod(seconds, 52)
            text = _BASE52[digit] + text
        return f"{text}z{_BASE52[inode % 52]}{_BASE52[inode // 52 % 52]}{_BASE52[inode // 2704 % 52]}"

    def ip(self) -> str:
        """Make an address of nobody's."""
        return f"203.0.{self.random.randrange(256)}.{self.random.randrange(1, 255)}"

    def delays(self, total: float) -> str:
        """Make the two delay fields."""
        a, b, c = total * 0.2, total * 0.05, total * 0.25
        return f"delay={total:.2g}, delays={a:.2g}/{b:.2g}/{c:.2g}/{total * 0.5:.2g}"

    def begin(self, at: float, program: str, client: str, sender: str, to: list[str], extra: str = "") -> str:
        """Take one message in."""
        id_, size = self.id(at), self.random.randrange(600, 90_000)
        self.say(at, program, f"connect from {client}")
        if self.random.random() < 0.6 and extra != " reinjected":
            self.say(
                at + 0.01,
                program,
                f"Anonymous TLS connection established from {client}: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)",
            )
        self.say(at + 0.02, program, f"{id_}: client={client}{'' if extra == ' reinjected' else extra}")
        self.say(at + 0.03, "postfix/cleanup", f"{id_}: message-id=<{self.random.getrandbits(64):x}@client.test>")
        if self.random.random() < 0.5:
            self.say(at + 0.04, "opendkim", f"{id_}: DKIM verification successful")
        self.say(at + 0.05, "postfix/qmgr", f"{id_}: from=<{sender}>, size={size}, nrcpt={len(to)} (queue active)")
        self.say(
            at + 0.06,
            program,
            f"disconnect from {client} ehlo=1 mail=1 rcpt={len(to)} data=1 quit=1 commands={4 + len(to)}",
        )
        return id_

    def inbound(self, at: float) -> None:
        """Mail from outside, through the filter, into mailboxes."""
        pick, ip = self.random, self.ip()
        sender = f"from{pick.randrange(9999)}@{pick.choice(self.domains)}" if pick.random() < 0.95 else ""
        to = pick.sample(self.users, pick.choice((1, 1, 1, 1, 2, 3)))
        port = pick.randrange(20_000, 60_000)
        self.say(at, "postfix/postscreen", f"CONNECT from [{ip}]:{port} to [192.0.2.10]:25")
        self.say(at + 0.01, "postfix/postscreen", f"PASS OLD [{ip}]:{port}")
        id_ = self.begin(at + 0.05, "postfix/smtpd", f"mx.client.test[{ip}]", sender, to)
        took, spam = pick.uniform(0.2, 4.0), pick.random() < 0.15
        done = at + 0.4 + took
        self.say(done - 0.2, "clamd", "/var/lib/amavis/tmp/amavis-1/parts/p001: OK")
        self.say(
            done - 0.1,
            "spamd",
            f"spamd: result: {'Y 9' if spam else '. -1'} - DKIM_SIGNED,SPF_PASS scantime={took:.1f},size=4000,user=amavis,uid=112,mid=<x@client.test>,autolearn=ham",
        )
        if spam:
            self.say(
                done,
                "amavis",
                f"(00{port}-01) Blocked SPAM {{DiscardedInbound,Quarantined}}, [{ip}]:{port} <{sender}> -> <{to[0]}>, Queue-ID: {id_}, Hits: 9.1, size: 4000, {took * 1000:.0f} ms",
            )
            answer = f"250 2.7.0 Ok, discarded, id=00{port}-01 - spam"
            dsn = "2.7.0"
        else:
            again = self.begin(done - 0.09, "postfix/reinject/smtpd", "localhost[127.0.0.1]", sender, to, " reinjected")
            answer = f"250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as {again}"
            dsn = "2.0.0"
            self.say(
                done,
                "amavis",
                f"(00{port}-01) Passed CLEAN {{RelayedInbound}}, [{ip}]:{port} <{sender}> -> <{to[0]}>, Queue-ID: {id_}, Hits: -1.2, size: 4000, queued_as: {again}, {took * 1000:.0f} ms",
            )
            self.into_mailboxes(done + 0.02, again, to)
        for recipient in to:
            self.say(
                done,
                "postfix/smtp",
                f"{id_}: to=<{recipient}>, relay=127.0.0.1[127.0.0.1]:10024, {self.delays(took)}, dsn={dsn}, status=sent ({answer})",
            )
        self.say(done + 0.01, "postfix/qmgr", f"{id_}: removed")

    def into_mailboxes(self, at: float, id_: str, to: list[str]) -> None:
        """Deliver by LMTP; a few mailboxes are full or gone."""
        for recipient in to:
            chance, head = (
                self.random.random(),
                f"{id_}: to=<{recipient}>, relay=dovecot[192.0.2.31]:24, {self.delays(self.random.uniform(0.03, 0.4))}",
            )
            if chance < 0.985:
                self.say(at, "dovecot", f"lmtp({recipient})<1><x>: msgid=<x@client.test>: saved mail to INBOX")
                self.say(at + 0.01, "postfix/lmtp", f"{head}, dsn=2.0.0, status=sent (250 2.0.0 <{recipient}> x Saved)")
            elif chance < 0.995:
                self.say(
                    at + 0.01,
                    "postfix/lmtp",
                    f"{head}, dsn=4.2.2, status=deferred (host dovecot[192.0.2.31] said: 452 4.2.2 <{recipient}> Quota exceeded (mailbox for user is full) (in reply to end of DATA command))",
                )
            else:
                self.say(
                    at + 0.01,
                    "postfix/lmtp",
                    f"{head}, dsn=5.1.1, status=bounced (host dovecot[192.0.2.31] said: 550 5.1.1 <{recipient}> User doesn't exist (in reply to RCPT TO command))",
                )
        self.say(at + 0.02, "postfix/qmgr", f"{id_}: removed")

    def outbound(self, at: float) -> None:
        """Mail from a user to outside, tried until it goes or bounces."""
        pick, user = self.random, self.random.choice(self.users)
        to = [f"to{pick.randrange(9999)}@{pick.choice(self.domains)}" for _ in range(pick.choice((1, 1, 1, 2, 4)))]
        id_ = self.begin(
            at,
            "postfix/submission/smtpd",
            f"unknown[{self.ip()}]",
            user,
            to,
            f", sasl_method=PLAIN, sasl_username={user}",
        )
        tried, pending, bounced, pause = at + 1.0, to, False, 300.0
        while pending:
            pending, bounced = self.attempt(tried, at, id_, pending, bounced)
            if pending:
                tried, pause = tried + pause, pause * 2
                self.say(
                    tried - 0.1, "postfix/qmgr", f"{id_}: from=<{user}>, size=5000, nrcpt={len(to)} (queue active)"
                )
        if bounced:
            new = self.id(tried + 0.1)
            self.say(tried + 0.1, "postfix/cleanup", f"{new}: message-id=<{new}@mail1.example.org>")
            self.say(tried + 0.11, "postfix/bounce", f"{id_}: sender non-delivery notification: {new}")
            self.say(tried + 0.12, "postfix/qmgr", f"{new}: from=<>, size=3000, nrcpt=1 (queue active)")
            self.into_mailboxes(tried + 0.15, new, [user])
        self.say(tried + 0.2, "postfix/qmgr", f"{id_}: removed")

    def attempt(self, tried: float, since: float, id_: str, to: list[str], bounced: bool) -> tuple[list[str], bool]:
        """Try some recipients once; return who is left, and whether any bounced so far."""
        left: list[str] = []
        for recipient in to:
            domain = recipient.partition("@")[2]
            words = {"mx": f"mx1.{domain}", "ip": self.ip(), "domain": domain, "to": recipient}
            chance, head = self.random.random(), f"{id_}: to=<{recipient}>, relay="
            if chance < 0.86:
                self.say(
                    tried,
                    "postfix/smtp",
                    f"{head}{words['mx']}[{words['ip']}]:25, {self.delays(tried - since)}, dsn=2.0.0, status=sent (250 2.0.0 OK {int(tried)} x - gsmtp)",
                )
                continue
            kind, word = (_DEFERRED, "deferred") if chance < 0.96 else (_BOUNCED, "bounced")
            dsn, relay, reason = (part.format(**words) for part in self.random.choice(kind))
            self.say(
                tried,
                "postfix/smtp",
                f"{head}{relay}, {self.delays(tried - since)}, dsn={dsn}, status={word} ({reason})",
            )
            if word == "deferred":
                left.append(recipient)
            else:
                bounced = True
        return left, bounced

    def refused(self, at: float) -> None:
        """Mail that nobody wants."""
        pick, ip, port = self.random, self.ip(), self.random.randrange(20_000, 60_000)
        sender, to = f"x{pick.randrange(999)}@{pick.choice(self.domains)}", pick.choice(self.users)
        self.say(at, "postfix/postscreen", f"CONNECT from [{ip}]:{port} to [192.0.2.10]:25")
        if pick.random() < 0.5:
            self.say(at + 0.1, "postfix/dnsblog", f"addr {ip} listed by domain zen.dnsbl.test as 127.0.0.4")
            self.say(at + 6, "postfix/postscreen", f"DNSBL rank 4 for [{ip}]:{port}")
            self.say(
                at + 6.1,
                "postfix/postscreen",
                f"NOQUEUE: reject: RCPT from [{ip}]:{port}: 550 5.7.1 Service unavailable; client [{ip}] blocked using zen.dnsbl.test; from=<{sender}>, to=<{to}>, proto=ESMTP, helo=<spam.test>",
            )
            self.say(at + 6.2, "postfix/postscreen", f"DISCONNECT [{ip}]:{port}")
            return
        self.say(at + 0.1, "postfix/postscreen", f"PASS NEW [{ip}]:{port}")
        self.say(at + 0.2, "postfix/smtpd", f"connect from unknown[{ip}]")
        why = pick.choice(
            (
                f"554 5.7.1 <{to}>: Relay access denied",
                f"450 4.7.1 Client host rejected: cannot find your reverse hostname, [{ip}]",
                f"550 5.1.1 <{to}>: Recipient address rejected: User unknown in virtual mailbox table",
            )
        )
        self.say(
            at + 0.3,
            "postfix/smtpd",
            f"NOQUEUE: reject: RCPT from unknown[{ip}]: {why}; from=<{sender}> to=<{to}> proto=ESMTP helo=<spam.test>",
        )
        self.say(at + 0.4, "postfix/smtpd", f"disconnect from unknown[{ip}] ehlo=1 mail=1 rcpt=0/1 quit=1 commands=3/4")

    def mailbox(self, at: float) -> None:
        """Somebody reads mail."""
        user, ip = self.random.choice(self.users), self.ip()
        self.say(
            at,
            "dovecot",
            f"imap-login: Login: user=<{user}>, method=PLAIN, rip={ip}, lip=192.0.2.10, mpid=1, TLS, session=<x>",
        )
        self.say(
            at + 200,
            "dovecot",
            f"imap({user})<1><x>: Disconnected: Logged out in=400 out=9000 deleted=0 expunged=0 trashed=0 hdr_count=1 hdr_bytes=300 body_count=1 body_bytes=4000",
        )

    def guess(self, at: float) -> None:
        """Somebody guesses a password."""
        client = f"unknown[{self.ip()}]"
        self.say(at, "postfix/submission/smtpd", f"connect from {client}")
        self.say(
            at + 1, "postfix/submission/smtpd", f"warning: {client}: SASL LOGIN authentication failed: UGFzc3dvcmQ6"
        )
        self.say(at + 1.1, "postfix/submission/smtpd", f"disconnect from {client} ehlo=1 auth=0/1 quit=1 commands=2/3")


def write(path: Path, lines: int, seed: int = 7, style: str = "rfc3339") -> None:
    """Write a log of so many lines."""
    with path.open("w", buffering=1 << 20) as log:
        second, head = -1, ""
        for number, (at, text) in enumerate(Platform(seed).lines()):
            if number == lines:
                return
            if int(at) != second:
                second = int(at)
                when = datetime.fromtimestamp(second, UTC)
                head = (
                    f"{_MONTHS[when.month - 1]} {when.day:2} {when:%H:%M:%S}"
                    if style == "traditional"
                    else f"{when:%Y-%m-%dT%H:%M:%S}"
                )
            log.write(f"{head} {text}\n" if style == "traditional" else f"{head}.{int(at % 1 * 1e6):06}+00:00 {text}\n")


if __name__ == "__main__":
    asked = dict(enumerate(sys.argv))
    write(Path(asked[2]), int(asked[1]), int(asked.get(3, "7")), asked.get(4, "rfc3339"))
