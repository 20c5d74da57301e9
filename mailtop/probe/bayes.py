"""What SpamAssassin has learned: `bayes_vars` of its database, whichever that is; below 200 of either it is inactive.

Of several users (Bayes of each one's own) the one who has learned most is shown.

The tables are looked for by name in any schema: the platform's is `sa40`. Source: SpamAssassin's bayes_mysql.sql.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mailtop.model.ask import Answer, Asking
from mailtop.model.errors import ParseError
from mailtop.model.sample import Fact, Sample
from mailtop.model.text import Foreign, shown
from mailtop.model.topology import Role, Target
from mailtop.parse import mariadb
from mailtop.probe import Board, Found, Metric, Needs, Probe

LEARNED, NEWEST = "bayes_learned", "bayes_newest_token_age_seconds"
NEEDED = 200  # bayes_min_spam_num and bayes_min_ham_num as shipped

_WHERE = "SELECT table_schema AS db, 'bayes' AS what FROM information_schema.tables WHERE table_name = 'bayes_vars'"
_WHAT = (
    "SELECT username, spam_count, ham_count, IF(newest_token_age > 0, UNIX_TIMESTAMP() - newest_token_age, NULL)"
    " AS age FROM `{schema}`.bayes_vars ORDER BY spam_count + ham_count DESC LIMIT 1"
)
_COLUMNS = [b"username", b"spam_count", b"ham_count", b"age"]


def run(target: Target) -> Asking[Iterable[Found]]:  # noqa: ARG001 — the same question to all
    """Ask where the table is, then what it holds; a server that has none says so."""
    schemas = _rows((yield mariadb.command(_WHERE)), [b"db", b"what"])
    plain = [schema for schema, _ in schemas if schema.replace(b"_", b"").isalnum()]
    if not plain:
        return (Fact("Bayes", "no database of SpamAssassin here"),)
    name = min(plain, key=lambda schema: (schema != b"sa40", schema)).decode()
    return tuple(_read(name, _rows((yield mariadb.command(_WHAT.format(schema=name))), _COLUMNS)))


def _rows(answer: Answer, header: list[bytes]) -> list[list[bytes]]:
    """Return the rows of one result, of which there may be none: then there is no header either."""
    lines = mariadb.rows(mariadb.answered(answer, "mariadb"))
    if lines and (lines[0] != header or any(len(line) != len(header) for line in lines)):
        raise ParseError("mariadb", f"says nothing of Bayes: {shown(Foreign(answer.stdout), 80)!r}")
    return lines[1:]


def _read(schema: str, lines: list[list[bytes]]) -> Iterator[Found]:
    if not lines:
        yield Fact("Bayes", f"inactive: has learned nothing yet ({schema})")
    for line in lines:
        values = dict(zip(_COLUMNS, line, strict=True))
        yield Fact("Bayes of", shown(Foreign(line[0]), 40))
        for kind in ("spam", "ham"):
            count = mariadb.number(values, b"%s_count" % kind.encode())
            if count is not None:
                yield Sample(LEARNED, count, (("kind", kind),))
        age = mariadb.number(values, b"age")
        if age is not None:
            yield Sample(NEWEST, max(0.0, age))


BOARD = Board(
    "filter",
    "bayes",
    (
        Metric(
            LEARNED,
            "learned",
            warn=NEEDED - 1,
            falls=True,
            means="mails learned as spam or ham; below 200 of either Bayes does nothing",
        ),
        Metric(NEWEST, "newest", "s", means="since the newest token was met: learned, or seen in a mail"),
    ),
    order=60,
)

PROBE = Probe("bayes", Role.DATABASE, run, every=600.0, needs=Needs(binary=("sh",)), board=BOARD)
