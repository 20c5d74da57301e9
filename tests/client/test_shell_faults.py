"""Shells on a connection that misbehaves: the right error, in bounded time, and the next ask works again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic  # noqa: TID251 - a test that a wait is bounded

import pytest

from mailtop.client.shell import GRACE, LOGIN, Lanes, Shell, run_once
from mailtop.model.ask import Command, Put
from mailtop.model.errors import AskFailed, Denied, Garbled, LinkLost, TimedOut
from mailtop.transport.local import Local
from tests.fault.transport import Cut, Delay, Drip, Fault, Garble, HalfClose, Misbehaving, Refuse, Stall

HELLO = 33 + 1 + 34 + 2  # bytes of the start's frame on stdout: MARK+⏎, ⏎MARK=0⏎
PING = Command(("echo", "PONG"), timeout=0.3)


@contextmanager
def host(*script: Fault | None) -> Iterator[Misbehaving]:
    host = Misbehaving(Local("mail1"), script)
    yield host
    host.close()


FAULTS = [
    pytest.param(Stall(), TimedOut, id="silent from the start"),
    pytest.param(Stall(after=20), TimedOut, id="silent within the start's mark"),
    pytest.param(Stall(after=HELLO), TimedOut, id="silent before the answer"),
    pytest.param(Stall(after=HELLO + 36), TimedOut, id="silent within the answer"),
    pytest.param(Cut(), LinkLost, id="cut at once"),
    pytest.param(Cut(after=HELLO + 36), LinkLost, id="cut within the answer"),
    pytest.param(HalfClose(), LinkLost, id="ended at once"),
    pytest.param(HalfClose(after=HELLO), LinkLost, id="ended before the answer"),
    pytest.param(HalfClose(after=HELLO + 36), LinkLost, id="ended within the answer"),
    pytest.param(Garble(after=HELLO), Garbled, id="junk before the answer"),
    pytest.param(Garble(after=HELLO + 20), Garbled, id="junk in the first mark"),
    pytest.param(Garble(after=HELLO + 34 + 5 + 10), TimedOut, id="junk in the last mark"),
    pytest.param(Garble(after=HELLO + 34 + 5 + 34), Garbled, id="junk in the status"),
    pytest.param(Refuse(Denied("mail1", "no session")), Denied, id="no channel"),
]


@pytest.mark.parametrize(("fault", "error"), FAULTS)
def test_a_fault_costs_one_answer_and_bounded_time(fault: Fault, error: type[AskFailed]) -> None:
    with host(fault) as mail1:
        shell = Shell(lambda: mail1.open(LOGIN))
        start = monotonic()
        with pytest.raises(error):
            shell.run(PING)
        assert monotonic() - start < 2 * (PING.timeout + GRACE) + 1

        assert shell.run(PING).stdout == b"PONG\n"
        assert mail1.opened == [LOGIN, LOGIN]
        shell.close()


@pytest.mark.parametrize(("fault", "error"), FAULTS[:1] + FAULTS[4:5] + FAULTS[-1:])
def test_lanes_get_over_a_fault(fault: Fault, error: type[AskFailed]) -> None:
    with host(fault) as mail1:
        lanes = Lanes(lambda: mail1.open(LOGIN))
        with pytest.raises(error):
            lanes.run(PING)
        assert lanes.run(PING).stdout == b"PONG\n"
        lanes.close()


@pytest.mark.parametrize("fault", [Drip(), Delay(0.01)])
def test_a_slow_line_changes_no_answer(fault: Fault) -> None:
    with host(fault, fault) as mail1:
        shell = Shell(lambda: mail1.open(LOGIN))
        answer = shell.run(Command(("sh", "-c", "printf 'a\\0b\\n\\n'; printf err >&2; exit 3")))
        assert (answer.stdout, answer.stderr, answer.exit) == (b"a\0b\n\n", b"err", 3)
        assert run_once(mail1.open, Put(("cat",), b"PING\n" * 100)).stdout == b"PING\n" * 100
        shell.close()


def test_a_trickle_is_no_reason_to_wait_longer() -> None:
    with host() as mail1:
        shell = Shell(lambda: mail1.open("PATH=/nothing; while :; do echo .; done"))
        with pytest.raises(Garbled):
            shell.run(PING)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Stall(), TimedOut),
        (Stall(after=40), TimedOut),
        (Cut(after=40), LinkLost),
        (HalfClose(after=40), LinkLost),
        (HalfClose(after=10), LinkLost),
    ],
)
def test_an_act_on_a_faulty_channel_fails_in_bounded_time(fault: Fault, error: type[AskFailed]) -> None:
    with host(fault) as mail1:
        start = monotonic()
        with pytest.raises(error):
            run_once(mail1.open, Put(("cat",), bytes(1 << 20), timeout=0.3))
        assert monotonic() - start < 0.3 + GRACE + 1
        assert run_once(mail1.open, Put(("cat",), b"PING")).stdout == b"PING"
