"""Why mail waits or bounced: the reason Postfix gives, freed of all that differs from message to message.

Sources: Postfix's own texts (smtp_connect.c, smtp_addr.c, smtp_trouble.c, smtp_proto.c, qmgr, trivial-rewrite) and the
answers of providers, which keep the codes that name a cause (S3150, TSS04, S775) and lose their session's tokens.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from mailtop.model.text import Foreign


class Reason(NamedTuple):
    """A reason. `text` is equal for equal causes; `code`: the enhanced status, else the reply code, else empty.

    `next_hop`: the host (or address, or socket) that the reason names, as Postfix wrote it; empty where it names none.
    `stage`: where it failed: dns, connect, greeting, tls, login, or the SMTP command.
    """

    text: Foreign
    code: str
    next_hop: bytes
    stage: str


_LONGEST = 2000  # bytes of a reason that are looked at
_PEER = rb"(?P<peer>[^\s\[\]]+)\[[^\]]*\](?::\d+)?"

_REFUSED = b"refused: "
_SUSPENDED = re.compile(rb"^delivery temporarily suspended: ")
_SAID = re.compile(
    rb"^host " + _PEER + rb" (?:said|refused to talk to me): (?P<reply>.*?)"
    rb"(?: \(in reply to (?P<command>[\w -]+?) command\))?$",
    re.DOTALL,
)
_LOCAL: tuple[tuple[re.Pattern[bytes], bytes, str, str], ...] = (
    # pattern, normalised text (\g<what>: what follows), stage, the status Postfix gives it
    (re.compile(rb"^connect to " + _PEER + rb": (?P<what>.*)"), rb"connect: \g<what>", "connect", "4.4.1"),
    (re.compile(rb"^lost connection with " + _PEER + rb" (?P<what>.*)"), rb"lost connection \g<what>", "", "4.4.2"),
    (re.compile(rb"^conversation with " + _PEER + rb" (?P<what>.*)"), rb"conversation \g<what>", "", "4.4.2"),
    (
        re.compile(rb"^(?:Host or domain name not found\. )?Name service error for name=(?P<peer>\S+) (?P<what>.*)"),
        rb"Name service error \g<what>",
        "dns",
        "4.4.3",
    ),
    (
        re.compile(rb"^unable to look up host (?P<peer>\S+): (?P<what>.*)"),
        rb"unable to look up host: \g<what>",
        "dns",
        "5.4.4",
    ),
    (re.compile(rb"^mail for (?P<peer>\S+) loops back to myself"), rb"mail loops back to myself", "", "5.4.6"),
    (
        re.compile(rb"^SASL authentication failed; server " + _PEER + rb" said: (?P<what>.*)"),
        rb"SASL authentication failed: \g<what>",
        "login",
        "",
    ),
    (
        re.compile(rb"^(?P<what>.*TLS .*? )(?:by|with|from) (?:host |server )?" + _PEER + rb"(?P<rest>.*)"),
        rb"\g<what>by the next hop\g<rest>",
        "tls",
        "4.7.4",
    ),
    (re.compile(rb"^(?P<what>.*?)(?:host|server) " + _PEER + rb"(?P<rest>.*)"), rb"\g<what>next hop\g<rest>", "", ""),
)
_STAGES = (
    (b"server greeting", "greeting"),
    (b"initial server", "greeting"),
    (b"EHLO", "EHLO"),
    (b"HELO", "EHLO"),
    (b"STARTTLS", "tls"),
    (b"MAIL FROM", "MAIL FROM"),
    (b"RCPT TO", "RCPT TO"),
    (b"end of data", "end of DATA"),
    (b"end of DATA", "end of DATA"),
    (b"message body", "end of DATA"),
    (b"DATA", "DATA"),
)
_REGISTRIES = frozenset(b"ac co com edu go gov gv ne net or org".split())
_REPLY = re.compile(rb"^([245]\d\d)(?:[ -](?:#)?([245]\.\d{1,3}\.\d{1,3})\b)?")
_STATUS = re.compile(rb"\b([245]\.\d{1,3}\.\d{1,3})\b")
_HEAD = re.compile(rb"^(?:[245]\d\d[ -]?)?(?:#?[245]\.\d{1,3}\.\d{1,3}[: ]*)?")

_SCRUB: tuple[tuple[re.Pattern[bytes], bytes], ...] = (
    (re.compile(rb"https?://(?:www\.)?([^\s/?#<>\"')]+)[^\s<>\"')]*"), rb"\1"),  # the site may name the cause
    (re.compile(rb"<[^<>]*>:? ?"), b""),
    (re.compile(rb"[^\s<>()\[\]\"',;:=]+@[^\s<>()\[\]\"',;:]+"), b"*"),
    (re.compile(rb"\[(?:IPv6:)?[0-9a-fA-F:.]{6,}(?: +\d+)?\]"), b"[*]"),
    (re.compile(rb"\b\d{1,3}(?:\.\d{1,3}){3}\b"), b"*"),
    (re.compile(rb"\b\d{4}-\d\d-\d\d[T ][\d:.]+(?:Z|[+-]\d\d:?\d\d)?"), b"*"),
    (re.compile(rb"(?<![\w:])(?:[0-9a-fA-F]{0,4}:){3,7}[0-9a-fA-F]{0,4}(?![\w:])"), b"*"),
    (re.compile(rb"(?<![\w.-])(?=[\w-]*\d)[\w-]+(?:\.[\w-]+)*\.[a-zA-Z]{2,}(?![\w-])"), b"*"),  # mx12.provider.example
    (re.compile(rb"(?<![\w.-])(?=[\w.=+/-]*\d)(?=[\w.=+/-]*[A-Za-z])[\w.=+/-]{10,}"), b"*"),  # session tokens
    (re.compile(rb"(?<![\w.-])[0-9A-F]{10,}(?![\w-])"), b"*"),
    (re.compile(rb"(?<![\w.])\d+(?![\w.]*\w)"), b"N"),
    (re.compile(rb"\*(?:[ ,]*\*)+"), b"*"),
    (re.compile(rb"\s+"), b" "),
)


@lru_cache(maxsize=40_000)
def normalise(reason: bytes) -> Reason:
    """Return what a reason says once addresses, hosts, ids and numbers are out. Never fails: the text is a stranger's.

    >>> normalise(b"connect to mx1.outlook.test[203.0.113.9]:25: Connection timed out")
    Reason(text=b'connect: Connection timed out', code='4.4.1', next_hop=b'mx1.outlook.test', stage='connect')
    >>> normalise(b"host mx[192.0.2.1] said: 452 4.2.2 <ann@a.test> over quota (in reply to RCPT TO command)")
    Reason(text=b'452 4.2.2 over quota', code='4.2.2', next_hop=b'mx', stage='RCPT TO')
    """
    raw = _SUSPENDED.sub(b"", reason[:_LONGEST].strip())
    if said := _SAID.match(raw):
        peer, reply, command = said["peer"], said["reply"], said["command"]
        refused = raw[said.end("peer") : said.start("reply")].endswith(b"refused to talk to me: ")
        return Reason(
            text=Foreign(
                (b"refused: " if refused else b"") + _reply(reply.replace(peer, b"*") if b"." in peer else reply)
            ),
            code=_code(reply),
            next_hop=peer,
            stage="greeting" if refused else (command or b"").decode("ascii", "replace"),
        )
    for pattern, text, stage, code in _LOCAL:
        if found := pattern.match(raw):
            line = found.expand(text)
            if code == "4.4.3" and line.endswith(b": Host not found"):
                code = "5.4.4"  # an answer, not a failure to get one
            return Reason(Foreign(_scrubbed(line)), code or _code(line), found["peer"], stage or _stage(line))
    prefix, reply = (_REFUSED, raw[len(_REFUSED) :]) if raw.startswith(_REFUSED) else (b"", raw)
    if _REPLY.match(reply):  # what the log keeps of an answer
        return Reason(Foreign(prefix + _reply(reply)), _code(reply), b"", _stage(raw))
    return Reason(Foreign(_scrubbed(raw)), _code(raw), b"", _stage(raw))


def site(host: bytes) -> bytes:
    """Return what the hosts of one provider have in common: `mx3.mail.outlook.test` and `mx4…` are `outlook.test`.

    A guess without a list of public suffixes: two labels, three under a short second label of a country. Names
    without a dot, addresses and sockets stay whole.

    >>> site(b"gmail-smtp-in.l.google.example"), site(b"mx.firm.co.uk"), site(b"dovecot"), site(b"192.0.2.1")
    (b'google.example', b'firm.co.uk', b'dovecot', b'192.0.2.1')
    """
    labels = host.lower().rstrip(b".").split(b".")
    if len(labels) < 3 or labels[-1].isdigit() or b":" in host or b"/" in host:
        return b".".join(labels)
    short = len(labels[-1]) == 2 and labels[-2] in _REGISTRIES
    return b".".join(labels[-3:] if short else labels[-2:])


@lru_cache(maxsize=4096)  # thousands of hosts give the same few answers
def _reply(reply: bytes) -> bytes:
    """A reply in one line: Postfix joins its lines with spaces, each with the code in front again."""
    head = _HEAD.match(reply)
    code = head.group().rstrip(b": -") if head else b""
    if len(code) >= 3:
        again = re.compile(rb"(?<=\s)" + re.escape(code[:3]) + rb"[ -](?:" + re.escape(code[4:]) + rb"[ -]?)?")
        reply = again.sub(b"", reply)
    body = reply[len(code) :].lstrip(b": -") if code else reply
    if code[3:4] == b"-":
        code = code[:3] + b" " + code[4:]
    return (code + b" " + _scrubbed(body)).strip()[:300]


@lru_cache(maxsize=4096)
def _scrubbed(text: bytes) -> bytes:
    for pattern, instead in _SCRUB:
        text = pattern.sub(instead, text)
    return text.strip()[:300]


def _code(text: bytes) -> str:
    if found := _REPLY.match(text):
        return (found[2] or found[1]).decode("ascii")
    status = _STATUS.search(text)
    return status[1].decode("ascii") if status else ""


def _stage(text: bytes) -> str:
    return next((stage for word, stage in _STAGES if word in text), "")
