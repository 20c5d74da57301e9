"""Piler's archive, asked in its container: files that wait or failed, room, and how far its tables and its index are.

Piler's own piler.conf tells the way to both servers; its password goes by the environment, never by an argument. Where
there is none to be read, `pilerstats` tells less. Source of tables and keys: Piler's db-mysql.sql and example.conf.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from mailtop.model.ask import Answer, Command
from mailtop.model.errors import ParseError
from mailtop.model.sample import Fact, Kind, Sample
from mailtop.model.text import Foreign, shown
from mailtop.model.topology import Role
from mailtop.parse import mariadb
from mailtop.probe import Board, Found, Metric, Needs, Poll, Trend

INDEXER_EVERY = 1800.0  # seconds: in plain mode nothing is indexed sooner, by Piler's own crontab
NO_MAIL_YET = 86_400  # what pilerstats says where it knows no newest mail

_TABLES = """
SELECT 'received', SUM(rcvd) FROM counter;
SELECT 'duplicate', SUM(duplicate) FROM counter;
SELECT 'stored', SUM(stored_size) FROM counter;
SELECT 'newest', arrived FROM metadata ORDER BY id DESC LIMIT 1;
SELECT 'queued', COUNT(*) FROM (SELECT 1 FROM sph_index LIMIT 10000) AS waiting;
SELECT 'queued_since', arrived FROM sph_index ORDER BY id LIMIT 1;
SELECT 'fetched', arrived FROM metadata
    WHERE id < COALESCE((SELECT MIN(id) FROM sph_index), ~0) ORDER BY id DESC LIMIT 1;
"""
_BEYOND = """
SELECT 'unindexed', COUNT(*) FROM (SELECT 1 FROM metadata WHERE deleted = 0 AND id > @indexed LIMIT 10000) AS late;
SELECT 'unindexed_since', arrived FROM metadata WHERE deleted = 0 AND id > @indexed ORDER BY id LIMIT 1;
SELECT 'indexed', arrived FROM metadata WHERE id <= @indexed ORDER BY id DESC LIMIT 1;
"""
_SCRIPT = r"""
say() { printf '%s\t%s\n' "$1" "$2"; }
value() { sed -n "s/^$1=//p" "$conf" | tail -n 1; }
ask() { "$client" --batch --skip-column-names --connect-timeout=3 "$@" 2>&1; }
failure() { printf '%s\n' "$1" | tail -n 1 | tr '\t' ' '; }
say clock "$(date +%s)"
[ -r /var/piler/error ] && say failed "$(find /var/piler/error -type f | head -n 10000 | wc -l)"
[ -r /var/piler/tmp ] && find /var/piler/tmp -mindepth 2 -type f ! -name '.*' -printf '%T@\n' | head -n 10000 |
    awk '!n++ || $1 < oldest { oldest = $1 } END { print "waiting\t" n + 0; if (n) print "waiting_since\t" oldest }'
df -P -k /var/piler/store | awk 'NR == 2 { print "used\t" $(NF - 3) "\navailable\t" $(NF - 2) }'
conf=/etc/piler/piler.conf
[ -r "$conf" ] || conf=/usr/local/etc/piler/piler.conf
client=$(command -v mariadb || command -v mysql)
if [ ! -r "$conf" ] || [ -z "$client" ]; then
    say stats "$(pilerstats | tr -d '\n\t')"
    exit 0
fi
sql=$1
say rtindex "$(value rtindex)"
if [ "$(value rtindex)" = 1 ]; then
    host=$(value sphxhost) port=$(value sphxport)
    said=$(ask -h"${host:-127.0.0.1}" -P"${port:-9306}" --protocol=tcp --loose-skip-ssl \
        -e 'SELECT MAX(id) FROM piler1') && case $said in '' | NULL) said=0 ;; esac
    case $said in
    '' | *[!0-9]*) say index_error "$(failure "$said")" ;;
    *) sql="SET @indexed = $said; $sql $2" ;;
    esac
fi
host=$(value mysqlhost) port=$(value mysqlport) socket=$(value mysqlsocket)
if [ -n "$host" ]; then set -- -h"$host" -P"${port:-3306}" --protocol=tcp; else set -- -S"$socket"; fi
export MYSQL_PWD="$(value mysqlpwd)"
said=$(ask "$@" -u"$(value mysqluser)" --loose-skip-ssl-verify-server-cert -e "$sql" "$(value mysqldb)") &&
    printf '%s\n' "$said" || say database_error "$(failure "$said")"
"""
ASK = Command(("sh", "-c", _SCRIPT, "piler", _TABLES, _BEYOND), large=True)

_GAUGES = ((b"failed", "piler_failed_files"), (b"waiting", "piler_waiting_files"), (b"stored", "piler_store_bytes"))
_TOTALS = ((b"received", "piler_received_total"), (b"duplicate", "piler_duplicates_total"))
_AGES = ((b"waiting_since", "piler_waiting_oldest_seconds"), (b"newest", "piler_newest_seconds"))


class Stats(msgspec.Struct):
    """What pilerstats says, of which this is used. `last_email`: seconds."""

    rcvd: int
    ssize: int
    last_email: int


def read(answer: Answer) -> Iterator[Found]:
    """Yield all that could be told; a server that could not be reached is down, one that says no tells why."""
    values = mariadb.by_name(mariadb.rows(answer.ok("piler")))
    clock = mariadb.number(values, b"clock")
    if clock is None:
        raise ParseError("piler", f"tells no time: {shown(Foreign(answer.stdout), 80)!r}")
    if b"stats" in values:
        values |= _stats(values[b"stats"], clock)
    for names, kind in ((_GAUGES, Kind.GAUGE), (_TOTALS, Kind.TOTAL)):
        for name, sample in names:
            value = mariadb.number(values, name)
            if value is not None:
                yield Sample(sample, value, kind=kind)
    for name, sample in _AGES:
        since = mariadb.number(values, name)
        if since is not None:
            yield Sample(sample, max(0.0, round(clock - since, 1)))
    used, available = mariadb.number(values, b"used"), mariadb.number(values, b"available")
    if used is not None and available is not None and used + available:
        yield Sample("piler_store_available_bytes", available * 1024)
        yield Sample("piler_store_free_ratio", round(available / (used + available), 4))
    if b"stats" in values:
        yield Fact("database", "not asked: no piler.conf to read, or no client")
    if b"rtindex" in values:
        yield from _servers(values)
        yield from _lag(values, clock)


def _stats(said: bytes, clock: float) -> dict[bytes, bytes]:
    """Read pilerstats as if the tables had been asked; it says nothing at all when a server is away."""
    if not said:
        return {}
    try:
        stats = msgspec.json.decode(said, type=Stats)
    except msgspec.DecodeError as error:
        raise ParseError("pilerstats", f"not what it was: {shown(Foreign(said), 80)!r}") from error
    known = {b"received": b"%d" % stats.rcvd, b"stored": b"%d" % stats.ssize}
    return known if stats.last_email == NO_MAIL_YET else known | {b"newest": b"%d" % (clock - stats.last_email)}


def _servers(values: dict[bytes, bytes]) -> Iterator[Found]:
    """Yield which servers Piler can reach, and what one that cannot be asked says."""
    asked = [("database", b"database_error")] + [("index", b"index_error")] * (values[b"rtindex"] == b"1")
    for server, key in asked:
        error = values.get(key)
        if error is None or error.startswith(b"ERROR 200"):  # the client's own: nobody there, no such name
            yield Sample("piler_server_up", int(error is None), (("server", server),))
        if error is not None:
            yield Fact(server, shown(Foreign(error), 120))


def _lag(values: dict[bytes, bytes], clock: float) -> Iterator[Found]:
    """Yield what is archived and not to be found yet: by the index's largest id, or by the queue of the indexer.

    `piler_searchable_seconds`: since the newest mail that a search finds was archived.
    """
    rt = values[b"rtindex"] == b"1"
    yield Fact("indexing", "as mail comes (rt)" if rt else "by the indexer")
    documents = mariadb.number(values, b"unindexed" if rt else b"queued")
    since = mariadb.number(values, b"unindexed_since" if rt else b"queued_since")
    found = mariadb.number(values, b"indexed" if rt else b"fetched")
    if found is not None:
        yield Sample("piler_searchable_seconds", max(0.0, round(clock - found, 1)))
    if documents is None:
        return
    yield Sample("piler_unindexed_documents", documents)
    late = 0.0 if since is None else clock - since - (0.0 if rt else INDEXER_EVERY)
    yield Sample("piler_unindexed_seconds", max(0.0, round(late, 1)))


BOARD = Board(
    "archive",
    "archive",
    (
        Metric("piler_received_total", "archived", means="mails that Piler took, duplicates among them"),
        Metric("piler_duplicates_total", "duplicates", means="mails that it had already"),
        Metric("piler_newest_seconds", "newest", "s", means="since the newest mail was archived"),
        Metric(
            "piler_waiting_files", "waiting", "", 500.0, 5000.0, means="received, not archived yet (at most 10,000)"
        ),
        Metric("piler_waiting_oldest_seconds", "oldest", "s", 300.0, 1800.0, means="how long the oldest of them waits"),
        Metric(
            "piler_unindexed_documents",
            "not indexed",
            "",
            500.0,
            5000.0,
            means="archived, but no search finds it yet (at most 10,000)",
        ),
        Metric(
            "piler_unindexed_seconds",
            "index lag",
            "s",
            300.0,
            1800.0,
            means="how long the oldest of them is archived; where an indexer runs, beyond its half hour",
            glance="index behind",
        ),
        Metric(
            "piler_searchable_seconds",
            "searchable",
            "s",
            means="since the newest mail that a search finds was archived",
        ),
        Metric("piler_failed_files", "failed", "", 1.0, means="files in /var/piler/error (at most 10,000)"),
        Metric("piler_server_up", "reaches", crit=0.0, falls=True, means="1: Piler's container reaches that server"),
        Metric("piler_store_bytes", "store", "B", means="what Piler has stored, packed, by its own count"),
        Metric("piler_store_free_ratio", "free", "%", 0.20, 0.10, falls=True, means="of the store's filesystem"),
        Metric("piler_store_available_bytes", "room", "B", means="left on the store's filesystem"),
        Metric(
            "piler_store_full_seconds",
            "full in",
            "s",
            30 * 86_400.0,
            7 * 86_400.0,
            falls=True,
            means="until the store's filesystem is full, where a trend is known",
        ),
    ),
    order=10,
    trends=(Trend("piler_store_available_bytes", "piler_store_full_seconds"),),
)


def cost(found: tuple[Found, ...], took: float) -> float:  # noqa: ARG001 — the time is mostly the servers'
    """A dozen programs, two of them clients of a database."""
    return 0.06


PROBE = Poll("piler_archive", Role.ARCHIVE, ASK, read, every=60.0, needs=Needs(binary=("sh",)), cost=cost, board=BOARD)
