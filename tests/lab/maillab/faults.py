"""What can be broken in the lab, and how all of it is made good again."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from maillab.bringup import hosts_lines, prove, proven
from maillab.containers import PLATFORM, STATE
from maillab.errors import LabError
from maillab.reach import HOSTS, POSTFIX, greets
from maillab.scenarios import Scenarios
from maillab.waiting import wait_until

HANGING_MOUNT = "/mnt/hanging"
SHADOWS = "/usr/local/sbin"  # comes first in PATH, in containers and for root over SSH
GARBAGE = r"printf '\xff\xfe\x00{\"queue_name\": \x1b[31m]]] not what you asked for\n\x80\x81\n'"
HOSTS_FILE = STATE / "dns" / "hosts"
BROKEN = STATE / "broken"  # a file for each thing that only reset would otherwise have to look for
FROZEN, SIGNATURES = "frozen", "signatures"
CLAMD_CONFIG = "--config-file=/lab/clamav/clamd.conf"
EVERY_PACKET = (("INPUT", "-i", "eth0", "-j", "DROP"), ("OUTPUT", "-o", "eth0", "-j", "DROP"))


class Faults(Scenarios):
    """What can be broken. Containers are named as in ``Reach``: ``amavis``, ``mail2/postfix``."""

    # ── containers ─────────────────────────────────────────────────────────────────────────────────────────────────

    def stop(self, container: str) -> None:
        """Stop a container at once; its A record stays, so Postfix defers instead of bouncing."""
        self._docker(container, "stop", "--time", "2")

    def start(self, container: str) -> None:
        self._docker(container, "start")

    def restart(self, container: str) -> None:
        self._docker(container, "restart", "--time", "2")

    def pause(self, container: str) -> None:
        """Freeze a container: connections are still taken, nobody answers."""
        _mark(FROZEN).touch()
        self._docker(container, "pause")

    def unpause(self, container: str) -> None:
        self._docker(container, "unpause")

    def kill(self, container: str) -> None:
        """SIGKILL from the Engine: the container stays exited with 137."""
        self._docker(container, "kill")

    def vanish(self, container: str) -> None:
        """Stop a container and take its name away too: Postfix now bounces mail for it with 5.4.4."""
        self.stop(container)
        self._write_hosts(line for line in hosts_lines() if container not in line.split())

    def _docker(self, container: str, *verb: str) -> None:
        engine, name = self.locate(container)
        engine.run(*verb, name)

    # ── hosts ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def cut_off(self, host: str) -> None:
        """Drop every packet from and to a host, silently; its eth0 and addresses stay."""
        for rule in EVERY_PACKET:
            self.execute(host, "iptables", "--wait", "-I", *rule)

    def restore(self, host: str) -> None:
        """Take cut_off's rules back, however often it was called."""
        for rule in EVERY_PACKET:
            self.shell(host, f"while iptables --wait -D {' '.join(rule)} 2>/dev/null; do :; done")

    def sigstop_sshd(self, host: str) -> None:
        """Freeze sshd: the kernel still takes connections, nobody greets; sessions freeze with it."""
        self.execute(host, "pkill", "-STOP", "-x", "sshd")

    def sigcont_sshd(self, host: str) -> None:
        self.execute(host, "pkill", "-CONT", "-x", "sshd")

    def forbid_forwarding(self, host: str) -> None:
        """sshd refuses to forward sockets: a client must fall back to ``docker system dial-stdio``."""
        self._forwarding(host, "no")

    def allow_forwarding(self, host: str) -> None:
        self._forwarding(host, "yes")

    def _forwarding(self, host: str, answer: str) -> None:
        setting = f"s/^AllowStreamLocalForwarding .*/AllowStreamLocalForwarding {answer}/"
        self.shell(host, f"sed -i '{setting}' /etc/ssh/sshd_config.d/lab.conf && kill -HUP $(cat /run/sshd.pid)")

    def stop_keepalived(self, host: str) -> None:
        """The host gives up its virtual address."""
        self.execute(host, "/lab/host/keepalived.sh", "stop")

    def start_keepalived(self, host: str) -> None:
        self.execute(host, "/lab/host/keepalived.sh", "start")

    def vip_holders(self) -> list[str]:
        """The hosts that have the virtual address now."""
        return [host for host in HOSTS if "172.28.0.100/" in self.execute(host, "ip", "-oneline", "address")]

    # ── answers ────────────────────────────────────────────────────────────────────────────────────────────────────

    def hang_df(self, host: str) -> None:
        """A real mount that hangs: whoever asks it anything, as ``df`` does, waits until it is taken away.

        Where the kernel has no FUSE, ``df`` and ``stat`` are shadowed by commands that never come back.
        """
        if self.shell(host, "test -e /dev/fuse && echo yes || true").strip():
            self.engine.run("exec", "--detach", host, "python3", "/lab/host/hanging_mount.py", HANGING_MOUNT)
            wait_until(lambda: HANGING_MOUNT in self.execute(host, "cat", "/proc/mounts"), 10, f"{host} has the mount")
        else:
            self.hang(host, "df")
            self.hang(host, "stat")

    def unhang_df(self, host: str) -> None:
        self.execute(host, "/lab/host/reset.sh")
        self.unshadow(host)

    def hang(self, container: str, command: str) -> None:
        """A command that never comes back, in front of the real one."""
        self._shadow(container, command, "exec sleep infinity")

    def garble(self, container: str, command: str) -> None:
        """A command that prints garbage and succeeds, in front of the real one."""
        self._shadow(container, command, GARBAGE)

    def fail(self, container: str, command: str, text: str = "permission denied", code: int = 1) -> None:
        """A command that fails with a text on standard error, in front of the real one."""
        self._shadow(container, command, f"echo '{text}' >&2; exit {code}")

    def _shadow(self, container: str, command: str, body: str) -> None:
        _mark(container).touch()
        script = f"#!/bin/bash\n# shadow of the lab\n{body}\n"
        path = f"{SHADOWS}/{command}"
        self.execute(container, "bash", "-c", f"cat >{path} && chmod 755 {path}", stdin=script)

    def unshadow(self, container: str) -> None:
        """The real commands again."""
        if _mark(container).exists():
            shadows = f"grep --files-with-matches --recursive '^# shadow of the lab' {SHADOWS}"
            self.shell(container, f"{shadows} | xargs --no-run-if-empty rm")
            _mark(container).unlink()

    # ── services ───────────────────────────────────────────────────────────────────────────────────────────────────

    def drop_resolver(self) -> None:
        """The resolver takes questions and never answers."""
        self.pause("dns")

    def restore_resolver(self) -> None:
        self.unpause("dns")

    def age_signatures(self, hours: float) -> None:
        """Make ClamAV's daily database so old; 0 makes it fresh."""
        _mark(SIGNATURES).touch()
        self.execute("clamav", "/lab/clamav/signatures.py", str(hours))
        self.execute("clamav", "clamdscan", CLAMD_CONFIG, "--reload")

    def stop_replication(self) -> None:
        self.sql("STOP SLAVE", server="maildb-replica")

    def start_replication(self) -> None:
        self.sql("START SLAVE", server="maildb-replica")

    def _write_hosts(self, lines: Iterable[str]) -> None:
        HOSTS_FILE.write_text("".join(f"{line}\n" for line in lines))
        self.engine.run("kill", "--signal", "HUP", "dns")

    # ── all well again ─────────────────────────────────────────────────────────────────────────────────────────────

    def reset(self) -> None:
        """Everything as after ``up``: all containers run, nothing is cut off or shadowed, queues are empty.

        Mailboxes, archive and logs keep what they have; message-ids tell one test's mail from another's.
        """
        if missing := {each.name for each in PLATFORM} - set(self.engine.containers()):
            raise LabError(f"{', '.join(sorted(missing))} missing; bring the lab up: python3 tests/lab/lab.py up")
        self.remote_accepts()
        woken = self._wake_all()
        repairs: list[Callable[[], None]] = [self._reset_databases, self._reset_names, self._reset_signatures]
        repairs += [partial(self._reset_host, host) for host in HOSTS]
        repairs += [partial(self._reset_postfix, place) for place in POSTFIX.values()]
        repairs += [partial(self.unshadow, place) for place in _shadowed()]
        with ThreadPoolExecutor(4) as pool:
            for repair in [pool.submit(repair) for repair in repairs]:
                repair.result()
        if woken or _mark(FROZEN).exists() or not proven(self):
            prove(self, say=lambda _: None)
            _mark(FROZEN).unlink(missing_ok=True)
        wait_until(lambda: self.vip_holders() == ["mail1"], 30, "mail1 holds the virtual address")

    def _wake_all(self) -> list[str]:
        """Start and unpause what is not running."""
        woken = self.engine.wake()
        wait_until(self.on_mail2.answers, 60, "mail2's Engine answers")
        return woken + self.on_mail2.wake()

    def _reset_postfix(self, place: str) -> None:
        self.execute(place, "bash", "/lab/postfix/reset.sh")

    def _reset_host(self, host: str) -> None:
        self.execute(host, "/lab/host/reset.sh")

    def _reset_databases(self) -> None:
        orders = {
            "maildb": "SET GLOBAL read_only = 0; SELECT 1",
            "maildb-replica": "SET GLOBAL read_only = 1; START SLAVE; SELECT 1",
        }
        for server, order in orders.items():
            wait_until(partial(self.sql, order, server=server), 60, f"{server} takes orders again")

    def _reset_names(self) -> None:
        if HOSTS_FILE.read_text() != "".join(f"{line}\n" for line in hosts_lines()):
            self._write_hosts(hosts_lines())

    def _reset_signatures(self) -> None:
        mark = _mark(SIGNATURES)
        if mark.exists():
            wait_until(partial(greets, "clamav"), 60, "clamd greets again")
            self.age_signatures(0)
            mark.unlink()


def _mark(name: str) -> Path:
    BROKEN.mkdir(exist_ok=True)
    return BROKEN / name.replace("/", "@")


def _shadowed() -> list[str]:
    marks = BROKEN.iterdir() if BROKEN.exists() else ()
    return [mark.name.replace("@", "/") for mark in marks if mark.name not in (FROZEN, SIGNATURES)]
