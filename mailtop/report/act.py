"""`mailtop act`: plan, preview, approve, receipt, from the command line."""

from __future__ import annotations

import json
import shlex
import sys
from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from mailtop.action import ACTIONS
from mailtop.engine.console import Console
from mailtop.model.destination import Terms, domain_of, seconds_of
from mailtop.model.errors import Refused, Unreachable, UsageError
from mailtop.model.mail import Key, queue_id
from mailtop.model.operation import Approval, Danger, Preview, Receipt, Selection
from mailtop.model.snapshot import Link
from mailtop.model.text import Foreign, shown
from mailtop.model.topology import Target
from mailtop.report.ready import first_reading

SCHEMA = "mailtop.act/1"
UNLOCKED = 300.0  # seconds: one act, and its reading back


async def run(console: Console, options: Namespace, out: TextIO, err: TextIO) -> int:
    """Show the preview; with --dry-run or --yes-i-mean COUNT carry it out; 4 where it is refused."""
    selection = _selection(options) if not options.receipt else None
    snapshot = await first_reading(console, listing=selection is not None and selection.domain is None)
    for host in snapshot.hosts:
        if host.link is not Link.UP:
            raise Unreachable(host.name, host.note.removeprefix(f"{host.name}: ") or "not connected")
    previews = await (console.plan(options.action, selection) if selection else _taking_back(console, options))
    for preview in previews:
        err.writelines(f"{line}\n" for line in told(preview))
    if not options.dry_run and not options.yes_i_mean:
        meant = _meant(previews)
        raise Refused("act", "only a preview", f"carry it out with --yes-i-mean {meant}, or try --dry-run")
    receipts = [await _carried_out(console, preview, options) for preview in previews]
    for receipt in receipts:
        if options.json:
            out.write(json.dumps(as_json(receipt), ensure_ascii=False) + "\n")
        else:
            out.write(summary(receipt) + "\n")
    return 0 if all(receipt.ok for receipt in receipts) else 1


async def _taking_back(console: Console, options: Namespace) -> tuple[Preview, ...]:
    """What takes back one receipt, where that is the act that was asked for."""
    previews = await console.undo(options.receipt)
    for preview in previews:
        if (preview.action, preview.target) != (options.action, options.on):
            raise UsageError(options.receipt, f"is taken back by {preview.action} on {preview.target}")
    return previews


async def _carried_out(console: Console, preview: Preview, options: Namespace) -> Receipt:
    approval = Approval(preview.plan, "", preview.typed, options.dry_run)  # the engine knows who we are
    if not options.dry_run:
        if options.yes_i_mean != _meant((preview,)):
            what = f"{_meant((preview,))}{' messages' if preview.count else ''}"
            raise Refused(preview.label, f"{what}, not {options.yes_i_mean[:20]}", "look again")
        await console.unlock(UNLOCKED)
    return await console.approve(approval)


def _selection(options: Namespace) -> Selection:
    if any(act.key == options.action and act.scope is Target for act in ACTIONS):
        if options.domain or options.where.strip() or options.ids:
            raise UsageError(
                options.action, "is for a whole queue", "give --on, and neither --where, --ids nor --domain"
            )
        return Selection(target=options.on, everything=True)
    if options.action.startswith("destination."):
        if not options.domain or options.where.strip() or options.ids:
            raise UsageError(
                options.action, "is for one recipient domain", "give --domain, and neither --where nor --ids"
            )
        terms = Terms(seconds_of(options.lasting), options.relay, options.concurrency, options.delay)
        return Selection(target=options.on, domain=Foreign(domain_of(options.domain).encode()), terms=terms)
    if options.domain or bool(options.where.strip()) is bool(options.ids):
        raise UsageError("act", "says not on what", "give --where EXPR or --ids FILE, one of them")
    keys = tuple(Key(options.on, queue_id(word)) for word in _ids(options.ids)) if options.ids else ()
    if options.ids and not keys:
        raise UsageError(options.ids, "holds no queue id", "one a line")
    return Selection(keys, options.where, target=options.on)


def _meant(previews: tuple[Preview, ...]) -> str:
    """What --yes-i-mean must say: the count of messages, or the host's name where there is none."""
    if any(preview.domain or not preview.count for preview in previews):
        return previews[0].target.partition("/")[0]
    return str(sum(preview.count for preview in previews))


def _ids(file: str) -> list[str]:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(file, str(error)) from error
    return text.split()


def told(preview: Preview) -> list[str]:
    """The preview, a line each."""
    if preview.domain:
        return _told_of_destination(preview)
    what = f" {preview.count} messages on {preview.target}, {preview.size:,} bytes"
    lines = [f"{preview.label}{what if preview.count else f' on {preview.target}'}"]
    lines += [f"  in {step.target}   {' '.join(step.argv)}   {step.stdin}".rstrip() for step in preview.commands]
    if preview.senders:
        senders = " · ".join(f"{shown(who, 60) or '<>'} {count}" for who, count in preview.senders)
        recipients = " · ".join(f"{shown(who, 60)} {count}" for who, count in preview.domains)
        lines += [f"  senders     {senders}", f"  recipients  {recipients}"]
    if preview.in_delivery:
        lines.append(f"  {preview.in_delivery} are in delivery and may still leave")
    lines += [f"  {warning}" for warning in preview.warnings]
    undo = f"undone by {preview.undo}" if preview.undo else "nothing undoes it"
    lines.append(f"  {undo}" + (" (mail that leaves cannot be recalled)" if preview.danger is Danger.SENDS else ""))
    return lines


def _told_of_destination(preview: Preview) -> list[str]:
    until = f"{datetime.fromtimestamp(preview.until, UTC):%Y-%m-%d %H:%M} UTC" if preview.until else ""
    lines = [f"{preview.label} {preview.domain} on {preview.target}{f' until {until}' if until else ''}"]
    lines += [f"  {line}" for line in preview.diff]
    for step in preview.commands:
        lines.append(f"  in {step.target}   {shlex.join(step.argv)}   {step.stdin}".rstrip())
    lines += [f"  {warning}" for warning in preview.warnings]
    undo = f"undone by {preview.undo}" if preview.undo else "nothing undoes it"
    lines.append(f"  {undo}" + (" (mail that leaves cannot be recalled)" if preview.danger is Danger.SENDS else ""))
    return lines


def summary(receipt: Receipt) -> str:
    """The receipt in one line."""
    fates: dict[str, int] = {}
    for outcome in receipt.outcomes:
        fates[outcome.fate] = fates.get(outcome.fate, 0) + 1
    words = ", ".join(f"{count} {fate}" for fate, count in fates.items()) or "nothing"
    dry = "dry run, nothing was sent: " if receipt.dry_run else ""
    undo = f"; undo: {receipt.undo}" if receipt.undo else ""
    return f"{receipt.action} on {receipt.target}: {dry}{words}{'; ' + receipt.error if receipt.error else ''}{undo}"


def as_json(receipt: Receipt) -> dict[str, object]:
    """The receipt's stable form."""
    return {
        "schema": SCHEMA,
        "receipt": receipt.id,
        "action": receipt.action,
        "target": receipt.target,
        "by": receipt.by,
        "at": receipt.at,
        "dry_run": receipt.dry_run,
        "ok": receipt.ok,
        "error": receipt.error,
        "said": shown(receipt.said),
        "open": receipt.open,
        "outcomes": [{"id": one.id, "fate": one.fate, "said": shown(one.said)} for one in receipt.outcomes],
    }
