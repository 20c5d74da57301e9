"""What a refresh costs the host that is watched; needs the lab.

    python tests/bench/bench_host.py [--rounds N] [--refreshes N]

One refresh asks all probes of mail1 and its containers: over kept shells and the forwarded Engine, on one SSH
connection; and then the same questions by one `docker exec` (or one `docker ps`) each. CPU is that of mail1's and
Postfix's containers (sshd is in mail1), of Docker's own processes, and of the docker command where it is used; what
these cost in a pause just as long is taken off. In turn, medians.
"""

from __future__ import annotations

import asyncio
import fcntl
import resource
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import processes
from verdict import Figure, finish, held, parser, say

from mailtop.client.host import LiveHost
from mailtop.config import HostSettings, Settings
from mailtop.engine.audit import NoAudit
from mailtop.engine.clock import SystemClock
from mailtop.engine.discovery import containers, target_of
from mailtop.engine.engine import Engine as RealEngine
from mailtop.model.ask import Answer, Asking, Dns, Engine, Look, Talk, Tls
from mailtop.model.errors import AskFailed
from mailtop.model.topology import Target
from mailtop.probe import Probe, probes
from mailtop.transport import Address, Channel
from mailtop.transport.ssh import Ssh, resolve

HOST = "mail1"
CONFIG = Path(__file__).parent.parent / "lab" / ".state" / "ssh" / "config"
EVERY = 10.0  # seconds: the default interval of what is asked most often
CHEAPER, SHARE, SESSIONS, CONNECTIONS = 10.0, 1.0, 6, 1
Question = tuple[str, Look]


class Counted:
    """A host's one connection, with its channels counted."""

    def __init__(self, ssh: Ssh) -> None:
        self.name = ssh.name
        self.most = {"session": 0, "forwarded": 0}
        self._open = {"session": 0, "forwarded": 0}
        self._ssh = ssh
        self._lock = threading.Lock()

    def connect(self) -> None:
        """See Transport."""
        self._ssh.connect()

    def open(self, command: str) -> Channel:
        """See Transport."""
        return CountedChannel(self._ssh.open(command), self._one("session"))

    def dial(self, address: Address, timeout: float = 10.0) -> socket.socket:
        """See Transport."""
        end = CountedSocket(fileno=self._ssh.dial(address, timeout).detach())
        end.gone = self._one("forwarded")
        return end

    def alive(self) -> bool:
        """See Transport."""
        return self._ssh.alive()

    def close(self) -> None:
        """See Transport."""
        self._ssh.close()

    def _one(self, kind: str) -> Callable[[], None]:
        with self._lock:
            self._open[kind] += 1
            self.most[kind] = max(self.most[kind], self._open[kind])
        return lambda: self._less(kind)

    def _less(self, kind: str) -> None:
        with self._lock:
            self._open[kind] -= 1


class CountedChannel:
    """One session channel."""

    def __init__(self, channel: Channel, gone: Callable[[], None]) -> None:
        self._channel = channel
        self._gone: Callable[[], None] | None = gone
        self.send, self.end_of_input = channel.send, channel.end_of_input
        self.read, self.exit_status = channel.read, channel.exit_status

    def close(self) -> None:
        """End it, once."""
        gone, self._gone = self._gone, None
        self._channel.close()
        if gone is not None:
            gone()


class CountedSocket(socket.socket):
    """One forwarded channel."""

    gone: Callable[[], None] | None = None

    def close(self) -> None:
        """End it, once."""
        gone, self.gone = self.gone, None
        super().close()
        if gone is not None:
            gone()


def carried(asking: Asking[object], ask: Callable[[Look], Answer]) -> None:
    """Carry one conversation to its end; what it is denied is its own affair."""
    try:
        question = next(asking)
        while True:
            try:
                answer = ask(question)
            except AskFailed as error:
                question = asking.throw(error)
            else:
                question = asking.send(answer)
    except StopIteration:
        return
    except Exception as error:  # noqa: BLE001 — a bench goes on, and says so
        say(f"  {type(error).__name__}: {error}")


def refresh(host: LiveHost, todo: list[tuple[Target, Probe]], asked: list[Question] | None = None) -> None:
    """Ask everything once."""
    for target, probe in todo:

        def ask(question: Look, target: Target = target, probe: Probe = probe) -> Answer:
            if asked is not None:
                asked.append((target.container, question))
            return host.ask(target.container, question, probe.name)

        carried(probe.run(target), ask)


def by_exec(questions: list[Question]) -> None:
    """The same questions, one program each."""
    for container, question in questions:
        if isinstance(question, Tls | Talk):
            argv = ["openssl", "s_client", "-connect", f"{question.host}:{question.port}"]
        elif isinstance(question, Dns):
            argv = ["dig", "+tcp", question.name, question.kind]
        elif isinstance(question, Engine):
            argv = ["docker", "ps", "-a", "--no-trunc", "--format", "{{.Names}} {{.State}}"]
        else:
            words = " | ".join(shlex.join(program) for program in (question.argv, *question.pipe))
            argv = ["docker", "exec", container or HOST, "sh", "-c", words]
        subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)


def cost(names: list[str]) -> float:
    """CPU seconds until now of the containers, of Docker, and of the commands that we started."""
    ours = resource.getrusage(resource.RUSAGE_CHILDREN)
    daemons = [pid for pid in processes.named("dockerd", "containerd", "runc") if not _in_a_container(pid)]
    return sum(map(_of_container, names)) + processes.cpu(daemons, children=True) + ours.ru_utime + ours.ru_stime


def _in_a_container(pid: int) -> bool:
    try:
        return "docker" in Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return True


def _of_container(id_: str) -> float:
    old = Path(f"/sys/fs/cgroup/cpuacct/docker/{id_}/cpuacct.usage")
    if old.exists():
        return int(old.read_text()) / 1e9
    new = Path(f"/sys/fs/cgroup/system.slice/docker-{id_}.scope/cpu.stat")
    return int(new.read_text().split()[1]) / 1e6


def measured(rounds: int, times: int) -> tuple[float, float, int]:
    """CPU seconds of one refresh our way and by exec, and how many questions it has."""
    host = LiveHost(Ssh(HOST, resolve(HOST, str(CONFIG))))
    host.connect()
    todo, ids = _todo(host)
    questions: list[Question] = []
    refresh(host, todo, questions)
    kept, execs = list[float](), list[float]()

    def again(times: int) -> None:
        for _ in range(times):
            refresh(host, todo)

    for number in range(rounds):
        say(f"host: round {number + 1} of {rounds}, {len(questions)} questions")
        kept.append(_net(lambda: again(times), ids) / times)
        execs.append(_net(lambda: by_exec(questions), ids))
    host.close()
    return median(kept), median(execs), len(questions)


def _todo(host: LiveHost) -> tuple[list[tuple[Target, Probe]], list[str]]:
    listing = containers()
    found = next(listing)
    try:
        listing.send(host.ask("", found))
    except StopIteration as stop:
        known = stop.value
    targets = [Target(HOST), *(target_of(HOST, one, {}) for one in known if one.state == "running")]
    todo = [(target, probe) for target in targets for probe in probes() if probe.is_for(target)]
    asked = {HOST, *(target.container for target, _ in todo if target.container)}
    return todo, [one.id for one in known if one.name in asked]


def _net(work: Callable[[], object], ids: list[str]) -> float:
    """CPU seconds of some work, less what a pause of the same length costs."""
    start, before = time.perf_counter(), cost(ids)
    work()
    time.sleep(0.3)  # what ends now is counted when it has been waited for
    took, spent = time.perf_counter() - start, cost(ids) - before
    before = cost(ids)
    time.sleep(took)  # as long again, in which nothing is asked
    return spent - (cost(ids) - before)


async def channels(seconds: float) -> tuple[dict[str, int], int]:
    """The most channels of each kind, and connections, while the real engine watches and is asked to hurry."""
    ssh = Counted(Ssh(HOST, resolve(HOST, str(CONFIG))))
    engine = RealEngine(
        Settings(hosts={HOST: HostSettings(ssh=HOST)}),
        {HOST: lambda: LiveHost(ssh)},
        SystemClock(),
        operator="bench",
        audit=NoAudit(),
    )
    await engine.start()
    connections = 0
    for _ in range(int(seconds)):
        await asyncio.sleep(1.0)
        connections = max(connections, _connections())
        await engine.refresh()
    await engine.close()
    return ssh.most, connections


def _connections() -> int:
    """Our own TCP connections to port 22, from our descriptors and the kernel's table."""
    ours = set()
    for entry in Path("/proc/self/fd").iterdir():
        try:
            ours.add(str(entry.readlink()))
        except OSError:
            continue
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[2].endswith(":0016") and row[3] == "01" and f"socket:[{row[9]}]" in ours for row in rows)


def main() -> int:
    """Measure, and print."""
    options = parser(__doc__)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--refreshes", type=int, default=10, help="of ours in a round; one of the other's")
    asked = options.parse_args()
    if not CONFIG.exists() or shutil.which("docker") is None:
        return finish([Figure("cost on the host", "–", note="no lab here: make lab")], asked.json)
    with (CONFIG.parent.parent / "tests.lock").open("w") as turn:
        say("host: waiting until no test breaks the lab")
        fcntl.flock(turn, fcntl.LOCK_EX)
        ours, theirs, questions = measured(asked.rounds, asked.refreshes)
        most, connections = asyncio.run(channels(10.0))
    yardstick = f"docker exec each {1000 * theirs:.0f} ms"
    what = f"host CPU of one refresh, {questions} questions"
    figures = [
        Figure(what, f"{1000 * ours:.0f} ms", yardstick, theirs / ours, CHEAPER, least=True),
        held(f"the same each {EVERY:.0f} s", 100 * ours / EVERY, SHARE, "% of a core"),
        held("SSH connections of a host", connections, CONNECTIONS, "at most"),
        held("session channels, all asked at once", most["session"], SESSIONS, "at most"),
        Figure("forwarded channels, all asked at once", str(most["forwarded"])),
    ]
    return finish(figures, asked.json)


if __name__ == "__main__":
    sys.exit(main())
