"""The book as samples, named as Prometheus would."""

from __future__ import annotations

from collections.abc import Iterator

from mailtop.ledger.book import Ledger
from mailtop.ledger.entry import BOUNCED, STATUSES
from mailtop.ledger.hops import HOPS
from mailtop.model.sample import Kind, Sample

_SHARES = (0.5, 0.95)
_LOG = ("lines", "foreign", "unreadable")


def counts(book: Ledger, now: float) -> list[Sample]:
    """Return all figures of one MTA's book.

    Totals only rise; `postfix_last_success_seconds` is a time since the epoch and absent where there was none;
    quantiles are of first attempts in the last ten minutes and absent where there was none.
    """
    book.settle(now)
    return [*_mail(book, now), *_deliveries(book), *_delays(book, now), *_rest(book)]


def _mail(book: Ledger, now: float) -> Iterator[Sample]:
    yield _total("postfix_accepted_total", book.accepted)
    yield _total("postfix_submitted_total", book.submitted)
    yield _total("postfix_removed_total", book.totals["removed"])
    yield _total("postfix_expired_total", book.totals["expired"])
    yield Sample("postfix_live_messages", book.live)
    yield _total("postfix_evicted_messages_total", book.evicted)
    if last := book.last_accepted(now):
        yield Sample("postfix_last_accepted_seconds", last)
    for hop, at in zip(HOPS, book.last_success, strict=True):
        if at:
            yield Sample("postfix_last_success_seconds", at, (("hop", hop),))


def _deliveries(book: Ledger) -> Iterator[Sample]:
    width = len(STATUSES)
    for row, hop in enumerate(HOPS):
        for status, word in enumerate(STATUSES):
            labels = (("hop", hop.value), ("status", word))
            if book.attempts[row * width + status] or status <= BOUNCED:
                yield _total("postfix_deliveries_total", book.attempts[row * width + status], labels)
                yield _total("postfix_messages_total", book.messages[row * width + status], labels)


def _delays(book: Ledger, now: float) -> Iterator[Sample]:
    for hop, stages in book.delays(now, *_SHARES).items():
        for stage, found in stages.items():
            for share, seconds in zip(_SHARES, found, strict=True):
                labels = (("hop", hop.value), ("quantile", f"{share:g}"))
                if stage == "bcd":
                    yield Sample("postfix_delay_seconds", seconds, labels)
                else:
                    yield Sample("postfix_stage_seconds", seconds, (*labels, ("stage", stage)))


def _rest(book: Ledger) -> Iterator[Sample]:
    for code, count in sorted(book.refusals.codes.items()):
        yield _total("postfix_rejects_total", count, (("code", str(code)),))
    yield _total("postfix_sasl_failures_total", book.refusals.sasl_failures)
    yield _total("postfix_connects_total", book.totals["connects"])
    yield _total("postfix_tls_connects_total", book.totals["tls"])
    for kind, count in sorted(book.alarms.items()):
        yield _total("postfix_warnings_total", count, (("kind", str(kind)),))
    for what in ("started", "stopped", "reloaded"):
        yield _total(f"postfix_{what}_total", book.totals[what])
    for what in _LOG:
        yield _total(f"postfix_log_{what}_total", book.totals[what])


def _total(name: str, value: float, labels: tuple[tuple[str, str], ...] = ()) -> Sample:
    return Sample(name, value, labels, Kind.TOTAL)
