"""The rarer lines of a Postfix log: refusals, failed logins, warnings that matter, postsuper, pickup, master.

Source of the formats: Postfix's own programs (smtpd.c, postscreen_smtpd.c, cleanup_milter.c, postsuper.c, pickup.c,
master.c, qmgr_active.c), 3.4 to 3.11.
"""

from __future__ import annotations

import re

from mailtop.parse.batch import Alarm, Expired, Handled, Notice, Pickup, Reject, SaslFailure, Sessions, Trouble

_PICKUP = re.compile(rb"([0-9A-Za-z]{6,32}): uid=(\d+) from=<(.*?)>(?: orig_id=([0-9A-Za-z]+))?")
_NOTICE = re.compile(rb"([0-9A-Za-z]{6,32}): (.*notification): ([0-9A-Za-z]{6,32})")
_EXPIRED = re.compile(rb"([0-9A-Za-z]{6,32}): from=<(.*)>, status=((?:force-)?expired), .*")
_HANDLED = re.compile(rb"([0-9A-Za-z]{6,32}): (placed on hold|released from hold|requeued|removed|expired)")
_DELETED = re.compile(rb"Deleted: (\d+) messages?")
_VANISHED = re.compile(rb"warning: qmgr_active_done_\w+: remove ([0-9A-Za-z]{6,32}) from active: No such file.*")
_REJECT = re.compile(
    rb"([0-9A-Za-z]+): (?:milter-)?reject: ([^ ]+) from ([^ ]+): (?:(\d\d\d) )?(?:(\d\.[^ ]*) ?)?(.*)", re.DOTALL
).fullmatch
_DEEDS = {
    b"placed on hold": "hold",
    b"released from hold": "release",
    b"requeued": "requeue",
    b"removed": "remove",
    b"expired": "expire",
}
_OTHER = {  # what else an id's line may say, the access maps' own words first
    "smtpd": re.compile(
        rb"\w+: (?:[A-Za-z_-]+: |lost connection|timeout|too many|improper command|concurrency|.{0,20} TLS connection)"
    ),
    "cleanup": re.compile(rb"\w+: (?:[A-Za-z_-]+[:=]|canceled)"),
    "qmgr": re.compile(rb"\w+: (?:skipped, still being delivered|removed$|status=|queue )"),
    "postscreen": re.compile(rb"\w+: "),
}
_TROUBLES = (
    (b"has reached its process limit", Trouble.LIMIT),
    (b"process limit reached", Trouble.LIMIT),
    (b"throttling", Trouble.THROTTLED),
    (b"killed by signal", Trouble.DIED),
    (b"exit status", Trouble.DIED),
    (b"No space left on device", Trouble.SPACE),
    (b"not enough free space", Trouble.SPACE),
    (b"queue file write error", Trouble.QUEUE_FILE),
    (b"write queue file", Trouble.QUEUE_FILE),
    (b"corrupt", Trouble.QUEUE_FILE),
    (b"active queue entries", Trouble.CONGESTED),
    (b"lookup error for", Trouble.LOOKUP),
    (b"lookup problem", Trouble.LOOKUP),
    (b"connect to mysql server", Trouble.LOOKUP),
)
_PRIVATE = (b"127.", b"10.", b"192.168.", b"::1]", b"fc", b"fd", b"fe80:", *(b"172.%d." % n for n in range(16, 32)))
LEVELS = (b"warning:", b"fatal: ", b"panic: ", b"error: ")
NO_IDS = frozenset((b"NOQUEUE", b"warning", b"statistics", b"Deleted", b"Requeued", b"Expired"))


def reject(at: float, program: bytes, text: bytes) -> Reject | None:
    """Read a refusal; None where the line is none (`reject_warning:`, `lost connection` and the like).

    `ID: reject: STAGE from CLIENT: [CODE] [DSN] REASON; from=<> to=<> proto= helo=<>`: what the client words stands
    behind its address, which holds no space.
    """
    found = _REJECT(text)
    if found is None:
        return None
    id_, stage, client, code, dsn, reason = found.groups(b"")
    sender = recipient = b""
    reason, mark, envelope = reason.partition(b"; from=<")
    if mark:
        sender, _, rest = envelope.partition(b">")
        if rest.startswith((b" to=<", b", to=<")):  # a space parts the fields at smtpd, a comma at postscreen
            recipient = rest.partition(b"<")[2].partition(b">")[0]
    else:
        reason = reason.partition(b"; proto=")[0]
    id_ = b"" if id_ == b"NOQUEUE" else id_
    row = (at, id_, program, stage, client, int(code or 0), dsn, reason, sender, recipient)
    return tuple.__new__(Reject, row)  # a third of what the class's own call costs


def sasl_failure(at: float, text: bytes) -> SaslFailure | None:
    """Read `warning: CLIENT: SASL METHOD authentication failed: …[, sasl_username=USER]`; a user may be in `<>`."""
    client, mark, tail = text[9:].partition(b": SASL ")
    method, failed, tail = tail.partition(b" authentication failed")
    if not mark or not failed or b" " in client or b" " in method or client[-1:] != b"]":
        return None
    _, named, user = tail.partition(b", sasl_username=")
    return SaslFailure(
        at, client, method, (user[1:-1] if user[:1] == b"<" and user[-1:] == b">" else user) if named else b""
    )


def alarm(at: float, program: bytes, text: bytes) -> Alarm | None:
    """Read a warning; None where it is none of those that matter."""
    if text.startswith((b"fatal: ", b"panic: ")):
        return Alarm(at, Trouble.FATAL, program, text)
    head = text[:400]
    if b"]: SASL " in head or b"hostname " in head[:20]:  # what clients cause, and may word
        return None
    for words, kind in _TROUBLES:
        if words in head:
            return Alarm(at, kind, program, text)
    return None


def pickup(at: float, text: bytes) -> Pickup | None:
    """Read what pickup takes from the maildrop."""
    found = _PICKUP.fullmatch(text)
    return Pickup(at, found[1], int(found[2]), found[3], found[4] or b"") if found else None


def notice(at: float, text: bytes) -> Notice | None:
    """Read which id a bounce notification got."""
    found = _NOTICE.fullmatch(text)
    return Notice(at, found[1], found[3], found[2].removesuffix(b" notification")) if found else None


def expired(at: float, text: bytes) -> Expired | None:
    """Read qmgr's giving up."""
    found = _EXPIRED.fullmatch(text)
    return Expired(at, found[1], found[2], found[3]) if found else None


def handled(at: float, text: bytes) -> Handled | None:
    """Read what postsuper did to one id; its summary lines name none."""
    found = _HANDLED.fullmatch(text)
    return Handled(at, found[1], _DEEDS[found[2]]) if found else None


def tls_relay(text: bytes) -> bytes:
    """Read to whom TLS was established, as `relay=` names it; empty where the line says something else.

    >>> tls_relay(b"Untrusted TLS connection established to mx.x.test[192.0.2.9]:25: TLSv1.3 with cipher T")
    b'mx.x.test[192.0.2.9]:25'
    """
    _, mark, relay = text.partition(b" TLS connection established to ")
    return relay.partition(b": ")[0] if mark else b""


def sessions(program: bytes, lines: list[bytes]) -> Sessions:
    """Count sessions by `disconnect from NAME[ADDRESS] ehlo=2 starttls=1 mail=1 …` (Postfix 3.0 on).

    `mail=0/1`: every MAIL was refused, as where TLS was demanded. A session with a wrapper has no STARTTLS.
    """
    wrapped = b"smtps" in program or b"submissions" in program
    tls = clear = own = 0
    for text in lines:
        if b" mail=0/" in text:
            continue
        if wrapped or (b" starttls=" in text and b" starttls=0/" not in text):
            tls += 1
        elif is_private(text.partition(b"[")[2]):
            own += 1
        else:
            clear += 1
    return Sessions(program, tls, clear, own)


def is_private(address: bytes) -> bool:
    """Is it this host's, or of a network that is not the Internet's?"""
    return address.startswith(_PRIVATE)


def deleted(text: bytes) -> int:
    """Read postsuper's summary of what it deleted: `-d ALL` names no ids at all."""
    found = _DELETED.fullmatch(text)
    return int(found[1]) if found else 0


def vanished(at: float, text: bytes) -> Handled | None:
    """Read qmgr's finding that a message it was busy with has been deleted."""
    found = _VANISHED.fullmatch(text)
    return Handled(at, found[1], "remove") if found else None


def is_other(kind: str, text: bytes) -> bool:
    """Is it one of the many further things that smtpd, cleanup, qmgr and postscreen say of an id?"""
    return _OTHER[kind].match(text) is not None
