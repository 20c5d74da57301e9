"""The certificates that a target serves, for whoever asks without a name, and by the names that it and its disk tell.

What a service serves counts, not what lies on its disk: it may not have been reloaded, which is told too, where the
target has certbot's folder. A port on which nobody listens is left out. Asked of the port itself, once an hour: each
handshake is a connection that the service logs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from mailtop.model.ask import Answer, Asking, Command, Tls
from mailtop.model.board import Line
from mailtop.model.errors import CommandFailed, Garbled, Missing, ParseError
from mailtop.model.health import Health
from mailtop.model.sample import Fact, Sample
from mailtop.model.text import Foreign, shown
from mailtop.model.topology import Role, Target
from mailtop.parse.certificate import Certificate, bundle, read
from mailtop.parse.container_address import address
from mailtop.probe import Board, Found, Metric, Probe, Table

NAMES = 8  # that are asked for, at most, of each certificate
COLUMNS = (">port", "asked as", "serves", ">days left", "issuer", "trust", "by")
LEFT = Metric(
    "certificate_lifetime_left_ratio",
    "lifetime left",
    "%",
    0.25,
    0.10,
    falls=True,
    means="of the life of the certificate that a port serves, how much is left: of several names the least",
    glance="certificates left",
)
FAILED = Metric(
    "tls_handshakes_failed", "no handshake", "", crit=1.0, means="ports that listen, and give no certificate"
)
STALE = Metric(
    "certificates_not_reloaded",
    "not reloaded",
    "",
    warn=1.0,
    means="certificates that are served though a newer one for the same names lies in /etc/letsencrypt/live",
)

_LOOK = Command(("sh", "-c", "date +%s; cat /etc/letsencrypt/live/*/cert.pem 2>/dev/null; :"))  # no keys are in these

Ports = Mapping[int, Literal["", "smtp", "imap", "sieve"]]
"""By port, what is spoken before TLS begins; empty where it begins at once."""


def certificates(name: str, role: Role, ports: Ports) -> Probe:
    """The probe of one role's ports."""

    def run(target: Target) -> Asking[Iterable[Found]]:
        return (yield from _served(target, ports))

    return Probe(name, role, run, every=3600.0, board=Board("hosts", "certificates", (LEFT, FAILED, STALE), order=60))


def _served(target: Target, ports: Ports) -> Asking[Iterable[Found]]:
    if target.instance:
        return ()  # of its further instances one cannot tell which ports are theirs: the default one's block shows all
    at = yield from address(target)
    now, kept = _looked((yield _LOOK))
    lines: list[Line] = []
    samples: list[Sample] = []
    refused: dict[str, list[str]] = {"not listening": [], "no certificate": []}
    known: set[str] = set()
    failed = stale = 0
    for port, starttls in ports.items():
        try:
            found = yield from _of_port(at, port, starttls, kept, known)
        except Missing:
            refused["not listening"].append(f"{port}")
        except CommandFailed as error:
            refused["no certificate"].append(f"{port} {error.reason}")
        except (Garbled, ParseError) as error:
            failed += 1
            lines.append(_line(port, "", error.reason, health=Health.CRIT))
        else:
            left = min(one.left(now) for one in found.values())
            samples.append(Sample(LEFT.name, round(left, 4), (("port", f"{port}"),)))
            old = {name for name, one in found.items() if any(map(one.renewed_as, kept))}
            stale += len(old)
            lines += [_line_of(port, name, one, now, name in old) for name, one in found.items()]
    facts = [Fact(name, ", ".join(ports)[:200]) for name, ports in refused.items() if ports]
    table = (Table("certificates", COLUMNS, tuple(lines), len(lines)),) if lines else ()
    reloaded = (Sample(STALE.name, stale),) if kept else ()
    return (*samples, Sample(FAILED.name, failed), *reloaded, *facts, *table)


def _of_port(
    at: str, port: int, starttls: Literal["", "smtp", "imap", "sieve"], kept: Sequence[Certificate], known: set[str]
) -> Asking[dict[str, Certificate]]:
    """What is served without a name, and by names where that is another certificate: by the name asked for.

    The names are the first one's, and those of what is `kept` on the disk. `known`: the fingerprints whose names were
    asked for on another port: a service has one set of certificates.
    """
    first = read(f"{at}:{port}", (yield Tls(at, port, "", starttls)).ok("tls"))
    found = {"": first}
    names = dict.fromkeys(name for one in (first, *kept) for name in one.askable)
    for name in list(names)[:NAMES] if first.fingerprint not in known else ():
        one = read(f"{at}:{port}", (yield Tls(at, port, name, starttls)).ok("tls"))
        if one.fingerprint != first.fingerprint:
            found[name] = one
    known.add(first.fingerprint)
    return found


def _looked(answer: Answer) -> tuple[float, tuple[Certificate, ...]]:
    """The target's own time, since the epoch, and the certificates that certbot keeps there."""
    seconds, _, kept = answer.ok("date").partition(b"\n")
    if not re.fullmatch(rb"\d{9,12}", seconds):
        raise ParseError("date", f"not seconds since the epoch: {shown(Foreign(seconds), 60)!r}")
    return float(seconds), bundle(kept)


def _line_of(port: int, name: str, one: Certificate, now: float, old: bool) -> Line:
    health = LEFT.health(one.left(now))
    if old and health is Health.OK:
        health = Health.WARN
    trust = f"{one.trust}, a newer one is not loaded" if old else one.trust
    days = f"{(one.ends - now) / 86_400:.0f}" if now >= one.begins else "not yet valid"
    names = b", ".join(one.names[:3]) + (b" and %d more" % (len(one.names) - 3) if len(one.names) > 3 else b"")
    by = f"{one.protocol} {one.fingerprint[:16]}"
    return _line(port, name, names, days, one.issuer, trust, by, health=health)


def _line(port: int, *cells: str | bytes, health: Health) -> Line:
    """A row of COLUMNS; what is not known is empty."""
    texts = [f"{port}", *cells, *[""] * (len(COLUMNS) - 1 - len(cells))]
    return Line(tuple(Foreign(text if isinstance(text, bytes) else text.encode()) for text in texts), health)
