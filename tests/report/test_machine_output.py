"""Machine output: complete, stable, and every field of it documented."""

from __future__ import annotations

import json
from pathlib import Path

from mailtop.model.mail import QueueId
from mailtop.model.operation import Fate, Outcome, Receipt
from mailtop.model.snapshot import Alert, Cause, Health, LogState, ProbeState, TargetState
from mailtop.model.text import Foreign
from mailtop.model.topology import Hop, Role
from mailtop.report import act, doctor
from mailtop.report.snapshot import as_json, as_text
from tests.engine.test_wire import SNAPSHOT

DOCUMENT = Path(__file__).parents[2] / "docs" / "machine-output.md"
WILD = Foreign(b"\xff\x1b[31m<ann>@x")
CAUSE = Cause("c1", "mail1/postfix", Hop.REMOTE, WILD, "4.7.1", WILD, WILD, 1, 200)


def keys(value: object) -> set[str]:
    """All field names in a JSON value; what is named by data (hosts, queues) is left out."""
    if isinstance(value, dict):
        found = set()
        for key, inner in value.items():
            found |= {key} | (keys(inner) if key not in ("counts", "hosts") or isinstance(inner, list) else set())
        return found
    if isinstance(value, list):
        return set().union(*map(keys, value))
    return set()


def snapshot_json() -> dict[str, object]:
    from msgspec.structs import replace

    whole = replace(
        SNAPSHOT,
        alerts=(Alert("HostDown", "mail2", Health.CRIT, 1.0, "mail2: connection refused"),),
        targets=(TargetState("mail1/postfix", "mail1", (Role.MTA,), Health.OK, "running"),),
        probes=(ProbeState("mail1", "host_load", Health.OK),),
        logs=(LogState("mail1/postfix", "docker", Health.OK),),
    )
    return as_json(whole, (CAUSE,))


def test_every_field_is_documented() -> None:
    document = DOCUMENT.read_text("utf-8")
    receipt = Receipt("r", "p", "queue.hold", "t", "ann", 1.0, False, True, (Outcome(QueueId("ABCDEF1"), Fate.DONE),))

    for key in sorted(keys(snapshot_json()) | keys(act.as_json(receipt))):
        assert f"`{key}`" in document or f"`{key}[]`" in document, f"{key} is not documented"


def test_what_strangers_wrote_cannot_reach_a_terminal_or_break_the_json() -> None:
    text = json.dumps(snapshot_json(), ensure_ascii=False)

    assert "\x1b" not in text
    assert json.loads(text)["causes"][0]["sender"] == "\\xff\\x1b[31m<ann>@x"


def test_the_text_form_marks_what_is_not_well() -> None:
    from msgspec.structs import replace

    (hop,) = SNAPSHOT.hops
    lines = as_text(replace(SNAPSHOT, hops=(replace(hop, rate=replace(hop.rate, stale=True)),)), ())

    assert any("? 1/s" in line for line in lines)


def test_every_field_of_the_doctors_is_documented() -> None:
    from tests.report.test_doctor import MAIL2

    document = doctor.as_json((MAIL2,))
    section = DOCUMENT.read_text("utf-8").split("## `mailtop doctor --json`")[1].split("\n## ")[0]

    undocumented = {
        key for key in keys(document) | {"rights"} if f"`{key}`" not in section and f"{key}[]" not in section
    }
    assert undocumented - {"schema"} == set()
