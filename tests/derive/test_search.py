"""The hop into the index: what the archive's probes tell of it, and what nobody knows."""

from __future__ import annotations

from msgspec.structs import replace

from mailtop.derive.search import search_hop
from mailtop.model.board import Block, Figure
from mailtop.model.snapshot import Health, Reading

INDEX = Block("mail1/manticore", "manticore", "index", Health.OK, 5.0, figures=(
    Figure("manticore_search_seconds", "search", "", "s", Reading(0.2, Health.OK, 5.0)),
))  # fmt: skip
ARCHIVE = Block("mail1/piler", "piler_archive", "archive", Health.CRIT, 5.0, figures=(
    Figure("piler_unindexed_documents", "not indexed", "", "", Reading(6000.0, Health.CRIT, 5.0)),
    Figure("piler_unindexed_seconds", "index lag", "", "s", Reading(400.0, Health.WARN, 5.0)),
))  # fmt: skip


def test_what_waits_for_the_index_and_for_how_long() -> None:
    hop = search_hop([INDEX, ARCHIVE])

    assert (hop.p95.value, hop.deferred.value, hop.oldest.value) == (0.2, 6000.0, 400.0)
    assert (hop.deferred.health, hop.failing, hop.note) == (Health.CRIT, "not indexed", "")
    assert hop.hosts == (("mail1", Health.CRIT),)
    assert hop.rate.value is None


def test_without_an_archive_nothing_is_known_and_it_says_so() -> None:
    hop = search_hop([])

    assert hop.note == "no archive found yet"
    assert (hop.deferred.value, hop.deferred.health, hop.hosts) == (None, Health.UNKNOWN, ())


def test_what_is_old_is_no_failure_of_now_and_says_why() -> None:
    hop = search_hop([replace(ARCHIVE, stale=True, health=Health.UNKNOWN, note="mail1: no connection")])

    assert (hop.failing, hop.note) == ("", "mail1: no connection")
    assert hop.hosts == (("mail1", Health.UNKNOWN),)
