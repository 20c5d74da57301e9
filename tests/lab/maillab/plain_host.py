"""``mail3``: a host without Docker whose Postfix logs into files or the journal; made when a test wants it."""

import json
import shlex
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from maillab import images
from maillab.containers import GATEWAY, STATE, Container, fingerprint, run_command
from maillab.engine import LAB, Engine
from maillab.errors import LabError
from maillab.waiting import wait_until

MAIL3 = Container(
    "mail3",
    "172.28.0.140",
    image="plain",
    runs="plain",
    reads=("host",),
    mounts=(f"{STATE / 'ssh'}:/state/ssh:ro",),
    options=("--cap-add", "NET_ADMIN"),
)
STDOUT = Container(
    "mail4-postfix", "172.28.0.141", image="plain", runs="plain", environment=("KEEPER=stdout",), mounts=MAIL3.mounts
)
SSH_CONFIG = STATE / "plain" / "config"
KEEPERS = ("maillog_file", "rsyslog", "traditional", "busybox", "journald")


@dataclass(frozen=True)
class PlainHost:
    """The host, by the docker command: what a test does to it, and the truth that it keeps."""

    engine: Engine = field(default_factory=Engine)

    def up(self) -> None:
        """Make or repair it; at once when it is as it should be."""
        images.build(self.engine, MAIL3.image, lambda _: None)
        found = self.engine.containers().get(MAIL3.name)
        if found is None or found.state != "running" or found.fingerprint != fingerprint(MAIL3):
            self.engine.remove([MAIL3.name] if found else [])
            self.engine.run(*_beside_the_platform(run_command(MAIL3)))
        wait_until(lambda: "220" in self.shell("exec 3<>/dev/tcp/127.0.0.1/25; head -n1 <&3"), 30, "mail3 greets")
        self._write_ssh_config()

    def down(self) -> None:
        """Remove it."""
        self.engine.remove([MAIL3.name])

    def shell(self, script: str, timeout: float = 60) -> str:
        """Run a script there; its standard output, or LabError."""
        return self.engine.execute(MAIL3.name, "bash", "-c", script, timeout=timeout)

    def keep(self, keeper: str, **settings: str) -> None:
        """Let Postfix's log be kept by one of KEEPERS from now on, empty at first."""
        words = " ".join(f"{name}={shlex.quote(value)}" for name, value in settings.items())
        self.shell(f"{words} /lab/plain/keep.sh {keeper}")
        wait_until(lambda: "220" in self.shell("exec 3<>/dev/tcp/127.0.0.1/25; head -n1 <&3"), 30, "mail3 greets")

    def rotate(self, *, copy: bool = False) -> None:
        """Let logrotate do its work: by rename and a signal, or by copy and truncation; the second oldest is packed."""
        edits = "s/create.*/copytruncate/; /postrotate/,/endscript/d" if copy else ""
        self.shell(
            f"sed '{edits}' /lab/plain/logrotate.conf >/tmp/rotate.conf && "
            "chmod 644 /tmp/rotate.conf && logrotate --force --state /tmp/rotate.state /tmp/rotate.conf"
        )

    def restart_postfix(self) -> None:
        self.shell("postfix stop; postfix start", timeout=90)

    def cut_connections(self) -> None:
        """End every SSH session, as a lost connection does; sshd itself stays."""
        self.shell("pkill -f 'sshd: [a-z]+@' || true")

    def truncate(self) -> None:
        """Throw away what the log holds."""
        self.shell(": >/var/log/mail.log")

    def isolate(self) -> None:
        """Cut every connection, and let none be made."""
        self.shell(f"pkill -f 'sshd: [a-z]+@'; ip route add blackhole {GATEWAY}/32")

    def rejoin(self) -> None:
        """Let connections be made again."""
        self.shell(f"ip route del blackhole {GATEWAY}/32 || true")

    def flood(self, messages: int) -> None:
        """Mail from within: it needs no network."""
        self.shell(
            f"smtp-source -c -l 200 -m {messages} -s 4 -f nobody@b.test -t friend@sent.test 127.0.0.1:25", timeout=120
        )

    def at_rest(self) -> bool:
        """Is nothing under way in Postfix?"""
        return not self.shell("find /var/spool/postfix/{maildrop,incoming,active} -type f | head -n1")

    def everything(self) -> list[str]:
        """Every line that Postfix has ever logged, thrown away or not; by rsyslog and journald."""
        return [_line(line) for line in self.shell("cat /var/log/everything").splitlines()]

    def lines(self) -> list[str]:
        """Every line of Postfix's log that is still there, in order."""
        text = self.shell(
            "if [ -e /var/log/mail.log ]; then for log in $(ls -tr /var/log/mail.log*); do "
            "case $log in *.gz) zcat $log;; *) cat $log;; esac; done; "
            "else journalctl --quiet --output=short-iso-precise SYSLOG_FACILITY=2; fi"
        )
        return text.splitlines()

    def _write_ssh_config(self) -> None:
        key = self.shell("cat /etc/ssh/ssh_host_ed25519_key.pub").split()
        if not key:
            raise LabError("mail3 has no host key")
        SSH_CONFIG.parent.mkdir(exist_ok=True)
        known_hosts = SSH_CONFIG.parent / "known_hosts"
        known_hosts.write_text(f"mail3 {key[0]} {key[1]}\n")
        SSH_CONFIG.write_text(
            f"Host mail3\n    HostName {MAIL3.address}\n    HostKeyAlias mail3\n    User root\n"
            f"    IdentityFile {STATE / 'ssh/id_ed25519'}\n    IdentitiesOnly yes\n"
            f"    UserKnownHostsFile {known_hosts}\n    StrictHostKeyChecking yes\n"
        )


def _line(line: str) -> str:
    """The journal's own time of an entry, which is a little later than its writer's; a line of a file as it is."""
    if not line.startswith("{"):
        return line
    entry = json.loads(line)
    at = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(entry["__REALTIME_TIMESTAMP"]))
    tag = f"{entry['SYSLOG_IDENTIFIER']}[{entry['SYSLOG_PID']}]"
    return f"{at.isoformat(timespec='microseconds')} mail3 {tag}: {entry['MESSAGE']}"


def recreate(engine: Engine) -> None:
    """Make the container whose Postfix logs to its output, or make it anew: its old log goes with the old one."""
    images.build(engine, STDOUT.image, lambda _: None)
    engine.try_run("rm", "--force", "--volumes", STDOUT.name)
    engine.run(*_beside_the_platform(run_command(STDOUT)))


def _beside_the_platform(command: list[str]) -> list[str]:
    """The platform's own bring-up leaves it alone; only "down" removes it."""
    return [f"{LAB}=aside" if word == f"{LAB}=yes" else word for word in command]
