"""Which log is chosen: by what Postfix is told, by what is written to, and by what may be read."""

from __future__ import annotations

import pytest

from mailtop.engine.log_source import log_source
from mailtop.model.ask import Answer, Asking, Command
from mailtop.model.errors import LinkLost, Missing
from mailtop.model.topology import Target

HOST, CONTAINER = Target("mail3"), Target("mail3", "postfix")
NOW = 1795507384
ENTRY = b'{"__CURSOR":"s=a;i=1","__REALTIME_TIMESTAMP":"%d000000","MESSAGE":"x"}\n'
FILE = "%d 4096 81a0 %s\n"


class There:
    """A machine: what its programs say. A program that is not here is not there."""

    def __init__(self, **says: str | bytes | Answer) -> None:
        self.says = says
        self.unreadable: set[str] = set()

    def chosen(self, target: Target) -> str:
        asking: Asking[str] = log_source(target)
        try:
            ask = next(asking)
            while True:
                assert isinstance(ask, Command)
                name = ask.argv[0]
                if name == "test":
                    ask = asking.send(Answer(b"", exit=ask.argv[2] in self.unreadable))
                elif name not in self.says:
                    ask = asking.throw(Missing(name, "not there"))
                else:
                    said = self.says[name]
                    said = said.encode() if isinstance(said, str) else said
                    ask = asking.send(said if isinstance(said, Answer) else Answer(said))
        except StopIteration as stop:
            return str(stop.value)


def test_maillog_file_is_the_log_and_a_container_that_logs_to_its_output_is_read_by_its_engine() -> None:
    assert There(postconf="maillog_file = /var/log/mail.log\n").chosen(HOST) == "/var/log/mail.log"
    assert (
        There(postconf="maillog_file = /dev/stdout\n", readlink="/proc/7/fd/pipe:[1]\n").chosen(CONTAINER) == "docker"
    )
    assert There(postconf="maillog_file = /dev/stdout\n", readlink="/dev/null\n").chosen(HOST) == "journald:mail"
    link = There(postconf="maillog_file = /var/log/mail.log\n", readlink="/dev/pts/0\n")
    assert link.chosen(CONTAINER) == "docker"


def test_syslog_has_it_in_the_file_that_is_written_to() -> None:
    files = FILE % (NOW, "/var/log/syslog") + FILE % (NOW - 3, "/var/log/mail.log")
    assert There(postconf="maillog_file =\n", stat=files).chosen(HOST) == "/var/log/mail.log"
    messages = FILE % (NOW, "/var/log/messages") + FILE % (NOW - 86400, "/var/log/syslog")
    assert There(stat=messages).chosen(HOST) == "/var/log/messages"


def test_a_file_that_nobody_writes_to_any_more_gives_way_to_the_journal() -> None:
    there = There(stat=FILE % (NOW - 86400, "/var/log/mail.log"), journalctl=ENTRY % NOW)
    assert there.chosen(HOST) == "journald:mail"
    there = There(stat=FILE % (NOW - 5, "/var/log/mail.log"), journalctl=ENTRY % NOW)
    assert there.chosen(HOST) == "/var/log/mail.log"


def test_another_facility_is_looked_for_in_the_journal() -> None:
    assert There(postconf="syslog_facility = local3\n", journalctl=ENTRY % NOW).chosen(HOST) == "journald:local3"


def test_what_may_not_be_read_gives_way_to_what_may_and_is_named_where_nothing_may() -> None:
    there = There(stat=FILE % (NOW, "/var/log/mail.log"), journalctl=ENTRY % NOW)
    there.unreadable.add("/var/log/mail.log")
    assert there.chosen(HOST) == "journald:mail"
    there.says["journalctl"] = Answer(b"", b"No journal files were opened due to insufficient permissions.\n", 1)
    assert there.chosen(HOST) == "/var/log/mail.log"
    there.says["stat"] = ""
    assert there.chosen(HOST) == "journald:mail"


def test_a_container_of_which_nothing_is_found_out_is_read_by_its_engine_and_a_host_says_so() -> None:
    assert There().chosen(CONTAINER) == "docker"
    with pytest.raises(Missing, match="mail3: log: found in no file and in no journal"):
        There().chosen(HOST)


def test_a_lost_connection_is_no_answer() -> None:
    asking = log_source(HOST)
    next(asking)
    with pytest.raises(LinkLost):
        asking.throw(LinkLost("mail3", "gone"))
