"""Retry, flush, requeue, bounce, delete, restore, purge: what they ask and send, step by step, without a machine."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import pytest

from mailtop.action import ACTIONS, Action, Evidence, Known, Looked, carry_out, read_back, reread
from mailtop.action.queue_delete import MOST
from mailtop.engine.previewing import preview
from mailtop.model.ask import Answer, Command, Put
from mailtop.model.errors import CommandFailed, MailtopError, ParseError, Refused
from mailtop.model.mail import Queue, QueueEntry, QueueId
from mailtop.model.operation import Danger, Fate, Item, Outcome, Plan, Receipt
from mailtop.model.text import Foreign
from mailtop.model.topology import Identity, Target

AT = 1_795_508_300.0
A, B, C = "4jYbKM6tKZzF1tp", "4jYbKN2cRbzF1vD", "4jYbKN1BpxzF1v4"
SPOOL = "/var/spool/postfix"
KNOWN = Known({}, frozenset())
INSTANCE = Identity("machine", "c" * 64, "/etc/postfix")


def action(key: str) -> Action:
    return next(action for action in ACTIONS if action.key == key)


def item(id_: str, queue: str = "deferred", size: int = 700) -> Item:
    return Item(QueueId(id_), Foreign(b"news@shop.test"), AT - 60, size, queue, Foreign(b"a@b.test"))


@dataclass
class Host:
    """A Postfix's spool: where each id is, and the files in the folder of kept ones; `fails`: what xargs says."""

    queued: dict[str, str]
    kept: dict[str, int] = field(default_factory=dict)  # "receipt/id" → links
    uid: str = "0"
    hashed: str = "deferred, defer"
    devices: str = "42\n42\n"
    version: str = "3.7.11"
    notes: str = ""
    waiting: str = ""
    links: Callable[[str], bool] = lambda id_: True
    strangers: frozenset[str] = frozenset()
    size: int = 700
    sent: list[Put] = field(default_factory=list)

    def __call__(self, ask: Any) -> Answer:
        if isinstance(ask, Put):
            self.sent.append(ask)
            return self.changed(ask)
        answers: dict[str, Callable[[], Answer]] = {
            "postconf": lambda: self.postconf(ask),
            "id": lambda: Answer(f"{self.uid}\n".encode()),
            "stat": lambda: Answer(self.devices.encode()),
            "find": lambda: self.found(ask),
            "postqueue": lambda: Answer(self.waiting.encode(), exit=0 if self.waiting else 1),
            "printf": lambda: self.postcat(ask.argv[2:]),
        }
        return answers[ask.argv[0]]()

    def postconf(self, ask: Command) -> Answer:
        return Answer(
            f"{self.version}\n".encode() if "mail_version" in ask.argv else f"{SPOOL}\n{self.hashed}\n".encode()
        )

    def found(self, ask: Command) -> Answer:
        if ask.argv[1].endswith("/etc/postfix/mailtop"):
            return Answer(self.notes.encode(), b"" if self.notes else b"No such file", 0 if self.notes else 1)
        folder = ask.argv[1].removeprefix(f"{SPOOL}/mailtop-kept").strip("/")
        lines = [
            f"{AT - 10:.0f} {self.size} {links} {SPOOL}/mailtop-kept/{path}\n"
            for path, links in self.kept.items()
            if path.startswith(folder)
        ]
        return Answer("".join(lines).encode()) if lines else Answer(b"", b"find: No such file or directory", 1)

    def postcat(self, ids: tuple[str, ...]) -> Answer:
        out, err = "", ""
        for id_ in ids:
            if id_ not in self.queued:
                err += f"postcat: fatal: open queue file {id_}: No such file or directory\n"
                continue
            sender = "other@shop.test" if id_ in self.strangers else "news@shop.test"
            out += (
                f"*** ENVELOPE RECORDS {self.queued[id_]}/{id_} ***\nmessage_arrival_time: Tue Nov 24 08:17:20 2026\n"
                f"sender: {sender}\nrecipient: a@b.test\n*** MESSAGE FILE END {self.queued[id_]}/{id_} ***\n"
            )
        return Answer(out.encode(), err.encode(), 123 if err else 0)

    def changed(self, put: Put) -> Answer:
        ids, said = put.stdin.decode().split(), ""
        for id_ in ids:
            if "-h" in put.argv and id_ in self.queued and self.queued[id_] != "hold":
                self.queued[id_], said = "hold", f"{said}postsuper: {id_}: placed on hold\n"
            elif "-H" in put.argv and id_ in self.queued:
                self.queued[id_] = "deferred"
            elif "-d" in put.argv and put.argv[0] == "postsuper" and self.queued.pop(id_, ""):
                said += f"postsuper: {id_}: removed\n"
                self.kept.update({path: 1 for path in self.kept if path.endswith(f"/{id_}")})
        if "ln" in put.argv:
            return self.linked(put, ids)
        if "rm" in put.argv:
            gone = put.argv[-1].removeprefix(f"{SPOOL}/mailtop-kept/") if "{}" in put.argv[-1] else ""
            for id_ in ids:
                path = gone.replace("{}", id_) if gone else id_.removeprefix(f"{SPOOL}/mailtop-kept/")
                self.kept.pop(path, None)
        return Answer(b"", said.encode())

    def linked(self, put: Put, ids: list[str]) -> Answer:
        failed = [id_ for id_ in ids if not self.links(id_)]
        to = put.argv[-1]
        for id_ in set(ids) - set(failed):
            if "mailtop-kept" in to:
                self.kept[to.removeprefix(f"{SPOOL}/mailtop-kept/").replace("{}", id_)] = 2
            else:
                path = put.argv[4].removeprefix(f"{SPOOL}/mailtop-kept/").replace("{}", id_)
                self.kept[path], self.queued[id_] = 2, "hold"
        return Answer(b"", b"ln: failed to create hard link\n" if failed else b"", 123 if failed else 0)


def drive(conversation: Generator[Any, Answer, Any], host: Host) -> Any:
    try:
        ask = next(conversation)
        while True:
            ask = conversation.send(host(ask))
    except StopIteration as end:
        return end.value


def looked(key: str, host: Host, *items: Item, known: Known = KNOWN, undoes: str = "") -> Plan:
    """A plan as the executor makes it: looked at, frozen."""
    act = action(key)
    bare = Plan("19ab-1", key, "mail1/postfix", INSTANCE, act.danger, items, (), AT, undoes)
    found = drive(act.look(bare, known), host) if act.look is not None else Looked(items)
    steps = found.steps or act.steps("mail1/postfix", INSTANCE, found.items)
    return Plan("19ab-1", key, "mail1/postfix", INSTANCE, act.danger, found.items, steps, AT, undoes,
                without_undo=found.without_undo)  # fmt: skip


def acted(plan: Plan, host: Host) -> dict[str, Fate]:
    """Read again, carry out, read back: as the executor does it."""
    kept, dropped = drive(reread(plan), host)
    drive(carry_out(plan, kept), host)
    said = host.sent[-1] if host.sent else None
    outcomes = drive(read_back(plan, kept, _said(said, host)), host)
    return {outcome.id: outcome.fate for outcome in (*dropped, *outcomes)}


def _said(put: Put | None, host: Host) -> bytes:
    if put is None or put.argv[0] != "postsuper":
        return b""
    deed = {"-d": "removed", "-r": "requeued", "-f": "expired"}.get(put.argv[-2], "")
    return "".join(f"postsuper: {id_}: {deed}\n" for id_ in put.stdin.decode().split()).encode()


def judged(key: str, evidence: Evidence, fate: Fate = Fate.UNDER_WAY) -> tuple[Fate, bytes] | None:
    judge = action(key).judge
    assert judge is not None
    outcome = judge(Outcome(QueueId(A), fate), evidence)
    return (outcome.fate, bytes(outcome.said)) if outcome is not None else None


def test_acts_on_messages_on_a_whole_queue_and_on_a_receipt_are_told_apart() -> None:
    scopes = {act.key: act.scope for act in ACTIONS}

    assert {key for key, scope in scopes.items() if scope is Target} == {
        "queue.flush",
        "queue.purge",
        "queue.purge_all",
    }
    assert {key for key, scope in scopes.items() if scope is Receipt} == {"queue.restore"}
    assert {key for key, scope in scopes.items() if scope is QueueEntry} == {
        "queue.hold", "queue.release", "queue.retry", "queue.requeue", "queue.bounce", "queue.delete",
    }  # fmt: skip
    assert action("queue.retry").letter == "F"


# ── retry and flush ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_retry_is_sent_in_parts_a_process_an_id_without_a_shell() -> None:
    host = Host({})
    many = [item(f"ABC{number:07X}") for number in range(120)]
    plan = looked("queue.retry", host, *many)

    puts = [ask for ask in carry_out(plan, plan.items) if isinstance(ask, Put)]

    assert {put.argv for put in puts} == {("xargs", "-n", "1", "postqueue", "-i")}
    assert [len(put.stdin.split()) for put in puts] == [50, 50, 20]
    assert action("queue.retry").pause == 1.0
    shown = preview(action("queue.retry"), plan)
    assert shown.typed == "120"
    assert shown.warnings[0].startswith(
        "At most 50 a second: 50 at a time, 1 s between, in 3 parts, 2 s or more in all."
    )


def test_a_retry_refuses_what_is_on_hold_by_name_and_leaves_the_rest_open() -> None:
    host = Host({A: "deferred", B: "hold"})

    kept, dropped = drive(reread(looked("queue.retry", host, item(A), item(B, "hold"), item(C))), host)

    assert [one.id for one in kept] == [A]
    assert {one.id: (one.fate, one.said) for one in dropped} == {
        B: (Fate.REFUSED, b"on hold: release it first"),
        C: (Fate.GONE, b""),
    }
    assert acted(looked("queue.retry", host, item(A)), host) == {A: Fate.UNDER_WAY}


NOTES = (
    '{"type":"in force","before":{"main":"a","master":"b"},"left":{"main":"a","master":"b"},"exact":true,"changes":'
    '[{"action":"destination.pause","domain":"big.test","service":"s","line":"l","row":"r","settings":[],'
    '"deferred":true,"by":"ann","at":1.0}]}\n'
)


def test_a_retry_leaves_out_what_has_any_recipient_at_a_paused_destination() -> None:
    host = Host({}, notes=NOTES, waiting=f'"queue_id": "{B}"\n')

    plan = looked("queue.retry", host, item(A), item(B))

    assert [one.id for one in plan.items] == [A]
    with pytest.raises(Refused, match=r"paused here: big\.test"):
        looked("queue.retry", host, item(B))
    with pytest.raises(Refused, match=r"paused here: big\.test"):
        looked("queue.flush", host)


def test_what_is_paused_between_preview_and_approval_is_not_retried() -> None:
    host = Host({A: "deferred", B: "deferred"})
    plan = looked("queue.retry", host, item(A), item(B))
    host.notes, host.waiting = NOTES, f'"queue_id": "{B}"\n'

    kept, dropped = drive(reread(plan), host)

    assert [one.id for one in kept] == [A]
    assert [(one.id, one.fate, one.said) for one in dropped] == [(B, Fate.REFUSED, b"its destination is paused now")]


def test_where_nobody_may_say_what_is_paused_that_is_said() -> None:
    host = Host({}, notes="no json\n")

    act = action("queue.retry")
    assert act.look is not None
    bare = Plan("p", "queue.retry", "mail1/postfix", INSTANCE, act.danger, (item(A),), (), AT)
    found = drive(act.look(bare, Known({}, None)), host)

    assert found.warnings[0].startswith("Whether a destination is paused here is not known")


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (Evidence(), None),
        (Evidence(status="deferred", reason=Foreign(b"451 later")), (Fate.DONE, b"deferred: 451 later")),
        (Evidence(removed=True, status="sent", reason=Foreign(b"250 ok")), (Fate.DONE, b"sent: 250 ok")),
        (Evidence(removed=True), (Fate.DONE, b"left the queue")),
        (Evidence(listed=True, queue=Queue.HOLD), (Fate.REFUSED, b"on hold: release it first")),
        (Evidence(listed=True, queue=Queue.DEFERRED), None),
        (Evidence(listed=True, told=True), (Fate.GONE, b"not in the queue any more")),
        (Evidence(listed=True, queue=Queue.DEFERRED, late=True), (Fate.REFUSED, b"no attempt in the log")),
    ],
)
def test_a_retry_is_judged_by_an_attempt_in_the_log(evidence: Evidence, expected: tuple[Fate, bytes] | None) -> None:
    assert judged("queue.retry", evidence) == expected


def test_a_flush_takes_no_ids_and_the_hosts_name_approves_it() -> None:
    host = Host({})
    plan = looked("queue.flush", host)

    drive(carry_out(plan, ()), host)

    assert [(put.argv, put.stdin) for put in host.sent] == [(("postqueue", "-f"), b"")]
    shown = preview(action("queue.flush"), plan)
    assert (shown.count, shown.typed, shown.danger) == (0, "mail1", Danger.SENDS)


# ── requeue and bounce ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_requeue_takes_neither_held_mail_nor_mail_in_delivery() -> None:
    host = Host({A: "deferred", B: "hold", C: "active"})

    kept, dropped = drive(reread(looked("queue.requeue", host, item(A), item(B), item(C))), host)

    assert [one.id for one in kept] == [A]
    assert {one.id: one.said for one in dropped} == {
        B: b"on hold: release it first",
        C: b"in delivery: it could be delivered twice",
    }


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (Evidence(removed=True), None),
        (Evidence(listed=True, queue=Queue.MAILDROP), None),
        (Evidence(removed=True, requeued=B), (Fate.DONE, b"now " + B.encode())),
        (Evidence(listed=True, queue=Queue.DEFERRED), (Fate.REFUSED, b"it is in deferred")),
        (Evidence(listed=True, late=True), (Fate.GONE, b"its new id is not in the log")),
    ],
)
def test_a_requeue_is_judged_by_the_id_that_pickup_gave(
    evidence: Evidence, expected: tuple[Fate, bytes] | None
) -> None:
    assert judged("queue.requeue", evidence) == expected


@pytest.mark.parametrize("version", ["3.4.23", "2.11.1", ""])
def test_a_postfix_before_3_5_cannot_bounce_and_that_is_one_line(version: str) -> None:
    with pytest.raises(Refused, match=r"needs Postfix 3\.5"):
        looked("queue.bounce", Host({}, version=version), item(A))


@pytest.mark.parametrize("version", ["3.5.0", "3.10.13", "4.0"])
def test_a_bounce_marks_mail_wherever_it_is(version: str) -> None:
    host = Host({A: "deferred", B: "hold"}, version=version)

    assert acted(looked("queue.bounce", host, item(A), item(B, "hold")), host) == dict.fromkeys((A, B), Fate.UNDER_WAY)
    assert host.sent[-1].argv == ("postsuper", "-f", "-")


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (Evidence(listed=True, queue=Queue.DEFERRED, late=True), None),
        (Evidence(removed=True, returned=True), (Fate.DONE, b"force-expired, returned to sender")),
        (Evidence(removed=True, status="sent", reason=Foreign(b"250 ok")), (Fate.DELIVERED, b"250 ok")),
        (Evidence(removed=True, status="bounced", reason=Foreign(b"550 no")), (Fate.DONE, b"bounced: 550 no")),
        (Evidence(status="deferred", reason=Foreign(b"451")), None),
    ],
)
def test_a_bounce_stays_open_until_it_is_returned(evidence: Evidence, expected: tuple[Fate, bytes] | None) -> None:
    assert judged("queue.bounce", evidence) == expected


# ── delete ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_delete_holds_keeps_and_deletes_in_this_order() -> None:
    host = Host({A: "deferred", B: "hold"})
    plan = looked("queue.delete", host, item(A), item(B, "hold"))
    folder = f"{SPOOL}/mailtop-kept/r19ab-1"

    assert acted(plan, host) == {A: Fate.DONE, B: Fate.DONE}

    assert [put.argv for put in host.sent] == [step.argv for step in plan.steps] == [
        ("postsuper", "-h", "-"),
        ("mkdir", "-p", "-m", "0700", f"{SPOOL}/mailtop-kept", folder),
        ("xargs", "-I", "{}", "ln", f"{SPOOL}/hold/{{}}", f"{folder}/{{}}"),
        ("postsuper", "-d", "-"),
    ]  # fmt: skip
    assert host.kept == {f"r19ab-1/{A}": 1, f"r19ab-1/{B}": 1}
    shown = preview(action("queue.delete"), plan)
    assert (shown.undo, shown.typed, shown.danger) == ("queue.restore", "2", Danger.DESTRUCTIVE)


def test_only_what_is_kept_is_deleted() -> None:
    host = Host({A: "deferred", B: "deferred"}, links=lambda id_: id_ == A)

    assert acted(looked("queue.delete", host, item(A), item(B)), host) == {A: Fate.DONE, B: Fate.REFUSED}

    assert host.sent[-1].stdin == f"{A}\n".encode()
    assert host.queued == {B: "hold"}


def test_a_link_that_a_delete_cut_off_has_left_is_dropped_by_the_next() -> None:
    host = Host({A: "hold"}, kept={f"r19aa-7/{A}": 2})

    assert acted(looked("queue.delete", host, item(A, "hold")), host) == {A: Fate.DONE}

    assert host.kept == {f"r19ab-1/{A}": 1}  # one, so that it can be delivered when it is put back


def test_what_is_kept_and_then_not_deleted_has_one_link_again() -> None:
    class Stubborn(Host):
        def changed(self, put: Put) -> Answer:
            return Answer(b"") if "-d" in put.argv and put.argv[0] == "postsuper" else super().changed(put)

    host = Stubborn({A: "deferred"})

    assert acted(looked("queue.delete", host, item(A)), host) == {A: Fate.REFUSED}
    assert (host.kept, host.queued) == ({}, {A: "hold"})


def test_where_nothing_can_be_kept_nothing_is_deleted() -> None:
    host = Host({A: "deferred"}, links=lambda id_: False)

    with pytest.raises(Refused, match="nothing was deleted: ln: failed to create hard link"):
        acted(looked("queue.delete", host, item(A)), host)
    assert host.queued == {A: "hold"}


def test_an_id_that_became_another_message_while_it_was_held_is_let_go_again() -> None:
    host = Host({A: "deferred", B: "deferred"})
    plan = looked("queue.delete", host, item(A), item(B))
    kept, _ = drive(reread(plan), host)
    host.strangers = frozenset((B,))

    drive(carry_out(plan, kept), host)

    assert host.queued == {B: "deferred"}
    assert host.sent[1].argv == ("postsuper", "-H", "-")


def test_a_delete_that_was_not_read_back_in_full_is_known_by_what_is_kept() -> None:
    host = Host({B: "hold"}, kept={f"r19ab-1/{A}": 1, f"r19ab-1/{B}": 2})
    plan = looked("queue.delete", Host({}), item(A), item(B), item(C))

    outcomes = drive(read_back(plan, plan.items, b""), host)

    assert [outcome.fate for outcome in outcomes] == [Fate.DONE, Fate.REFUSED, Fate.UNKNOWN]


@pytest.mark.parametrize(
    ("host", "why"),
    [
        (Host({}, uid="1000"), "only root can keep the files"),
        (Host({}, hashed="deferred, defer, hold"), "hold is in hash_queue_names"),
        (Host({}, devices="42\n43\n"), "not on the queue's own filesystem"),
        (Host({}, kept={"r1-1/AAAAAA1": 1}, size=MOST), "are too much to keep"),
    ],
)
def test_where_nothing_can_be_kept_a_delete_says_that_nothing_undoes_it(host: Host, why: str) -> None:
    plan = looked("queue.delete", host, item(A))

    shown = preview(action("queue.delete"), plan)

    assert (shown.undo, len(plan.steps)) == ("", 2)
    assert why in shown.warnings[0]
    assert shown.warnings[0].startswith("Nothing will undo it: ")


@pytest.mark.parametrize(
    ("fate", "evidence", "expected"),
    [
        (Fate.IN_DELIVERY, Evidence(removed=True), None),
        (Fate.IN_DELIVERY, Evidence(removed=True, late=True), Fate.DONE),
        (Fate.IN_DELIVERY, Evidence(removed=True, status="sent"), Fate.DELIVERED),
        (Fate.IN_DELIVERY, Evidence(removed=True, status="deferred"), Fate.DONE),
        (Fate.UNKNOWN, Evidence(listed=True, queue=Queue.HOLD), Fate.REFUSED),
        (Fate.UNKNOWN, Evidence(removed=True), Fate.DONE),
        (Fate.UNKNOWN, Evidence(removed=True, status="sent"), Fate.DELIVERED),
        (Fate.UNKNOWN, Evidence(), None),
    ],
)
def test_a_delete_is_judged_by_the_log(fate: Fate, evidence: Evidence, expected: Fate | None) -> None:
    found = judged("queue.delete", evidence, fate)

    assert (found[0] if found is not None else None) is expected


# ── restore and purge ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_restore_links_back_and_only_then_drops_what_is_kept() -> None:
    host = Host({}, kept={f"r19aa-7/{A}": 1, f"r19aa-7/{B}": 1})
    plan = looked("queue.restore", host, item(A), item(B), item(C), undoes="r19aa-7")

    assert acted(plan, host) == {A: Fate.DONE, B: Fate.DONE}

    assert host.queued == {A: "hold", B: "hold"}
    assert host.kept == {}
    assert [put.argv for put in host.sent] == [step.argv for step in plan.steps]


def test_what_cannot_be_linked_back_stays_kept() -> None:
    host = Host({}, kept={f"r19aa-7/{A}": 1, f"r19aa-7/{B}": 1}, links=lambda id_: id_ == A)

    assert acted(looked("queue.restore", host, item(A), item(B), undoes="r19aa-7"), host) == {
        A: Fate.DONE,
        B: Fate.GONE,
    }
    assert host.kept == {f"r19aa-7/{B}": 1}

    host.links = lambda id_: False
    with pytest.raises(CommandFailed, match="hard link"):
        acted(looked("queue.restore", host, item(B), undoes="r19aa-7"), host)


def test_a_restore_that_was_cut_off_in_the_middle_is_finished_by_the_next() -> None:
    host = Host({A: "hold"}, kept={f"r19aa-7/{A}": 2}, links=lambda id_: False)  # linked already, not dropped yet

    assert acted(looked("queue.restore", host, item(A), undoes="r19aa-7"), host) == {A: Fate.DONE}
    assert host.kept == {}


@pytest.mark.parametrize("receipt", ["", "../../etc", "r1-1/..", "rX-1"])
def test_a_restore_looks_in_no_folder_but_a_receipts(receipt: str) -> None:
    with pytest.raises(Refused, match="no receipt of a delete"):
        looked("queue.restore", Host({}), item(A), undoes=receipt)


def test_a_purge_takes_what_is_old_and_a_purge_of_all_takes_all() -> None:
    host = Host({}, kept={f"r19aa-7/{A}": 1, f"r19aa-8/{B}": 1})

    with pytest.raises(Refused, match="no file of deleted mail is kept that long"):
        looked("queue.purge", host)
    plan = looked("queue.purge_all", host)
    assert acted(plan, host) == {A: Fate.DONE, B: Fate.DONE}

    assert host.kept == {}
    assert host.sent[0].stdin.decode().split() == [
        f"{SPOOL}/mailtop-kept/r19aa-7/{A}",
        f"{SPOOL}/mailtop-kept/r19aa-8/{B}",
    ]


def test_what_was_put_back_meanwhile_is_not_purged() -> None:
    host = Host({}, kept={f"r19aa-7/{A}": 1, f"r19aa-7/{B}": 1})
    plan = looked("queue.purge_all", host)
    del host.kept[f"r19aa-7/{B}"]

    assert acted(plan, host) == {A: Fate.DONE, B: Fate.GONE}
    assert host.sent[0].stdin.decode().split() == [f"{SPOOL}/mailtop-kept/r19aa-7/{A}"]


@pytest.mark.parametrize("key", ["queue.retry", "queue.requeue", "queue.bounce", "queue.delete"])
@pytest.mark.parametrize("id_", ["ALL", "-", "-r", "ABC DEF", "ABCDEF1\nALL", "../../etc", ""])
def test_no_word_but_an_id_is_ever_sent(key: str, id_: str) -> None:
    host = Host({})
    plan = looked(key, host, item(id_))

    with pytest.raises(MailtopError):
        drive(carry_out(plan, plan.items), host)
    assert host.sent == []


def test_a_queue_directory_that_is_no_plain_path_is_not_worked_in() -> None:
    class Odd(Host):
        def postconf(self, ask: Command) -> Answer:
            return Answer(b"/srv/{}\ndeferred\n")

    assert "no plain one" in looked("queue.delete", Odd({}), item(A)).without_undo
    with pytest.raises(ParseError):
        looked("queue.delete", type("None_", (Odd,), {"postconf": lambda self, ask: Answer(b"\n")})({}), item(A))
