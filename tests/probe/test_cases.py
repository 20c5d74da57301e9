"""Every probe against what hosts really said: `cases/<probe>/*.json`.

A case holds `ask` and `output` (`stderr`, `exit` where there are any), or `asks`, several of them in order, and either
the `readings` that come out, or the `error` with its class. `ask` is the beginning of the question. Where a client
`raises` an error of the tree, `output` is its reason. `config`: the text of a config.toml; `roles`: of its target.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from mailtop.config import parse
from mailtop.model import errors
from mailtop.model.ask import Answer, Engine, Look, PortAsk, ask_key
from mailtop.model.board import Table
from mailtop.model.errors import MailtopError
from mailtop.model.sample import Fact, Sample
from mailtop.model.text import shown
from mailtop.model.topology import Role, Target
from mailtop.parse.postqueue import Listing
from mailtop.probe import Found, Probe, probes

CASES = Path(__file__).parent / "cases"
TARGET = Target("mail1", "postfix")


def asked(ask: Look) -> str:
    if isinstance(ask, Engine | PortAsk):
        return ask_key(ask)
    return " | ".join([" ".join(ask.argv), *(argv[0] for argv in ask.pipe)])


def reading(found: Found) -> str:
    if isinstance(found, Listing):
        counts = ", ".join(f"{queue} {count}" for queue, count in found.counts.items() if count)
        return f"listing: {counts or 'empty'}, {found.bytes} bytes, {found.unreadable} unreadable"
    if isinstance(found, Table):
        first = " | ".join(shown(cell) for cell in found.lines[0].cells) if found.lines else "empty"
        return f"table {found.title}: {max(found.total, len(found.lines))} lines: {first}"
    return f"{found.name} = {found.value}" if isinstance(found, Fact) else str(found)


def run(probe: Probe, case: dict[str, Any]) -> list[str]:
    run = probe.by_settings(parse(case["config"])) if probe.by_settings and "config" in case else probe.run
    conversation = run(replace(TARGET, roles=tuple(map(Role, case.get("roles", ())))))
    ask = next(conversation)
    try:
        for said in case.get("asks", [case]):
            assert asked(ask).startswith(said["ask"])
            if "raises" in said:
                ask = conversation.throw(getattr(errors, said["raises"])(said["ask"], said["output"]))
                continue
            answer = Answer(said["output"].encode(), said.get("stderr", "").encode(), said.get("exit", 0))
            ask = conversation.send(answer)
    except StopIteration as end:
        return [reading(found) for found in end.value]
    except MailtopError as error:
        return [f"{type(error).__name__}: {error}"]
    pytest.fail(f"asks on: {asked(ask)}")


@pytest.mark.parametrize("path", sorted(CASES.glob("*/*.json")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_probe_reads_what_a_host_said(path: Path) -> None:
    case = json.loads(path.read_bytes())
    (probe,) = (probe for probe in probes() if probe.name == path.parent.name)

    assert run(probe, case) == case["readings"]


@pytest.mark.parametrize("probe", probes(), ids=lambda probe: probe.name)
def test_every_probe_has_cases_that_work_and_that_fail(probe: Probe) -> None:
    cases = [json.loads(path.read_bytes())["readings"] for path in (CASES / probe.name).glob("*.json")]

    assert cases, f"no case in {CASES / probe.name}"
    assert any("Error: " not in line and "Denied: " not in line for lines in cases for line in lines)
    assert any(line.partition(": ")[0] in ERRORS for lines in cases for line in lines)


ERRORS = frozenset({"Denied", "Missing", "CommandFailed", "ParseError", "TimedOut", "Garbled"})


@pytest.mark.parametrize("probe", probes(), ids=lambda probe: probe.name)
def test_a_probe_lives_in_a_file_of_its_name_and_has_a_pace(probe: Probe) -> None:
    assert probe.name in {path.stem for path in Path(probes.__wrapped__.__code__.co_filename).parent.glob("*.py")}
    assert 1.0 <= probe.every <= 3600.0
    assert probe.cost((), 1.0) >= 0.0


def test_probes_have_names_of_their_own() -> None:
    names = [probe.name for probe in probes()]

    assert len(names) == len(set(names))


def test_a_million_deferred_messages_are_counted_once_a_minute_at_two_hundredths_of_a_core() -> None:
    (probe,) = (probe for probe in probes() if probe.name == "postfix_deferred")
    found = (Sample("postfix_queue_messages", 1_000_000, (("queue", "deferred"),)),)

    assert probe.cost(found, 1.0) / 0.02 == pytest.approx(60, rel=0.1)
