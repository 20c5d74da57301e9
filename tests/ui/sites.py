"""A platform to draw: two hosts, well or in trouble, and a queue behind it."""

from __future__ import annotations

import time

from msgspec.structs import replace

from mailtop.model.alerts import Noted, Phase
from mailtop.model.board import Block, Figure, Line, Table
from mailtop.model.flow import Delay, Flow, Ranked, Share, Stream
from mailtop.model.mail import Key, Queue, QueueEntry, QueueId
from mailtop.model.operation import Danger, Fate, Item, Outcome, Preview, Receipt, Step
from mailtop.model.snapshot import (
    Alert,
    Cause,
    Cell,
    Health,
    HopState,
    HostState,
    Link,
    LogState,
    ProbeState,
    QueueState,
    Reading,
    Shape,
    Snapshot,
    TargetState,
)
from mailtop.model.text import Foreign
from mailtop.model.topology import Hop, Role

_REFUSED = (
    b"host refused us: messages from this address weren't sent, part of their network is on our block list (S3150)"
)
NOW = 1_700_000_000.0
OK, WARN, CRIT, UNKNOWN, DENIED = Health.OK, Health.WARN, Health.CRIT, Health.UNKNOWN, Health.DENIED


def ok(value: float | None, health: Health = OK, note: str = "", stale: bool = False) -> Reading:
    return Reading(value, health, NOW - (40 if stale else 1), stale, note)


def none(note: str = "", health: Health = UNKNOWN) -> Reading:
    return Reading(None, health, 0.0, False, note)


def hop(name: Hop, rate: float, p95: float, active: float, deferred: float, oldest: float, last: float) -> HopState:
    hosts = (("mail1", OK), ("mail2", OK))
    return HopState(name, ok(rate), ok(p95), ok(active), ok(deferred), ok(0), ok(oldest), ok(last), hosts=hosts)


def _targets(bad: bool = False) -> tuple[TargetState, ...]:
    roles = {
        "postfix": Role.MTA,
        "dovecot": Role.IMAP,
        "amavis": Role.FILTER,
        "clamav": Role.ANTIVIRUS,
        "maildb": Role.DATABASE,
        "piler": Role.ARCHIVE,
        "manticore": Role.SEARCH,
    }
    targets = [
        TargetState(f"{host}/{name}", host, (role,), OK, "running")
        for host in ("mail1", "mail2")
        for name, role in roles.items()
    ]
    if bad:
        targets[3] = TargetState("mail1/clamav", "mail1", (Role.ANTIVIRUS,), CRIT, "exited", "exited 3 m ago")
    return tuple(targets)


def well() -> Snapshot:
    hops = (
        hop(Hop.IN, 4.6, 0.4, 0, 0, 0, 2),
        hop(Hop.FILTER, 4.1, 0.9, 4, 0, 6, 3),
        hop(Hop.MAILBOX, 1.9, 0.2, 0, 2, 40, 4),
        hop(Hop.REMOTE, 3.1, 1.4, 12, 21, 2460, 1),
        hop(Hop.ARCHIVE, 5.0, 0.1, 0, 0, 0, 6),
        HopState(
            Hop.SEARCH,
            none(),
            none(),
            none(),
            none(),
            none(),
            none(),
            none(),
            hosts=(("mail1", UNKNOWN), ("mail2", UNKNOWN)),
            note="not watched yet",
        ),
    )
    cells = (
        Cell("load", ok(0.42)),
        Cell("/var", ok(61, note="19 d"), "%"),
        Cell("/srv/archive", ok(71, note="40 d"), "%"),
    )
    return Snapshot(
        7,
        NOW,
        "example.com",
        "blue",
        hosts=(
            HostState("mail1", Link.UP, NOW - 7300, cells=cells),
            HostState("mail2", Link.UP, NOW - 7300, cells=(Cell("load", ok(0.11)), Cell("/var", ok(34), "%"))),
        ),
        targets=_targets(),
        hops=hops,
        probes=tuple(ProbeState("mail1/postfix", f"probe{n}", OK, NOW - 2, 0.01, 10.0) for n in range(14)),
        logs=tuple(
            LogState(f"{h}/{c}", "docker", OK, 20_156, last_at=NOW - 1)
            for h in ("mail1", "mail2")
            for c in ("postfix", "dovecot", "amavis")
        ),
        queues=(
            QueueState("mail1/postfix", _counts(0, 12, 21, 0), ok(2460), 33, NOW - 12, bytes=3_100_000),
            QueueState("mail2/postfix", _counts(0, 0, 2, 0), ok(40), 2, NOW - 40, bytes=9_000),
        ),
        glance=(
            Figure("dovecot_sessions", "sessions", reading=ok(224)),
            Figure("dovecot_failed_logins", "failed logins", reading=ok(3)),
            Figure("amavis_scan_seconds", "check takes", "mail1/amavis p95", "s", ok(0.4)),
            Figure("mariadb_replica_lag_seconds", "replica", "mail2/maildb", "s", ok(1.0)),
        ),
        versions={"causes": 1, "shape": 1, "messages": 1},
    )


def broken() -> Snapshot:
    calm = well()
    hops = list(calm.hops)
    hops[0] = replace(hops[0], failing="reject 0.3/s")
    hops[1] = replace(hops[1], failing="busy 3/8", rate=ok(4.1, stale=True), active=ok(4, stale=True))
    hops[2] = replace(hops[2], failing="over quota 2")
    hops[3] = replace(
        hops[3],
        p95=ok(41, WARN),
        deferred=ok(421, WARN),
        growth=ok(212, WARN),
        oldest=ok(2460, WARN),
        failing="bounce 1.1/s outlook.test",
        hosts=(("mail1", CRIT), ("mail2", UNKNOWN)),
    )
    hops[4] = replace(hops[4], last_success=ok(660, CRIT), rate=ok(0.0, CRIT), failing="no success for 11 m")
    hops[5] = replace(hops[5], rate=none("denied: SELECT on piler.metadata", DENIED), note="")
    down = HostState(
        "mail2", Link.DOWN, NOW - 95, "mail2: connection refused; is sshd running there?", retry_at=NOW + 12
    )
    alerts = (
        Alert(
            "QueueCauseGrowing",
            "mail1/postfix",
            CRIT,
            NOW - 660,
            "mail1  outlook.test refuses news@shop.example: 550 5.7.1 S3150, 398 mails",
            "queue",
        ),
        Alert(
            "HopWithoutSuccess",
            "mail1/piler",
            CRIT,
            NOW - 660,
            "mail1  archive: traffic, and no success for 11 m",
            "archive",
        ),
        Alert("HostDown", "mail2", WARN, NOW - 95, "mail2  connection refused, next try in 12 s", "hosts"),
    )
    cells = (
        Cell("load", ok(7.81, WARN)),
        Cell("/var", ok(91, CRIT, "2 d"), "%"),
        Cell("/srv/archive", none("", DENIED), "%"),
    )
    logs = (
        LogState("mail1/postfix", "docker", OK, 120_312, last_at=NOW - 1),
        LogState("mail1/amavis", "docker", WARN, 40_321, 12, 40.0, NOW - 30, "log driver dropped lines"),
        LogState("mail2/postfix", "docker", UNKNOWN, 9_120, last_at=NOW - 95, note="host is down"),
    )
    probes = (
        *calm.probes,
        ProbeState(
            "mail1/piler", "piler", DENIED, 0.0, 0.0, 10.0, "denied: SELECT on piler.metadata; grant it to mailtop"
        ),
        ProbeState("mail1/amavis", "amavis_children", UNKNOWN, NOW - 340, 5.0, 10.0, "timed out after 5 s"),
    )
    return replace(
        calm,
        glance=(
            *calm.glance[:2],
            replace(calm.glance[2], reading=ok(12.0, WARN)),
            replace(calm.glance[3], reading=none("denied", DENIED)),
        ),
        colour="red",
        hosts=(replace(calm.hosts[0], cells=cells), down),
        targets=_targets(bad=True),
        hops=tuple(hops),
        alerts=alerts,
        logs=logs,
        probes=probes,
        unlocked_until=NOW + 840,
        vip="mail1",
        vip_health=OK,
        writes="mail1",
        writes_health=OK,
        queues=(
            QueueState("mail1/postfix", _counts(3, 12, 421, 2), ok(2460, WARN), 438, NOW - 12, bytes=31_000_000),
            QueueState(
                "mail2/postfix",
                tuple((n, none("host is down")) for n in ("incoming", "active", "deferred", "hold")),
                none(),
                note="— host is down",
            ),
        ),
    )


def _counts(incoming: int, active: int, deferred: int, hold: int) -> tuple[tuple[str, Reading], ...]:
    deferred_health = WARN if deferred > 200 else OK
    return (
        ("incoming", ok(incoming)),
        ("active", ok(active)),
        ("deferred", ok(deferred, deferred_health)),
        ("hold", ok(hold)),
    )


def causes() -> tuple[Cause, ...]:
    one = "mail1/postfix"
    return (
        Cause(
            "c1",
            one,
            Hop.REMOTE,
            Foreign(_REFUSED),
            "5.7.1",
            Foreign(b"outlook.test"),
            Foreign(b"news@shop.example"),
            2,
            398,
            12,
            0,
            1130,
            212,
            NOW - 660,
            NOW - 720,
        ),
        Cause(
            "c2",
            one,
            Hop.REMOTE,
            Foreign(b"connect to mx.slow.test: connection timed out"),
            "4.4.1",
            Foreign(b"mx.slow.test"),
            Foreign(b"anna@example.com"),
            1,
            14,
            0,
            0,
            0,
            0,
            NOW - 2460,
            NOW - 86_000 * 2,
        ),
        Cause(
            "c3",
            one,
            Hop.MAILBOX,
            Foreign(b"mailbox over quota"),
            "4.2.2",
            Foreign(b"lmtp:dovecot"),
            Foreign(b""),
            3,
            7,
            0,
            2,
            0,
            -3,
            NOW - 400,
            NOW - 9000,
        ),
        Cause(
            "c4",
            one,
            Hop.REMOTE,
            Foreign("サーバー満杯 🚫 try later".encode()),
            "4.3.1",
            Foreign("メール.test".encode()),
            Foreign("bücher@shop.example".encode()),
            1,
            2,
            0,
            0,
            0,
            1,
            NOW - 90,
            NOW - 90,
        ),
    )


def shapes() -> tuple[Shape, ...]:
    return (
        Shape(Foreign(b"outlook.test"), 398, (120, 190, 88, 0, 0, 0, 0, 0, 0, 0)),
        Shape(Foreign(b"mx.slow.test"), 14, (0, 0, 1, 13, 0, 0, 0, 0, 0, 0)),
        Shape(Foreign(b"example.com"), 1907, (0, 0, 0, 0, 0, 2, 0, 5, 400, 1500)),
    )


def entry(number: int, sender: bytes = b"news@shop.example") -> QueueEntry:
    id_ = QueueId(f"4TqX2m{number:05d}z3F")
    to = f"user{number}@outlook.test".encode()
    reason = b"host mx1.outlook.test[192.0.2.9] said: 550 5.7.1 S3150 (in reply to MAIL FROM command)"
    return QueueEntry(
        Key("mail1/postfix", id_),
        Queue.DEFERRED if number % 9 else Queue.ACTIVE,
        NOW - 600 - number,
        79_000 + number,
        Foreign(sender),
        Foreign(to),
        1 + number % 3,
        Foreign(reason) if number % 9 else Foreign(b""),
        Hop.REMOTE,
    )


def entries(number: int = 398) -> tuple[QueueEntry, ...]:
    return tuple(entry(n) for n in range(number))


def hold_preview(
    danger: Danger = Danger.REVERSIBLE, typed: str = "", plan: str = "p1", target: str = "mail1/postfix"
) -> Preview:
    argv = ("postsuper", "-h", "-")
    items = [
        Item(
            QueueId(f"4TqX2m{n}bYzz3F"),
            Foreign(b"news@shop.example"),
            NOW - 660 + n,
            79_000,
            "deferred",
            Foreign(f"user{n}@outlook.test".encode()),
        )
        for n in range(5)
    ]
    return Preview(
        plan,
        "queue.hold",
        "Hold",
        target,
        "postfix",
        danger,
        "release (sends)",
        (Step(target, argv, "398 ids on stdin", "postsuper: Placed on hold: 398 messages"),),
        398,
        31_000_000,
        NOW - 660,
        ((Foreign(b"news@shop.example"), 396), (Foreign(b""), 2)),
        ((Foreign(b"outlook.test"), 398),),
        tuple(items),
        12,
        typed,
    )


def receipt(open_: bool = True, **changes: object) -> Receipt:
    outcomes = [Outcome(QueueId(f"4TqX2m{n:03d}Yzz3F"), Fate.DONE) for n in range(383)]
    outcomes += [
        Outcome(QueueId(f"4TqX2n{n:03d}Yzz3F"), Fate.IN_DELIVERY if open_ else Fate.DELIVERED) for n in range(12)
    ]
    outcomes += [Outcome(QueueId(f"4TqX2p{n:03d}Yzz3F"), Fate.GONE) for n in range(3)]
    one = Receipt(
        "r1",
        "p1",
        "queue.hold",
        "mail1/postfix",
        "ann",
        NOW,
        False,
        True,
        tuple(outcomes),
        Foreign(b"postsuper: Placed on hold: 395 messages"),
        undo="queue.release",
        open=open_,
    )
    return replace(one, **changes)


def noted(snapshot: Snapshot | None) -> tuple[Noted, ...]:
    """What fires there, something that nobody can look at on mail2, and what was over in the last day."""
    firing = tuple(
        Noted(one, Phase.FIRING, one.health, one.since, NOW - 1) for one in (snapshot.alerts if snapshot else ())
    )
    if firing:
        scan = Alert("amavis_scan_seconds", "mail1/amavis", WARN, NOW - 130, "mail1/amavis: check takes 12 s",
                     "filter", "12 s", "≥ 10 s")  # fmt: skip
        behind = Alert("mariadb_replica_lag_seconds", "mail2/maildb", CRIT, NOW - 400, "mail2/maildb: behind 11 min",
                       "replication", "11 min", "≥ 5 min")  # fmt: skip
        note = "mail2: connection refused; is sshd running there?"
        firing = (
            *firing[:-1],
            Noted(scan, Phase.FIRING, WARN, NOW - 130, NOW - 1, times=3),
            firing[-1],
            Noted(behind, Phase.UNKNOWN, CRIT, NOW - 400, NOW - 95, note=note),
        )
    stopped = Alert("ContainerNotRunning", "mail2/clamav", CRIT, 0.0, "mail2/clamav is exited", "hosts")
    disk = Alert(
        "disk_used_ratio", "mail1 /srv/日本", WARN, 0.0, "mail1 /srv/日本: used 82 %", "hosts", "82 %", "≥ 80 %"
    )
    return (
        *firing,
        Noted(stopped, Phase.ENDED, CRIT, NOW - 2000, NOW - 1200, NOW - 1199),
        Noted(disk, Phase.ENDED, CRIT, NOW - 80_000, NOW - 70_000, NOW - 60_000, times=2),
    )


def flow() -> Flow:
    """An outburst that one provider refuses, and a stranger who guesses passwords."""
    trend = tuple(None if n < 4 else 200 + 37 * n % 90 for n in range(30))
    numbers = {"accepted": 4.6, "submitted": 2.4, "sent": 3.1, "mailbox": 1.9, "rejected": 0.3, "deferred": 0.05}
    numbers |= {"bounced": 0.0, "filter": 4.1, "archive": 5.0}
    quick, slow = (0.02, 0.1), (0.4, 41.0)
    return Flow(
        tuple(
            Stream(name, number, number * 0.9, number * 0.8, int(number * 3000), trend if number else (0,) * 30)
            for name, number in numbers.items()
        ),
        (
            Delay(Hop.FILTER, False, quick, quick, quick, (0.4, 0.9), (0.5, 1.1)),
            Delay(Hop.MAILBOX, False, quick, quick, quick, quick, (0.1, 0.3)),
            Delay(Hop.REMOTE, False, quick, quick, slow, quick, (0.6, 41.0)),
            Delay(Hop.REMOTE, True, (300.0, 4000.0), (2.0, 9.0), slow, quick, (1.0, 75.0)),
        ),
        (Share("in", 1470, 1500, 12), Share("submission", 210, 210), Share("failing", 9, 900)),
        (
            Ranked("destinations", Foreign(b"outlook.test"), 120, 398, 1130, NOW - 660),
            Ranked("destinations", Foreign(b"gmail.test"), 960, 3, 0, NOW - 2),
            Ranked("destinations", Foreign(b"gone.test"), 0, 0, 12),
            Ranked("senders", Foreign(b"news@shop.example"), 1530),
            Ranked("senders", Foreign(b"<>"), 14),
            Ranked("users", Foreign(b"news@shop.example"), 1530),
            Ranked("clients", Foreign(b"192.0.2.7"), 1490),
            Ranked("reasons", Foreign(b"554 Relay access denied"), 40),
            Ranked("refused", Foreign(b"203.0.113.9"), 38),
            Ranked("logins", Foreign(b"203.0.113.9"), 61),
            Ranked("guessed", Foreign(b"admin"), 44),
            Ranked("postscreen", Foreign(b"passed, new"), 81),
        ),
    )


def blocks() -> tuple[Block, ...]:
    """A filter with a queue before it, signatures that are old, a probe that is denied, and a table."""
    rows = (
        Line((Foreign(b"INFECTED"), Foreign(b"Eicar-Test-Signature"), Foreign(b"3")), Health.WARN),
        Line((Foreign(b"CLEAN"), Foreign("日本 \x1b[31m".encode()), Foreign(b"1 204"))),
    )
    return (
        Block("mail1/amavis", "amavis", "children", WARN, NOW - 2, figures=(
            Figure("amavis_busy_ratio", "busy", "", "%", ok(87.5, WARN)),
            Figure("amavis_oldest_busy_seconds", "oldest busy", "", "s", ok(41.0)),
            Figure("amavis_scans_total", "scans", "", "/s", ok(0.25)),
        ), tables=(Table("verdicts", ("verdict", "what", ">mails"), rows, total=9),)),
        Block("mail1/clamav", "clamd", "clamd", OK, NOW - 2, words=(("version", "1.4.2"),), figures=(
            Figure("clamd_queue", "queue", "", "", ok(0.0)),
            Figure("clamd_memory_bytes", "memory", "", "B", ok(1.3e9)),
            Figure("clamd_scans_total", "scans", "", "/s", none("from the next reading on")),
        )),
        Block("mail1/clamav", "clamav_signatures", "signatures", UNKNOWN, NOW - 400, stale=True, note="late", figures=(
            Figure("clamav_signature_age_seconds", "age", "daily", "s", ok(200_000.0, WARN, stale=True)),
        )),
        Block("mail2/spamassassin", "spamd", "spamd", DENIED, note="mail2: docker exec: not authorized"),
    )  # fmt: skip


def log_lines() -> tuple[tuple[str, bytes, float], ...]:
    """A minute of log on two hosts: (target, lines, the newest one's time)."""
    minute = time.strftime("%Y-%m-%dT%H:%M", time.gmtime(NOW)).encode()

    def at(second: int, words: bytes) -> bytes:
        return b"%s:%02dZ %s\n" % (minute, second, words)

    start = NOW - NOW % 60
    smtp = b"mail postfix/smtp[9]: 4TqX2m6bYzz3F: to=<anna@outlook.test>, relay=mx.outlook.test[192.0.2.25]:25, "
    postfix = [at(n, b"mail postfix/smtpd[8]: connect from app%d[192.0.2.7]" % n) for n in range(0, 20, 2)]
    postfix += [
        at(13, smtp + b"delay=0.5, delays=0.1/0/0.2/0.2, dsn=4.7.650, status=deferred (host said: 451 4.7.650)")
    ]
    postfix += [at(14, b"mail postfix/smtpd[8]: warning: hostname app.test does not resolve to address 192.0.2.7")]
    dovecot = [at(3, b"lmtp(anna@example.test)<25><ISHx>: Info: msgid=<1@c>: saved mail to INBOX")]
    dovecot += [at(11, b"auth-worker(78): Error: mysql(maildb): Connect failed to database (mail)")]
    return (
        ("mail1/postfix", b"".join(postfix[:5]), start + 8),
        ("mail1/dovecot", b"".join(dovecot), start + 11),
        ("mail2/postfix", at(12, "mail postfix/cleanup[3]: 4TqX: サーバー \x1b[31mred".encode()), start + 12),
        ("mail1/postfix", b"".join(postfix[5:]), start + 18),
    )
