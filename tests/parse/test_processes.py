"""What runs on a host, from what /proc says: on the host itself, in its containers, in a container that is a host."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtop.model.ask import Answer
from mailtop.model.errors import MailtopError, Missing, ParseError
from mailtop.parse.processes import read

OURS, THEIRS = "fe" * 32, "2e" * 32
V1 = f"""\
/proc/1/comm:docker-init
/proc/1/cgroup:9:name=systemd:/docker/{OURS}
/proc/1/cgroup:8:pids:/docker/{OURS}
/proc/1/cgroup:0::/docker/{OURS}
/proc/31/comm:keepalived
/proc/31/cgroup:9:name=systemd:/docker/{OURS}
/proc/44/comm:qmgr
/proc/44/cgroup:9:name=systemd:/docker/{OURS}/docker/{THEIRS}
   0: 00000000:0019 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 7301 1 0 100 0 0 10 0
   1: 0B00007F:AA35 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 7302 1 0 100 0 0 10 0
"""
V2 = f"""\
/proc/1/comm:systemd
/proc/1/cgroup:0::/init.scope
/proc/700/comm:master
/proc/700/cgroup:0::/system.slice/system-postfix.slice/postfix@-.service
/proc/701/comm:qmgr
/proc/701/cgroup:0::/system.slice/system-postfix.slice/postfix@-.service
/proc/812/comm:dovecot
/proc/812/cgroup:0::/system.slice/docker-{THEIRS}.scope
/proc/900/comm:clamd
/proc/900/cgroup:0::/lxc.payload.av/system.slice/clamav-daemon.service
"""


def test_a_container_that_is_a_host_has_its_own_processes_and_those_of_its_containers() -> None:
    found = read(Answer(V1.encode()))

    assert found.own == {"docker-init", "keepalived"}
    assert found.inside == {THEIRS: {"qmgr"}}
    assert found.ports == {25, 0xAA35}
    assert found.whole


def test_a_host_with_systemd_tells_units_and_leaves_out_what_is_in_a_container() -> None:
    found = read(Answer(V2.encode()))

    assert found.own == {"systemd", "master", "qmgr"}
    assert found.units == {"master": "postfix@-.service", "qmgr": "postfix@-.service"}
    assert found.inside[THEIRS] == {"dovecot"}
    assert "clamd" not in found.own


def test_hidden_processes_are_not_taken_for_none() -> None:
    found = read(Answer(b"/proc/90/comm:sh\n   0: 00000000:0019 00000000:0000 0A 0\n"))

    assert (found.whole, found.ports) == (False, frozenset({25}))


def test_a_name_of_a_stranger_is_made_drawable() -> None:
    found = read(Answer(b"/proc/90/comm:\x1b[31mqmgr\n"))

    assert found.own == {"\\x1b[31mqmgr"}


def test_no_process_at_all_is_an_error_and_no_empty_host() -> None:
    with pytest.raises(ParseError, match="shows no process"):
        read(Answer(b""))
    with pytest.raises(Missing):
        read(Answer(b"", b"sh: grep: not found", 127))


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(said: bytes) -> None:
    try:
        read(Answer(b"/proc/1/comm:x\n" + said))
    except MailtopError:
        pytest.fail("one process was shown")
