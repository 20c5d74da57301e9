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
    hop = search_hop([INDEX, ARCHIVE], 10.0)

    assert (hop.p95.value, hop.deferred.value, hop.oldest.value) == (0.2, 6000.0, 400.0)
    assert (hop.deferred.health, hop.failing, hop.note) == (Health.CRIT, "not indexed", "")
    assert hop.hosts == (("mail1", Health.CRIT),)
    assert hop.rate.value is None
    assert (hop.last_success.value, hop.last_success.health) == (None, Health.CRIT)
    assert hop.last_success.note == "6000 archived mails wait for the index, the oldest is 7 min late"


def test_without_an_archive_nothing_is_known_and_it_says_so() -> None:
    hop = search_hop([], 10.0)

    assert hop.note == "no archive found yet"
    assert (hop.deferred.value, hop.deferred.health, hop.hosts) == (None, Health.UNKNOWN, ())


def test_what_is_old_is_no_failure_of_now_and_says_why() -> None:
    hop = search_hop([replace(ARCHIVE, stale=True, health=Health.UNKNOWN, note="mail1: no connection")], 10.0)

    assert (hop.failing, hop.note) == ("", "mail1: no connection")
    assert hop.hosts == (("mail1", Health.UNKNOWN),)


def archive(searchable: float, waits: float, many: float) -> Block:
    names = {
        "piler_searchable_seconds": searchable,
        "piler_unindexed_seconds": waits,
        "piler_unindexed_documents": many,
    }
    return replace(
        ARCHIVE,
        figures=tuple(Figure(name, "", reading=Reading(value, Health.OK, 5.0)) for name, value in names.items()),
    )


def test_the_last_success_is_the_newest_mail_that_a_search_finds_and_it_ages() -> None:
    reading = search_hop([archive(40.0, 0.0, 0)], 10.0).last_success

    assert (reading.value, reading.health, reading.at) == (45.0, Health.OK, 5.0)


def test_mail_that_waits_for_the_index_for_minutes_is_critical_and_a_quiet_day_is_not() -> None:
    late, soon, quiet = archive(900.0, 300.0, 7), archive(900.0, 299.0, 7), archive(86_400.0, 0.0, 0)

    assert [search_hop([one], 5.0).last_success.health.value for one in (late, soon, quiet)] == ["crit", "ok", "ok"]
    both = search_hop([quiet, late], 5.0).last_success
    assert (both.value, both.note) == (900.0, "7 archived mails wait for the index, the oldest is 5 min late")


def test_what_an_archive_said_before_it_fell_silent_is_no_success_of_now() -> None:
    old = replace(archive(40.0, 400.0, 7), stale=True, health=Health.UNKNOWN, note="mail1: no connection")
    reading = search_hop([old], 100.0).last_success

    assert (reading.value, reading.health, reading.stale, reading.note) == (
        135.0, Health.UNKNOWN, True, "mail1: no connection",
    )  # fmt: skip
