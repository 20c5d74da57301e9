"""What the filter's screen says of clamd, its signatures, spamd and amavisd: well, at their limits, and well again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from maillab.engine import LAB, Engine
from maillab.lab import Lab
from maillab.waiting import wait_until

from mailtop.config import HostSettings
from mailtop.config.shape import ProbeSettings
from mailtop.model.board import Block, Figure
from mailtop.model.health import Health
from mailtop.probe import probes
from tests.truth.watching import Watching, watching

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]

OURS = ("clamd", "clamav_signatures", "spamd", "amavis", "amavis_quarantine")
PACES = {probe.name: ProbeSettings(every=1.0, enabled=probe.name in OURS) for probe in probes()}
HERE = {"here": HostSettings(probes=PACES)}
NAME = "box9"
CLAMD = "clamd --config-file=/etc/clamav/box9.conf"
SPAMD = (  # not as a daemon: that one hides its options
    "spamd --local --nouser-config --listen=127.0.0.1:783 --username=debian-spamd --syslog=stderr "
    "--helper-home-dir=/var/lib/spamassassin --max-children=2 --min-children=2"
)
AMAVISD = "amavisd start"
# All three in one container. A virus holds its thread for as long as /tmp/hold is there.
START = f"""echo box9.test >/etc/mailname
printf '#!/bin/sh\\nwhile test -e /tmp/hold; do sleep 0.2; done; ! test -e /tmp/brief || sleep 0.1\\n' \\
    >/usr/local/bin/held
chmod +x /usr/local/bin/held
sed -e 's/^MaxThreads .*/MaxThreads 2/' -e '/^Foreground/d' /lab/clamav/clamd.conf >/etc/clamav/box9.conf
echo 'VirusEvent /usr/local/bin/held' >>/etc/clamav/box9.conf
/lab/clamav/signatures.py 0
python3 -c 'import sys; sys.path.insert(0, "/lab/clamav"); import signatures as s
open("/tmp/eicar", "wb").write(bytes.fromhex(s.EICAR))'
sed -e 's/clamd:.clamav./clamd:[127.0.0.1]/' -e 's/smtp:.postfix./smtp:[127.0.0.1]/' /lab/amavis/lab.conf \\
    >/etc/amavis/conf.d/60-lab
install --directory --owner=amavis --group=amavis /run/amavis /var/lib/amavis/virusmails
{CLAMD}; {SPAMD} & {AMAVISD}
exec sleep infinity"""
SCAN = "printf 'nSCAN /tmp/eicar\\n' | nc 127.0.0.1 3310 >/dev/null"
FRESHCLAM = """mkdir -p /var/log/clamav; cd /var/log/clamav
then="$(LC_ALL=C date -d '{0} hours ago' '+%a %b %e %H:%M:%S %Y')"
printf '%s -> ClamAV update process started at %s\n%s -> daily.cld database is up-to-date (version: 27000)\n' \\
    "$then" "$then" "$then" >freshclam.log
touch -d '{0} hours ago' freshclam.log"""
HOLD_SPAMD = """import os, socket, time
held = [socket.create_connection(("127.0.0.1", 783)) for _ in range(2)]
for one in held: one.sendall(b"CHECK SPAMC/1.2\\r\\nContent-length: 9\\r\\n\\r\\n")
while os.path.exists("/tmp/hold"): time.sleep(0.1)"""
SEND = """import smtplib
gtube = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
with smtplib.SMTP("127.0.0.1", 10024, timeout=120) as smtp:
    smtp.sendmail("ann@far.test", "bob@example.test", f"Subject: x\\nFrom: ann@far.test\\n\\n{gtube}\\n")"""


class Box:
    """A whole filter in one container on this machine, without a network."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        image = engine.run("inspect", "--format", "{{.Config.Image}}", "amavis").strip()
        lab = engine.run("inspect", "--format", "{{range .Mounts}}{{.Source}}{{end}}", "amavis").strip()
        self.remove()
        aside = ("--detach", "--init", "--name", NAME, "--label", f"{LAB}=aside", "--network", "none")
        engine.run("run", *aside, "--volume", f"{lab}:/lab:ro", "--entrypoint", "bash", image, "-c", START)
        wait_until(lambda: self.shell("grep -l amavi /proc/[0-9]*/comm | wc -l").strip() == "4", 60, "amavisd runs")
        wait_until(lambda: self.shell("spamc -K"), 30, "spamd runs")

    def shell(self, script: str) -> str:
        return self._engine.execute(NAME, "sh", "-c", script)

    def beside(self, *argv: str) -> None:
        """Run a program there that is not waited for."""
        self._engine.run("exec", "--detach", NAME, *argv)

    def signal(self, signal: str, program: str) -> None:
        """Send a signal to all whose name is so."""
        self.shell(f"kill -{signal} $(grep -lx '{program}' /proc/[0-9]*/comm | cut -d/ -f3); :")

    def remove(self) -> None:
        self._engine.try_run("rm", "--force", NAME)


@pytest.fixture
def box(lab: Lab) -> Iterator[Box]:
    made = Box(lab.engine)
    yield made
    made.remove()


async def until(watched: Watching, probe: str, metric: str, condition: Callable[[Figure], object]) -> Block:
    """The first block of the box in which a figure is so."""

    def so(block: Block) -> bool:
        figures = (one for one in block.figures if one.metric == metric and one.reading.value is not None)
        return any(map(condition, figures))

    return await watched.block("filter", f"here/{NAME}", probe, f"{probe} {metric}", so)


def at(health: Health) -> Callable[[Figure], bool]:
    return lambda figure: figure.reading.health is health


@pytest.mark.proves("clamd_up", "clamd_threads_busy_ratio")
async def test_clamd_is_critical_with_all_threads_busy_and_when_it_is_gone(box: Box, tmp_path: Path) -> None:
    async with watching(HERE, tmp_path) as watched:
        await until(watched, "clamd", "clamd_threads_busy_ratio", at(Health.OK))
        box.shell("touch /tmp/hold")
        for _ in range(3):
            box.beside("sh", "-c", SCAN)
        await until(watched, "clamd", "clamd_threads_busy_ratio", at(Health.CRIT))
        box.shell("rm /tmp/hold")
        await until(watched, "clamd", "clamd_threads_busy_ratio", at(Health.OK))

        box.signal("KILL", "clamd")
        await until(watched, "clamd", "clamd_up", at(Health.CRIT))
        box.shell(CLAMD)
        await until(watched, "clamd", "clamd_up", at(Health.OK))


@pytest.mark.proves("clamd_queue")
async def test_scans_that_wait_for_a_thread_are_told_until_none_waits(box: Box, tmp_path: Path) -> None:
    async with watching(HERE, tmp_path) as watched:
        await until(watched, "clamd", "clamd_queue", at(Health.OK))
        box.shell("touch /tmp/brief")  # with threads that are held for good, STATS itself would wait
        for clients, health in ((12, Health.WARN), (20, Health.CRIT)):
            client = f"while test -e /tmp/brief; do {SCAN}; done"
            box.beside("sh", "-c", f"for _ in $(seq {clients}); do {client} & done; wait")
            await until(watched, "clamd", "clamd_queue", at(health))
        box.shell("rm /tmp/brief")
        await until(watched, "clamd", "clamd_queue", at(Health.OK))


@pytest.mark.proves("clamav_signature_age_seconds")
async def test_signatures_age_and_are_renewed(box: Box, tmp_path: Path) -> None:
    async with watching(HERE, tmp_path) as watched:
        for hours, health in ((0, Health.OK), (40, Health.WARN), (100, Health.CRIT), (0, Health.OK)):
            box.shell(f"/lab/clamav/signatures.py {hours}")
            await until(watched, "clamav_signatures", "clamav_signature_age_seconds", at(health))


@pytest.mark.proves("clamav_signatures_behind", "clamav_freshclam_success_age_seconds")
async def test_updates_that_fail_or_are_not_loaded_are_told_until_they_are(box: Box, tmp_path: Path) -> None:
    async with watching(HERE, tmp_path) as watched:
        for hours, health in ((0, Health.OK), (40, Health.WARN), (80, Health.CRIT), (0, Health.OK)):
            box.shell(FRESHCLAM.format(hours))
            await until(watched, "clamav_signatures", "clamav_freshclam_success_age_seconds", at(health))

        box.shell("/lab/clamav/signatures.py 72; clamdscan --config-file=/etc/clamav/box9.conf --reload")
        await until(watched, "clamav_signatures", "clamav_signatures_behind", at(Health.OK))
        box.shell("/lab/clamav/signatures.py 0")
        await until(watched, "clamav_signatures", "clamav_signatures_behind", at(Health.WARN))
        box.shell("clamdscan --config-file=/etc/clamav/box9.conf --reload")
        await until(watched, "clamav_signatures", "clamav_signatures_behind", at(Health.OK))


@pytest.mark.proves("spamd_up", "spamd_busy_ratio")
async def test_spamd_is_critical_with_all_children_busy_and_when_it_is_gone(box: Box, tmp_path: Path) -> None:
    async with watching(HERE, tmp_path) as watched:
        await until(watched, "spamd", "spamd_busy_ratio", at(Health.OK))
        box.shell("touch /tmp/hold")
        box.beside("python3", "-c", HOLD_SPAMD)
        busy = await until(watched, "spamd", "spamd_busy_ratio", at(Health.CRIT))
        assert busy.health is Health.CRIT
        box.shell("rm /tmp/hold")
        await until(watched, "spamd", "spamd_busy_ratio", at(Health.OK))
        await until(watched, "spamd", "spamd_up", at(Health.OK))

        box.signal("STOP", "spamd")
        box.signal("STOP", "spamd child")
        await until(watched, "spamd", "spamd_up", at(Health.CRIT))
        box.signal("CONT", "spamd child")
        box.signal("CONT", "spamd")
        await until(watched, "spamd", "spamd_up", at(Health.OK))

        box.signal("KILL", "spamd")
        box.signal("KILL", "spamd child")  # where it did not end with its parent
        await until(watched, "spamd", "spamd_up", at(Health.CRIT))
        box.beside(*SPAMD.split())
        await until(watched, "spamd", "spamd_up", at(Health.OK))


@pytest.mark.proves("spamassassin_rules_age_seconds")
async def test_rules_age_and_are_renewed(box: Box, tmp_path: Path) -> None:
    rules = "/var/lib/spamassassin/4.000001/updates_spamassassin_org.cf"
    box.shell(f"mkdir -p {rules.rpartition('/')[0]}")

    async with watching(HERE, tmp_path) as watched:
        for days, health in ((0, Health.OK), (8, Health.WARN), (15, Health.CRIT), (0, Health.OK)):
            box.shell(f"touch -d '{days} days ago' {rules}")
            await until(watched, "spamd", "spamassassin_rules_age_seconds", at(health))


@pytest.mark.proves("amavis_busy_ratio", "amavis_oldest_busy_seconds")
async def test_amavisd_is_critical_while_every_child_waits_for_spamd(box: Box, tmp_path: Path) -> None:
    async with watching(HERE, tmp_path) as watched:
        await until(watched, "amavis", "amavis_busy_ratio", at(Health.OK))
        box.signal("STOP", "spamd child")
        for _ in range(3):
            box.beside("python3", "-c", SEND)
        await until(watched, "amavis", "amavis_busy_ratio", at(Health.CRIT))
        await until(watched, "amavis", "amavis_oldest_busy_seconds", at(Health.OK))
        for seconds, health in ((70, Health.WARN), (310, Health.CRIT)):
            box.shell(f"touch -d '{seconds} seconds ago' /var/lib/amavis/tmp/amavis-*/email.txt")
            await until(watched, "amavis", "amavis_oldest_busy_seconds", at(health))
        box.signal("CONT", "spamd child")
        await until(watched, "amavis", "amavis_busy_ratio", at(Health.OK))


@pytest.mark.proves("amavis_up")
async def test_amavisd_that_is_gone_is_critical_until_it_is_back(box: Box, tmp_path: Path) -> None:
    async with watching(HERE, tmp_path) as watched:
        await until(watched, "amavis", "amavis_up", at(Health.OK))
        box.signal("KILL", "/usr/sbin/amavi")
        await until(watched, "amavis", "amavis_up", at(Health.CRIT))
        box.shell(f"rm -f /run/amavis/*.pid; {AMAVISD}")
        await until(watched, "amavis", "amavis_up", at(Health.OK))


@pytest.mark.soak  # under load amavisd gives up waiting for spamd, and passes the mail unchecked
async def test_what_is_kept_in_the_quarantine_is_counted(box: Box, tmp_path: Path) -> None:
    async with watching(HERE, tmp_path) as watched:
        await until(watched, "amavis_quarantine", "amavis_quarantine_files", lambda figure: figure.reading.value == 0)
        box.beside("python3", "-c", SEND)
        await until(watched, "amavis_quarantine", "amavis_quarantine_files", lambda figure: figure.reading.value == 1)
