"""Bring the platform up, from whatever state it is found in, and take it down again."""

import fcntl
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from maillab import images
from maillab.containers import (
    GATEWAY,
    NETWORK,
    ON_MAIL2,
    PLATFORM,
    SERVICES,
    STATE,
    SUBNET,
    VIP,
    Container,
    address,
    fingerprint,
    run_command,
    run_command_on_mail2,
)
from maillab.engine import LAB, Engine, Found
from maillab.errors import LabError, NoEngineError
from maillab.reach import GREETINGS, HOSTS, POSTFIX, SSH_CONFIG, Reach, greets
from maillab.traffic import Message, submit
from maillab.waiting import NotInTimeError, wait_until

PROVEN = STATE / "proven"  # holds the starts of all containers at the last proof
READY_WITHIN = 90  # seconds, for the first mail to arrive once all containers run

Say = Callable[[str], None]


@dataclass
class Clock:
    """Says things with the seconds since it was made."""

    began: float = field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self.began:6.1f} s  {text}", flush=True)


def up(reach: Reach, say: Say) -> None:
    """Make, start or repair whatever is not as it should be, then prove it by one mail; idempotent."""
    if not reach.engine.answers():
        raise NoEngineError("no Docker Engine answers on this machine; install docker.io and start dockerd")
    with _only_one():
        images.build_missing(reach.engine, say)
        _write_state(reach.engine, say)
        _network(reach.engine)
        changed = _containers(reach.engine, PLATFORM, run_command, say)
        _mail2(reach, say, changed)
        if not proven(reach):
            _prove(reach, say)
    say(f"ready: {len(PLATFORM)} containers, {len(ON_MAIL2)} more on mail2; ssh -F {SSH_CONFIG} mail1")


def down(reach: Reach, say: Say) -> None:
    """Remove the lab's containers and its network; images and what mail2 has loaded stay."""
    with _only_one():
        PROVEN.unlink(missing_ok=True)
        found = reach.engine.containers()
        reach.engine.remove(found)
        reach.engine.try_run("network", "rm", NETWORK)
        say(f"down: {len(found)} containers removed")


def status(reach: Reach) -> Iterator[str]:
    """A line for each container: its name, address and state."""
    found = reach.engine.containers()
    for container in PLATFORM:
        yield _status_line(container, found.get(container.name))
    inner = reach.on_mail2.containers() if found.get("mail2") and reach.on_mail2.answers() else {}
    for container in ON_MAIL2:
        yield "mail2/" + _status_line(container, inner.get(container.name))


def _status_line(container: Container, found: Found | None) -> str:
    state = found.state if found else "missing"
    outdated = " (outdated)" if found and found.fingerprint != fingerprint(container) else ""
    return f"{container.name:16} {container.address:14} {state}{outdated}"


@contextmanager
def _only_one() -> Iterator[None]:
    """Two who bring the lab up at the same time take turns."""
    STATE.mkdir(exist_ok=True)
    with (STATE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# ── what the containers are given ─────────────────────────────────────────────────────────────────────────────────


def _write_state(engine: Engine, say: Say) -> None:
    """Keys, certificates, the resolver's names and the SSH configuration, in the checkout's .state folder."""
    for folder in ("dns", "remote", "ssh"):
        (STATE / folder).mkdir(parents=True, exist_ok=True)
    if not (STATE / "ssh/host/mail2.pub").exists():
        mounts = ("--volume", f"{SERVICES}:/lab:ro", "--volume", f"{STATE}:/made")
        engine.run("run", "--rm", *mounts, images.tag("mta"), "bash", "/lab/shared/certificates.sh", "/made")
        say("keys and certificates made")
    (STATE / "dns/hosts").write_text("".join(f"{line}\n" for line in hosts_lines()))
    _write_ssh_config()


def hosts_lines() -> Iterator[str]:
    """What the resolver knows: every container, the platform's public names, and the remote stand-in's."""
    for container in PLATFORM:
        yield f"{container.address} {container.name} {container.name}.example.test"
    yield f"{VIP} mail.example.test smtp.example.test imap.example.test"
    yield f"{address('wwwapp')} webmail.example.test archive.example.test"
    yield f"{address('remote')} mx.remote.test"
    yield "172.28.0.69 busy.remote.test"
    yield f"{address('dns')} dns.remote.test"
    yield "172.28.0.250 nowhere.remote.test"


def _write_ssh_config() -> None:
    known_hosts = STATE / "ssh/known_hosts"
    keys = {host: (STATE / f"ssh/host/{host}.pub").read_text().split()[:2] for host in HOSTS}
    known_hosts.write_text("".join(f"{host},{address(host)} {' '.join(key)}\n" for host, key in keys.items()))
    SSH_CONFIG.write_text(
        "".join(
            f"Host {host} {address(host)}\n"
            f"    HostName {address(host)}\n"
            f"    HostKeyAlias {host}\n"
            f"    User root\n"
            f"    IdentityFile {STATE / 'ssh/id_ed25519'}\n"
            f"    IdentitiesOnly yes\n"
            f"    UserKnownHostsFile {known_hosts}\n"
            f"    StrictHostKeyChecking yes\n"
            for host in HOSTS
        )
    )


# ── containers ────────────────────────────────────────────────────────────────────────────────────────────────────


def _network(engine: Engine) -> None:
    found = engine.inspect("network", NETWORK)
    if found is not None and found["Internal"] and found["IPAM"]["Config"][0]["Subnet"] == SUBNET:
        return
    if found is not None:
        engine.remove(engine.containers())
        engine.run("network", "rm", NETWORK)
    engine.run(
        *("network", "create", "--internal", "--subnet", SUBNET, "--gateway", GATEWAY),
        *("--label", f"{LAB}=yes", "--label", "com.docker.compose.project=mailplatform", NETWORK),
    )


def _containers(
    engine: Engine, wanted: tuple[Container, ...], command: Callable[[Container], list[str]], say: Say
) -> list[str]:
    """Make all of the wanted containers run as they are described now; the names of those that were touched."""
    found = engine.containers()
    outdated = {
        each.name for each in wanted if (have := found.get(each.name)) and have.fingerprint != fingerprint(each)
    }
    new = {each.name for each in wanted if each.name not in found or each.name in outdated}
    new |= {each.name for each in wanted if new.intersection(each.follows)}
    # "dead" is what a crash of the Engine leaves behind; nothing can wake it.
    new |= {name for name, each in found.items() if each.state == "dead"}
    # Hosts that one room's tests have beside the platform stay; only "down" removes them.
    strangers = {name for name, each in found.items() if each.labels[LAB] != "aside"} - {each.name for each in wanted}

    engine.remove(sorted((new & set(found)) | strangers))
    _remove_namesakes(engine, new)
    with ThreadPoolExecutor(max_workers=4) as pool:
        for made in [pool.submit(engine.run, *command(each)) for each in wanted if each.name in new]:
            made.result()
    woken = engine.wake(besides=new)
    for verb, names in (("made", new), ("woke", woken)):
        if names:
            say(f"{engine.name}: {verb} {', '.join(sorted(names))}")
    return sorted([*new, *woken])


def _remove_namesakes(engine: Engine, names: set[str]) -> None:
    """Somebody else's containers with our names are in the way."""
    existing = set(engine.run("ps", "--all", "--format", "{{.Names}}").split())
    engine.remove(sorted(names & existing))


def _mail2(reach: Reach, say: Say, changed: list[str]) -> None:
    """The containers on mail2's own Engine. Its images are loaded once and stay in a volume."""
    if "mail2" in changed:
        wait_until(reach.on_mail2.answers, 60, "mail2's Engine answers")
    for image in sorted({images.tag(container.image) for container in ON_MAIL2}):
        if reach.on_mail2.inspect("image", image) is None:
            began = time.monotonic()
            _copy_image(reach, image)
            say(f"mail2: image loaded in {time.monotonic() - began:.0f} s")
    _containers(reach.on_mail2, ON_MAIL2, run_command_on_mail2, say)


def _copy_image(reach: Reach, image: str) -> None:
    with subprocess.Popen(reach.engine.argv("save", image), stdout=subprocess.PIPE) as saved:
        loaded = subprocess.run(
            reach.on_mail2.argv("load"), stdin=saved.stdout, capture_output=True, text=True, check=False
        )
    if loaded.returncode:
        raise LabError(f"mail2: docker load: {loaded.stderr.strip()}")


# ── proof ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def proven(reach: Reach) -> bool:
    """Whether no container has started since a mail last went through all of them."""
    return PROVEN.exists() and PROVEN.read_text() == _starts(reach)


def prove(reach: Reach, say: Say) -> None:
    """Every service greets, and one mail goes from submission into a mailbox, the archive and the index."""
    PROVEN.unlink(missing_ok=True)
    for container in GREETINGS:
        _wait_for(reach, partial(greets, container), f"{container} greets", container)
    say("every service greets")
    # Postfix remembers who was away, for a minute or longer, and would not ask again.
    for place in POSTFIX.values():
        reach.execute(place, "postfix", "reload")
    mail = Message("alice@example.test", ("bob@example.test",), subject="The lab is ready")
    _wait_for(reach, partial(submit, [mail]), "submission takes a mail from alice", "postfix")
    _wait_for(reach, partial(_has_arrived, reach, mail), "bob finds the mail", "postfix")
    number = wait_until(lambda: reach.archived(mail.message_id) or 0, READY_WITHIN, "the mail is in the archive")
    _wait_for(reach, partial(reach.indexed, number), "the archived mail is in the index", "piler")
    say("a mail went through submission, filter and LMTP into a mailbox, and into the archive and its index")
    PROVEN.write_text(_starts(reach))


def _prove(reach: Reach, say: Say) -> None:
    """The same after containers were made: their users and keys must be there first."""
    wait_until(lambda: reach.sql("SELECT 1 FROM mailbox LIMIT 1", "postfix"), READY_WITHIN, "maildb holds the users")
    say("the database answers")
    for host in HOSTS:
        _wait_for(reach, partial(reach.ssh, host, "docker", "version"), f"ssh {host} docker version", host)
    say("both hosts answer over SSH, and so do their Engines")
    prove(reach, say)


def _starts(reach: Reach) -> str:
    return reach.engine.starts() + reach.on_mail2.starts()


def _has_arrived(reach: Reach, mail: Message) -> bool:
    if reach.has_mail(mail.recipients[0], mail.message_id):
        return True
    # A hop that was not ready yet has deferred it for minutes.
    reach.execute("postfix", "postqueue", "-f")
    return False


def _wait_for(reach: Reach, condition: Callable[[], object], what: str, container: str) -> None:
    """Wait, and in the end show the last words of the container that is to blame."""
    try:
        wait_until(condition, READY_WITHIN, what)
    except NotInTimeError as error:
        last_words = "\n".join(reach.logs(container).splitlines()[-10:])
        raise NotInTimeError(f"{error}\nthe last lines of {container}:\n{last_words}") from error
