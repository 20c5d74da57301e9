"""The filter of the queue as it is typed: `sender:ann !to:~gmail size>1M age>2h "over quota"`.

Words are ANDed. Plain text is looked for in id, sender, recipients and reason, in any case. `field:text` looks in one
of them; `!` in front means not; `~` in front of the text means its letters in this order, with anything between.
Quotes keep spaces and colons together. `sender:<>` is the null sender.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from math import ceil, floor
from typing import NamedTuple

from mailtop.model.errors import UsageError
from mailtop.parse.columns import Texts, in_order
from mailtop.parse.postqueue import OTHER_DOMAINS, QUEUES, Listing

TEXT_FIELDS = ("id", "sender", "to", "domain", "reason", "queue")
NUMBER_FIELDS = ("size", "age", "recipients")

_WORD = re.compile(
    r"""(?P<bang>!?)(?:(?P<field>[a-z]+)(?P<op>[:<>]))?(?P<fuzzy>~?)(?:"(?P<quoted>[^"]*)"|(?P<plain>[^\s"]+))?(?=\s|$)""",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(\d+(?:\.\d+)?)([a-z]?)", re.IGNORECASE)
_SIZES = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_AGES = {"": 60, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_EXPECTED = (
    f"one of {', '.join(f'{field}:text' for field in TEXT_FIELDS)}, "
    f'{", ".join(f"{field}>number" for field in NUMBER_FIELDS)}, or "quoted text"'
)

Mask = bytes
"""One byte a row: 1 where the row matches."""


class Term(NamedTuple):
    """One word of a filter. `field` empty: anywhere. `op` is `:` for text, `<` or `>` for `number`."""

    field: str
    op: str
    text: bytes
    number: float
    negate: bool
    fuzzy: bool


def terms(where: str) -> tuple[Term, ...]:
    """Parse a filter; raises UsageError saying what was expected.

    >>> [(term.field, term.text) for term in terms("sender:Ann quota")]
    [('sender', b'ann'), ('', b'quota')]
    """
    found: list[Term] = []
    position = 0
    where = where.strip()
    while position < len(where):
        word = _WORD.match(where, position)
        if not word or word.end() == position:
            raise UsageError(f"filter {where!r}", f"cannot read {where[position:]!r}", "close the quote")
        found.append(_term(word))
        position = word.end() + len(where[word.end() :]) - len(where[word.end() :].lstrip())
    return tuple(found)


def matching(listing: Listing, where: str, at: float) -> Mask | None:
    """Return which rows match, None for all of them. `at`: now, for ages. Raises UsageError."""
    mask: Mask | None = None
    for term in terms(where):
        found = _mask(listing, term, at)
        if term.negate:
            found = _not(found)
        mask = found if mask is None else both(mask, found)
    return mask


def both(one: Mask, other: Mask) -> Mask:
    """AND of two masks: one big number each, so a million rows take a millisecond."""
    return (int.from_bytes(one, "little") & int.from_bytes(other, "little")).to_bytes(len(one), "little")


def either(one: Mask, other: Mask) -> Mask:
    """OR of two masks."""
    return (int.from_bytes(one, "little") | int.from_bytes(other, "little")).to_bytes(len(one), "little")


def spread(chosen: bytes, column: Sequence[int]) -> Mask:
    """Return the mask of rows whose table index in `column` is chosen (a byte an index)."""
    if chosen.count(chosen[:1]) == len(chosen):  # all or none: no need to look
        return chosen[:1] * len(column)
    return bytes(map(chosen.__getitem__, column))


def _not(mask: Mask) -> Mask:
    return mask.translate(bytes([1, 0]) + bytes(254))


def _term(word: re.Match[str]) -> Term:
    name, op = (word["field"] or "").lower(), word["op"] or ":"
    text = word["quoted"] if word["quoted"] is not None else word["plain"] or ""
    shown = word.group()
    if name and name not in (TEXT_FIELDS if op == ":" else NUMBER_FIELDS):
        raise UsageError(f"filter {shown!r}", f"there is no {name}{op}", f"use {_EXPECTED}")
    if not text:
        raise UsageError(f"filter {shown!r}", "nothing to look for", f"use {_EXPECTED}")
    if op == ":":
        return Term(
            name, op, text.lower().encode("utf-8", "surrogateescape"), 0.0, bool(word["bang"]), bool(word["fuzzy"])
        )
    units = _AGES if name == "age" else _SIZES if name == "size" else {"": 1}
    number = _NUMBER.fullmatch(text)
    if not number or number[2].lower() not in units:
        example = {"age": "age>90m (s m h d; minutes without)", "size": "size>1.5M (k M G)"}.get(name, "recipients>10")
        raise UsageError(f"filter {shown!r}", f"{text!r} is no {name}", f"write it like {example}")
    return Term(name, op, b"", float(number[1]) * units[number[2].lower()], bool(word["bang"]), False)


def _mask(listing: Listing, term: Term, at: float) -> Mask:
    match term.field:
        case "size":
            return _compared(listing.size, term.op, term.number)
        case "recipients":
            return _compared(listing.count, term.op, term.number)
        case "age":
            return _compared(listing.arrival, "<" if term.op == ">" else ">", at - term.number)
        case "id":
            return _texts(listing.ids, term)
        case "to":
            return _texts(listing.recipients, term)
        case "sender":
            return _senders(listing, term)
        case "domain" | "reason" | "queue":
            return _cells(listing, term)
        case _:
            return _anywhere(listing, term)


def _anywhere(listing: Listing, term: Term) -> Mask:
    """Where a row has the text at all; who has it in every row is not looked for any further."""
    found = either(_senders(listing, term), _cells(listing, term))
    for texts in (listing.recipients,) if term.fuzzy else (listing.recipients, listing.ids):  # any letters fit some id
        if 0 not in found:
            break
        found = either(found, _texts(texts, term))
    return found


def _compared(column: Sequence[int], op: str, limit: float) -> Mask:
    """Whole numbers are larger than a limit where they are larger than its whole part."""
    return bytes(map(floor(limit).__lt__ if op == ">" else ceil(limit).__gt__, column))


def _texts(column: Texts, term: Term) -> Mask:
    return column.fuzzy(term.text) if term.fuzzy else column.holding(term.text)


def _senders(listing: Listing, term: Term) -> Mask:
    if term.text == b"<>":
        return spread(bytes(not sender for sender in listing.senders), listing.sender)
    test = _test(term)
    return spread(bytes(test(sender.lower()) for sender in listing.senders), listing.sender)


def _cells(listing: Listing, term: Term) -> Mask:
    test = _test(term)
    reasons = bytes(test(reason.lower()) for reason in listing.reasons)
    domains = bytes(test(domain) for domain in listing.domains)
    queues = bytes(test(queue.value.encode()) for queue in QUEUES)
    match term.field:
        case "reason":
            chosen = bytes(reasons[cell.reason] for cell in listing.cells)
        case "domain":
            chosen = bytes(domains[cell.domain] for cell in listing.cells)
        case "queue":
            chosen = bytes(queues[cell.queue] for cell in listing.cells)
        case _:  # plain text: recipients hold their domains, and nobody means a queue by it
            chosen = bytes(reasons[cell.reason] for cell in listing.cells)
    mask = spread(chosen, listing.cell)
    if term.field == "domain" and OTHER_DOMAINS in listing.domains:
        rest = spread(bytes(listing.domains[cell.domain] == OTHER_DOMAINS for cell in listing.cells), listing.cell)
        by_name = listing.recipients.matching(re.compile(rb"[^\0]*@[^\0]*" + re.escape(term.text)).match)
        mask = either(mask, both(rest, by_name))
    return mask


def _test(term: Term) -> Callable[[bytes], bool]:
    if term.fuzzy:
        match = in_order(term.text)
        return lambda text: match(text) is not None
    return lambda text: term.text in text
