"""Acts on destinations through the only door: dry, written down first, undone, lost in the middle and found again."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mailtop.engine.engine import Engine
from mailtop.model.ask import Answer, Command, Look, PortAsk, Put
from mailtop.model.ask import Engine as Api
from mailtop.model.destination import Terms
from mailtop.model.errors import LinkLost, Refused, UsageError
from mailtop.model.operation import Approval, Fate, Preview, Receipt, Selection
from mailtop.model.snapshot import Snapshot
from mailtop.model.text import Foreign
from mailtop.report.ready import first_reading
from tests.action.postfix_files import Killed, PostfixFiles
from tests.engine.mail_host import MailHost
from tests.engine.test_engine import POSTFIX, until, watching

BIGMAIL = Selection(target=POSTFIX, domain=Foreign(b"BigMail.test"), terms=Terms(1800.0))


@dataclass
class ChangingHost(MailHost):
    """A mail host whose Postfix is files; where it is `Killed`, the connection is lost instead."""

    files: PostfixFiles = field(default_factory=lambda: PostfixFiles(Path()))

    def ask(self, container: str, ask: Look | Put, by: str = "") -> Answer:
        if not isinstance(ask, Api | PortAsk):
            words = (*ask.argv, *(ask.pipe[0] if isinstance(ask, Command) and ask.pipe else ()))
            if "config_directory" in words and "-h" in words:
                return Answer(f"{self.files.config}\n".encode())
            if any(str(self.files.config) in word for word in words):
                try:
                    return self.files.ask(ask)
                except Killed:
                    raise LinkLost("mail1", "cut off") from None
        return super().ask(container, ask, by)


@pytest.fixture
def host(tmp_path: Path) -> ChangingHost:
    return ChangingHost(files=PostfixFiles.made(tmp_path))


@pytest.fixture
async def engine(host: ChangingHost, tmp_path: Path) -> AsyncIterator[Engine]:
    engine = watching(host, tmp_path)
    await engine.start()
    await first_reading(engine)
    yield engine
    await engine.close()


def facts(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "audit.jsonl").read_text().splitlines()]


async def approved(engine: Engine, preview: Preview) -> Receipt:
    await engine.unlock(900)
    return await engine.approve(Approval(preview.plan, "ann", preview.typed))


def standing(snapshot: Snapshot) -> list[tuple[str, bool]]:
    return [(one.domain, one.half_way) for one in snapshot.destinations]


async def test_a_pause_is_previewed_tried_dry_carried_out_and_taken_back(
    engine: Engine, host: ChangingHost, tmp_path: Path
) -> None:
    before = host.files.files
    (preview,) = await engine.plan("destination.pause", BIGMAIL)
    assert (preview.domain, preview.typed, preview.undo) == ("bigmail.test", "", "destination.restore")
    assert preview.until > 0
    assert any("+ defer_transports = mailtop-pause-" in line for line in preview.diff)
    with pytest.raises(Refused, match="mailtop observes"):
        await engine.approve(Approval(preview.plan, "ann"))
    dry = await engine.approve(Approval(preview.plan, "ann", dry_run=True))
    assert (dry.ok, dry.count(Fate.DONE), host.files.put) == (True, 1, [])

    receipt = await approved(engine, preview)

    assert (receipt.ok, receipt.outcomes[0].id, receipt.undo) == (True, "bigmail.test", "destination.restore")
    await until(engine, lambda snapshot: standing(snapshot) == [("bigmail.test", False)])
    intent, outcome = facts(tmp_path)[-2:]
    assert (intent["fact"], intent["domain"], outcome["fact"]) == ("intent", "bigmail.test", "outcome")
    (back,) = await engine.undo(receipt.id)
    assert back.typed == "mail1"
    with pytest.raises(Refused, match="was not approved"):
        await engine.approve(Approval(back.plan, "ann", "1"))
    assert (await approved(engine, back)).ok
    assert host.files.files == before
    await until(engine, lambda snapshot: not snapshot.destinations and snapshot.receipts[-2].undone)


async def test_an_edit_between_preview_and_approval_is_refused_before_anything_is_written(
    engine: Engine, host: ChangingHost, tmp_path: Path
) -> None:
    (preview,) = await engine.plan("destination.pause", BIGMAIL)
    (host.files.config / "main.cf").write_text("myhostname = other\n")

    with pytest.raises(Refused, match="was edited since the preview"):
        await approved(engine, preview)

    assert host.files.put == []
    assert not (tmp_path / "audit.jsonl").exists()


async def test_a_connection_lost_in_the_middle_leaves_a_receipt_open_until_it_is_finished(
    engine: Engine, host: ChangingHost
) -> None:
    (preview,) = await engine.plan("destination.pause", BIGMAIL)
    host.files.kill_after = 16  # the first live file has been replaced

    receipt = await approved(engine, preview)

    assert (receipt.ok, receipt.open, receipt.outcomes[0].fate) == (False, True, Fate.UNKNOWN)
    assert "cut off" in receipt.error
    host.files.kill_after = None
    snapshot = await until(engine, lambda snapshot: standing(snapshot) == [("bigmail.test", True)])
    assert any(alert.rule == "DestinationHalfWay" for alert in snapshot.alerts)
    (finish,) = await engine.plan("destination.finish", BIGMAIL)
    assert (await approved(engine, finish)).ok
    await until(engine, lambda snapshot: standing(snapshot) == [("bigmail.test", False)])
    await until(engine, lambda snapshot: not snapshot.receipts[0].open and snapshot.receipts[0].count(Fate.DONE) == 1)


async def test_a_program_that_says_no_leaves_all_as_it_was_and_the_receipt_says_why(
    engine: Engine, host: ChangingHost
) -> None:
    before = host.files.files
    (preview,) = await engine.plan("destination.pause", BIGMAIL)
    host.files.say_no = 16

    receipt = await approved(engine, preview)

    assert (receipt.ok, receipt.outcomes[0].fate, receipt.undo) == (False, Fate.REFUSED, "")
    assert "it says no" in receipt.error
    assert host.files.files == before


async def test_what_was_done_and_could_not_be_noted_is_not_said_to_be_as_it_was(
    engine: Engine, host: ChangingHost
) -> None:
    (preview,) = await engine.plan("destination.pause", BIGMAIL)
    host.files.say_no = len(preview.commands)

    receipt = await approved(engine, preview)

    assert (receipt.ok, receipt.open, receipt.outcomes[0].fate) == (False, True, Fate.UNKNOWN)
    assert "left half-way: rm: it says no" in receipt.error
    assert receipt.outcomes[0].said == b"left half-way, perhaps"


async def test_a_change_cut_off_before_its_first_note_is_taken_back_without_a_name(
    engine: Engine, host: ChangingHost
) -> None:
    (preview,) = await engine.plan("destination.pause", BIGMAIL)
    host.files.kill_after = 2  # the folder is there
    await approved(engine, preview)
    host.files.kill_after = None
    await until(engine, lambda snapshot: standing(snapshot) == [("", True)])

    (restore,) = await engine.plan("destination.restore", Selection(target=POSTFIX, domain=Foreign(b"")))

    assert (await approved(engine, restore)).ok
    assert host.files.clean
    with pytest.raises(UsageError, match="is no recipient domain"):
        await engine.plan("destination.pause", Selection(target=POSTFIX, domain=Foreign(b"")))


async def test_an_act_without_a_domain_is_refused(engine: Engine) -> None:
    with pytest.raises(Refused, match="says not for which domain"):
        await engine.plan("destination.pause", Selection(target=POSTFIX, everything=True))
