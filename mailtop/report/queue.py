"""`mailtop queue`: what waits, and for what."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterator
from typing import TextIO

from mailtop.engine.console import Console
from mailtop.model.mail import QueueEntry
from mailtop.model.snapshot import AGES, Link, Page, PageAsk, Shape
from mailtop.model.text import shown
from mailtop.report.ready import first_reading
from mailtop.report.snapshot import cause_json

SCHEMA = "mailtop.queue/1"
KINDS = {"cause": "causes", "domain": "shape", "message": "messages"}
LIMIT = 10_000
UNREACHABLE = 3


async def run(console: Console, options: Namespace, out: TextIO, err: TextIO) -> int:
    """Print one page, large; 3 where nothing at all is known."""
    snapshot = await first_reading(console, listing=True)
    page = await console.page(PageAsk(KINDS[options.by], where=options.where, limit=LIMIT))
    rows = _rows(page)
    if options.json:
        document = {
            "schema": SCHEMA,
            "at": page.at,
            "total": page.total,
            "known": page.known,
            "unknown": page.unknown,
            "rows": rows,
        }
        if page.shapes:
            document["buckets_minutes"] = list(AGES)
        json.dump(document, out, ensure_ascii=False, indent=1)
        out.write("\n")
    else:
        out.writelines(f"{line}\n" for line in _text(page))
        if page.total > len(rows):
            err.write(f"mailtop: {page.total - len(rows):,} more; narrow with --where\n")
    if page.unknown:
        err.write(f"mailtop: not all is known: {page.unknown}\n")
    for host in snapshot.hosts:
        if host.link is not Link.UP:
            err.write(f"mailtop: {host.note}\n")
    return UNREACHABLE if page.unknown and not page.total else 0


def _rows(page: Page) -> list[dict[str, object]]:
    return [*map(cause_json, page.causes), *map(_shape, page.shapes), *map(_message, page.messages)]


def _shape(shape: Shape) -> dict[str, object]:
    return {"domain": shown(shape.domain), "total": shape.total, "buckets": list(shape.buckets)}


def _message(row: QueueEntry) -> dict[str, object]:
    return {
        "target": row.key.target,
        "id": row.key.id,
        "queue": row.queue,
        "arrival": row.arrival,
        "size": row.size,
        "sender": shown(row.sender),
        "recipient": shown(row.recipient),
        "recipients": row.recipients,
        "reason": shown(row.reason),
        "hop": row.hop,
    }


def _text(page: Page) -> Iterator[str]:
    for cause in page.causes:
        waits = cause.deferred + cause.active + cause.held + cause.bounced
        who, where = shown(cause.sender, 40) or "<>", shown(cause.next_hop, 40) or "–"
        yield f"{waits:7}  {cause.target}  {where}  {shown(cause.reason, 100)}  ({who})"
    for shape in page.shapes:
        yield f"{shape.total:7}  {shown(shape.domain, 60):40}  " + " ".join(f"{count:5}" for count in shape.buckets)
    for row in page.messages:
        way = f"{shown(row.sender, 60) or '<>'} → {shown(row.recipient, 60)}"
        yield f"{row.key.target}  {row.key.id}  {row.queue:8}  {way}  {shown(row.reason, 100)}"
