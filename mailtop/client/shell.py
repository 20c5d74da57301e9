"""A shell kept open on a target: small reads for the price of a fork instead of an exec, or of a login, each.

The protocol, over three pipes of `/bin/sh` (dash, bash and BusyBox's ash are tried):

- A login shell, whatever it is, is given only the constant `exec /bin/sh`; what is to run follows on stdin.
- Start: PATH gains the sbin directories, LC_ALL=C, TZ=UTC, and `timeout` is tried out. What a login prints before the
  first mark is let go, 64 KiB of it at most.
- A command is one line: mark, program, exit status, mark, on stdout *and* stderr. A mark holds 128 fresh random bits
  that no program is shown, and stands on a line of its own, so no output can forge it, and output is any bytes at all.
- One irregular answer (junk before the mark, no mark, a deadline, more than the limit) discards the shell; the next ask
  opens a new one. What ran on the target is ended by its own deadline there, where the target has `timeout`.
"""

from __future__ import annotations

import contextlib
import math
import secrets
import threading
from collections.abc import Callable, Iterable

import msgspec

from mailtop.client.frame import Framed
from mailtop.model.ask import Answer, Command, Put
from mailtop.model.errors import LinkLost, Missing, Refused, TimedOut
from mailtop.transport import Channel
from mailtop.transport.deadline import Deadline, Monotonic, monotonic

LOGIN = "exec /bin/sh"
"""All that a login shell is ever given."""

GRACE = 2.0
"""Seconds that an answer may come after the program's own deadline: `timeout` first ends it, then kills it."""

MOTD = 64 << 10
"""Bytes that a login may print before the first mark, on each stream."""

PUT_LIMIT = 4 << 20
"""Bytes of an act's answer that are kept, on each stream."""

_ENDED = (124, 137, 143)  # what `timeout` says of a program that it ended: GNU's, after -k, BusyBox's
_SIP, _BREATH = 4 << 10, 0.005  # after so few octets, a breath: to wake for each echo costs more than the answer
_PIECE = 32 << 10  # bytes of stdin at a time; every pipe and window takes that many at once when it is empty

# A channel that is closed ends its programs' stdin, and over Docker nothing else: so whoever has had enough of a long
# answer is noticed there. The program runs beside one that waits for that end, and one of them ends the other.
_WATCHED = b"""{ %s <&4 & c=$!; (read x <&3; kill $c) 2>/dev/null & w=$!; wait $c; s=$?; \
{ kill $w; wait $w; } 2>/dev/null; (exit $s); } 4<&0"""

_PRELUDE = b"""PATH=${PATH:+$PATH:}/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin; LC_ALL=C; TZ=UTC; \
export PATH LC_ALL TZ; if timeout -k 1 1 true; then end='timeout -k 1'; elif timeout 1 true; then end=timeout; \
else end=; fi </dev/null >/dev/null 2>&1; """
_LINE = b"""{ %(prelude)secho %(mark)s+; echo %(mark)s+ >&2; %(program)s; s=$?; \
echo; echo %(mark)s=$s; { echo; echo %(mark)s=; } >&2; %(then)s; }
"""


def quoted(argv: Iterable[str]) -> bytes:
    r"""Return the words of a command line that any POSIX shell reads as exactly `argv`; the one quoting there is.

    Everything but NUL may stand in a word; bytes that are not UTF-8 come as surrogate escapes. Raises Refused on a
    NUL, and on a first word that a shell or `timeout` could take for something else than a program: empty, an option,
    an assignment.

    >>> quoted(("postqueue", "-i", "it's; rm -rf $HOME\n"))
    b"'postqueue' '-i' 'it'\\''s; rm -rf $HOME\n'"
    """
    try:
        words = [word.encode("utf-8", "surrogateescape") for word in argv]
    except UnicodeEncodeError as error:
        raise Refused("command", "an argument holds half a character") from error
    if not words or not words[0] or words[0].startswith(b"-") or b"=" in words[0]:
        raise Refused("command", f"{words[0] if words else b''!r} is not the name of a program")
    if any(b"\0" in word for word in words):
        raise Refused(words[0].decode("utf-8", "replace"), "an argument holds a NUL byte")
    return b" ".join(b"'" + word.replace(b"'", b"'\\''") + b"'" for word in words)


class Shell:
    """One kept shell. `open` gives the channel of a fresh `/bin/sh`: `lambda: transport.open(LOGIN)` on a host.

    Safe to use from several threads; they wait for each other. `Lanes` is what does not.
    """

    def __init__(self, open: Callable[[], Channel], monotonic: Monotonic = monotonic) -> None:  # noqa: A002 - Transport's word
        self._open = open
        self._monotonic = monotonic
        self._turn = threading.Lock()
        self._channel: Channel | None = None
        self._closed = False

    def run(self, command: Command) -> Answer:
        """Run one command; raises TimedOut, LinkLost, Garbled, Refused, Missing (no shell there), and what `open` does.

        An answer over `command.limit` (on either stream) is cut and the shell discarded: draining it could cost the
        host and the wire without limit. The exit status of a cut answer is not known; it says 0.
        """
        program = _program(command)
        with self._turn:
            if self._closed:
                raise LinkLost(command.argv[0], "the shell is closed")
            regular = False
            try:
                channel = self._channel or self._start(command.timeout)
                answer = _Exchange(channel, command, self._monotonic).run(program)
                regular = not answer.cut
            finally:
                if not regular:
                    self._discard()
        return _in_time(answer, command)

    def close(self) -> None:
        """End the shell, from any thread; who waits for an answer has LinkLost."""
        self._closed = True
        self._discard()

    def rest(self) -> bool:
        """End the shell for now, which nobody may be using; whether there was one."""
        open_ = self._channel is not None
        self._discard()
        return open_

    def _start(self, timeout: float) -> Channel:
        channel = self._channel = self._open()
        if self._closed:  # meanwhile, when there was no channel to close yet
            raise LinkLost("shell", "closed")
        hello = Command(("true",), timeout=timeout, limit=MOTD)
        _Exchange(channel, hello, self._monotonic, junk=MOTD).run(_program(hello), _PRELUDE)
        return channel

    def _discard(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()


class Lanes:
    """Two kept shells of one target, so that a hung `df` delays nothing else. The second opens when it is needed."""

    def __init__(self, open: Callable[[], Channel], monotonic: Monotonic = monotonic, lanes: int = 2) -> None:  # noqa: A002
        self._monotonic = monotonic
        self._shells = [Shell(open, monotonic) for _ in range(lanes)]
        self._idle = list(reversed(self._shells))
        self._change = threading.Condition()
        self._closed = False

    def run(self, command: Command) -> Answer:
        """Run one command in a free lane. While there is none, the wait eats the command's own time."""
        deadline = Deadline(command.timeout, self._monotonic)
        shell = self._take(command, deadline)
        try:
            return shell.run(msgspec.structs.replace(command, timeout=deadline.left()))
        finally:
            with self._change:
                self._idle.append(shell)  # used first again: the other lane stays closed while one is enough
                self._change.notify()

    def close(self) -> None:
        """End both shells, from any thread; who waits has LinkLost."""
        with self._change:
            self._closed = True
            self._change.notify_all()
        for shell in self._shells:
            shell.close()

    def rest(self) -> bool:
        """End the shells that are idle; the next command opens one again. Whether there was one to end."""
        with self._change:
            return sum(shell.rest() for shell in self._idle) > 0

    def _take(self, command: Command, deadline: Deadline) -> Shell:
        with self._change:
            while not self._idle:
                if self._closed or not self._change.wait(deadline.left()):
                    break
            if self._closed:
                raise LinkLost(command.argv[0], "the shell is closed")
            if not self._idle:
                raise TimedOut(command.argv[0], f"other commands kept every shell busy for {command.timeout:g} s")
            return self._idle.pop()


def run_once(open: Callable[[str], Channel], ask: Command | Put, monotonic: Monotonic = monotonic) -> Answer:  # noqa: A002
    """Run one command on a channel of its own: large answers, slow programs, and all that has stdin.

    The program's stdin is sent only once the shell has said that it runs: a shell reads ahead, and would eat or even
    obey it. Raises like `Shell.run`; after LinkLost or TimedOut a Put may have been carried out or not.
    """
    program = _program(ask)
    channel = open(LOGIN)
    exchange = _Exchange(channel, ask, monotonic, junk=MOTD)
    try:
        answer = exchange.run(program, _PRELUDE, b"exit")
    finally:
        channel.close()
        exchange.close()
    return _in_time(answer, ask)


class _Exchange:
    """One command and its framed answer on a channel that runs `/bin/sh`."""

    def __init__(self, channel: Channel, ask: Command | Put, clock: Monotonic, junk: int = 0) -> None:
        mark = secrets.token_hex(16)
        limit = ask.limit if isinstance(ask, Command) else PUT_LIMIT
        self._channel = channel
        self._ask = ask
        self._mark = mark.encode()
        sink = ask.sink if isinstance(ask, Command) else None
        self._stdout, self._stderr = Framed(mark, limit, junk, sink), Framed(mark, limit, junk)
        self._deadline = Deadline(ask.timeout + GRACE, clock)
        self._feeder: threading.Thread | None = None
        self._never = threading.Event()

    def run(self, program: bytes, prelude: bytes = b"", then: bytes = b":") -> Answer:
        """Send the line, read both streams until both have ended."""
        line = _LINE % {b"prelude": prelude, b"mark": self._mark, b"program": program, b"then": then}
        stdout, stderr = self._stdout, self._stderr
        try:
            with contextlib.suppress(LinkLost):  # a login that has ended has said why, and reading tells
                self._channel.send(line, self._deadline.left())
            while not (stdout.ended and stderr.ended) and not (stdout.cut or stderr.cut):
                if self._read() < _SIP and not (stdout.ended and stderr.ended):
                    self._never.wait(min(_BREATH, self._deadline.left()))
                if isinstance(self._ask, Put) and not self._feeder and stdout.begun and stderr.begun:
                    self._feeder = threading.Thread(target=self._feed, args=(self._ask.stdin,), daemon=True)
                    self._feeder.start()
        except TimedOut as error:
            raise TimedOut(self._ask.argv[0], f"no answer within {round(self._ask.timeout, 1):g} s") from error
        cut = stdout.cut or stderr.cut
        return Answer(stdout.octets(), stderr.octets(), stdout.status, self._deadline.took(), cut)

    def close(self) -> None:
        """Wait for the sender of stdin, once the channel is closed."""
        if self._feeder:
            self._feeder.join()

    def _read(self) -> int:
        """Take what has come; how many octets it was."""
        left = self._deadline.left()
        if not left:  # a trickle keeps `read` happy for ever
            raise TimedOut("shell", "deadline")
        stdout, stderr = self._channel.read(left)
        if not (stdout or stderr):
            words = self._stderr.last_words() or self._stdout.last_words()
            if words:
                raise Missing("shell", words, "mailtop needs a login that may run /bin/sh")
            raise LinkLost(self._ask.argv[0], "the shell ended before it answered")
        self._stdout.feed(stdout)
        self._stderr.feed(stderr)
        return len(stdout) + len(stderr)

    def _feed(self, stdin: bytes) -> None:
        with contextlib.suppress(LinkLost, TimedOut):  # the reader hears of it, or has the answer already
            for start in range(0, len(stdin), _PIECE):
                self._channel.send(stdin[start : start + _PIECE], self._deadline.left())
            self._channel.end_of_input()


def _program(ask: Command | Put) -> bytes:
    """Return the programs of an ask as shell words. `exec`: a program is never one of the shell's own commands.

    Each program of a pipe has the deadline of its own, for BusyBox's `timeout` ends one process only.
    """
    end = b"${end:+$end %d}" % max(1, math.ceil(ask.timeout))
    stages = (ask.argv, *ask.pipe) if isinstance(ask, Command) else (ask.argv,)
    words = [b"exec %s %s" % (end, quoted(argv)) for argv in stages]
    if isinstance(ask, Command):
        words[0] += b" </dev/null"
    programs = [b"(%s)" % word for word in words]
    if isinstance(ask, Command) and ask.sink is not None:
        programs[-1] = _WATCHED % programs[-1]
        return b"{ %s; } 3<&0" % b" | ".join(programs)
    return b" | ".join(programs)


def _in_time(answer: Answer, ask: Command | Put) -> Answer:
    """Return the answer, or raise TimedOut where `timeout` ended the program there.

    In a pipe any stage may have been ended and the last one have answered in good faith: half an answer is none.
    """
    ended = answer.exit in _ENDED or (isinstance(ask, Command) and ask.pipe)
    if answer.took >= ask.timeout and ended and not answer.cut:
        raise TimedOut(ask.argv[0], f"no answer within {round(ask.timeout, 1):g} s; it was ended there")
    return answer
