"""What the screen of sessions says of real Dovecots, 2.3 and 2.4, driven into trouble and back."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from maillab.engine import LAB, Engine
from maillab.lab import Lab
from maillab.waiting import wait_until

from mailtop.model.board import Block
from mailtop.model.health import Health
from mailtop.model.text import shown
from tests.truth.spare_database import figure, only, says, until
from tests.truth.watching import watching

pytestmark = [pytest.mark.faults, pytest.mark.lab, pytest.mark.timeout(300)]

USER, FULL, STRICT, BROKEN = "ann@mail.test", "ben@mail.test", "carl@mail.test", "dora@mail.test"
VERSIONS = {"2.3": "dovecot", "2.4": "dovecot24"}  # by the container of the lab that runs it

BOTH = """
listen = 127.0.0.1
first_valid_uid = 5000
log_path = /dev/stderr
ssl = no
service lmtp {
  inet_listener lmtp {
    port = 24
  }
}
protocol imap {
  mail_max_userip_connections = 1
}
"""
OLD = """
protocols = imap lmtp
disable_plaintext_auth = no
mail_location = maildir:~/Maildir
mail_plugins = quota
passdb {
  driver = passwd-file
  args = /etc/dovecot/users
}
userdb {
  driver = static
  args = uid=5000 gid=5000 home=/var/vmail/%u
}
plugin {
  quota = maildir:User quota
  quota_rule = *:storage=20k
  quota_grace = 0
  sieve = file:~/sieve;active=~/.dovecot.sieve
}
protocol lmtp {
  mail_plugins = $mail_plugins sieve
}
"""
NEW = """
dovecot_config_version = 2.4.1
dovecot_storage_version = 2.4.1
protocols = imap lmtp
auth_allow_cleartext = yes
mail_driver = maildir
mail_path = ~/Maildir
mail_home = /var/vmail/%{user}
mail_uid = 5000
mail_gid = 5000
mail_plugins {
  quota = yes
}
quota "User quota" {
  storage_size = 20k
  storage_grace = 0
}
passdb passwd-file {
  passwd_file_path = /etc/dovecot/users
}
userdb static {
}
protocol lmtp {
  mail_plugins {
    sieve = yes
  }
}
sieve_script personal {
  driver = file
  path = ~/sieve
  active_path = ~/.dovecot.sieve
}
"""
START = f"""
printf %s "$SETTINGS" >/etc/dovecot/dovecot.conf
for user in {USER} {FULL} {STRICT} {BROKEN}; do echo "$user:{{PLAIN}}secret"; mkdir -p /var/vmail/$user; done \
  >/etc/dovecot/users
echo 'discard;' >/var/vmail/{STRICT}/.dovecot.sieve
echo 'require "fileinto"; fileinto "Nowhere";' >/var/vmail/{BROKEN}/.dovecot.sieve
chown -R vmail:vmail /var/vmail
exec dovecot -F
"""
DELIVER = r"""
exec 3<>/dev/tcp/127.0.0.1/24
say() { printf '%s\r\n' "$1" >&3; while read -r line <&3; do case $line in ???-*) ;; *) break ;; esac; done; }
read -r line <&3
say 'LHLO client.test'; say 'MAIL FROM:<sender@client.test>'; say "RCPT TO:<$0>"; say DATA
printf 'Subject: x\r\n\r\n' >&3
head -c $1 /dev/zero | tr '\0' a | fold -w 70 | sed 's/$/\r/' >&3
printf '\r\n' >&3; say .; say QUIT
"""
LOG_IN = 'exec 3<>/dev/tcp/127.0.0.1/143; printf "a login $0 secret\\r\\n" >&3; exec cat <&3'
FILL = "head -c 8000000 /dev/urandom >/tmp/large; sync"
READING = "while :; do dd if=/tmp/large of=/dev/null bs=4M iflag=direct; done"
A_SECOND = "4mb"  # that the slow one may read: whoever waits behind 4 MB waits a second


class Spare:
    """One Dovecot in a container without a network."""

    def __init__(self, engine: Engine, container: str, settings: str, *options: str) -> None:
        self.name, self.target, self.engine = f"box-of-{container}", f"here/box-of-{container}", engine
        self.remove()
        image = engine.run("inspect", "--format", "{{.Config.Image}}", container).strip()
        own = ("--detach", "--init", "--name", self.name, "--label", f"{LAB}=aside", "--network", "none")
        engine.run("run", *own, *options, "--env", f"SETTINGS={settings}", image, "bash", "-c", START)
        wait_until(lambda: "24" in self.shell("doveadm service status && echo 24"), 30, f"{self.name} answers")

    def remove(self) -> None:
        """No trace is left."""
        self.engine.try_run("rm", "--force", self.name)

    def shell(self, script: str, *arguments: str) -> str:
        """Run a script there; its standard output."""
        return self.engine.execute(self.name, "bash", "-c", script, *arguments)

    def beside(self, script: str, *arguments: str) -> None:
        """Run a script there, and do not wait for it."""
        self.engine.run("exec", "--detach", self.name, "bash", "-c", script, *arguments)


@pytest.fixture(params=VERSIONS)
def dovecot(lab: Lab, request: pytest.FixtureRequest) -> Iterator[Spare]:
    made = Spare(lab.engine, VERSIONS[request.param], (NEW if request.param == "2.4" else OLD) + BOTH)
    yield made
    made.remove()


def disk(engine: Engine) -> str:
    """The whole disk that containers write to, as a device."""
    number = Path(engine.run("info", "--format", "{{.DockerRootDir}}").strip()).stat().st_dev
    block = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}").resolve()
    return f"/dev/{(block.parent if (block / 'partition').exists() else block).name}"


def lines(block: Block) -> set[tuple[str, ...]]:
    return {tuple(map(shown, line.cells)) for table in block.tables for line in table.lines}


def count(metric: str, of: str, number: float) -> Callable[[Block], bool]:
    return lambda block: (figure(block, metric, of).reading.value or 0) >= number


async def test_mail_that_is_not_delivered_as_wanted_and_who_is_one_too_many_are_told(
    dovecot: Spare, tmp_path: Path
) -> None:
    async with watching(only(), tmp_path) as watched:
        delivered = partial(until, watched, "sessions", dovecot.target, "dovecot_deliveries")
        logins = partial(until, watched, "sessions", dovecot.target, "dovecot_logins")
        await delivered(says("dovecot_deliveries_failed", Health.OK), "nothing failed")

        for user, size in ((USER, "100"), (STRICT, "100"), (BROKEN, "100"), (FULL, "40000")):
            await asyncio.to_thread(dovecot.shell, DELIVER, user, size)
        for of in ("saved", "discarded", "over quota"):
            await delivered(count("dovecot_deliveries", of, 1), of)
        told = await delivered(says("dovecot_sieve_failures", Health.WARN), "the script failed")
        assert (BROKEN, "Sieve script fails", "1") in lines(told)
        assert (FULL, "over quota", "1") in lines(told)

        dovecot.beside(LOG_IN, USER)
        await logins(count("dovecot_logins", "ok", 1), "logged in")
        dovecot.beside(LOG_IN, USER)
        refused = await logins(says("dovecot_user_limit_refusals", Health.WARN), "one too many")
        assert (USER, "127.0.0.1", "1") in lines(refused)

        maildir = f"/var/vmail/{USER}/Maildir"
        await logins(says("dovecot_lock_errors", Health.OK), "no index is corrupted")
        dovecot.shell(f"doveadm kick {USER}; echo x >{maildir}/dovecot-uidlist; echo x >{maildir}/dovecot.index.log")
        await asyncio.to_thread(dovecot.shell, DELIVER, USER, "100")
        await logins(says("dovecot_lock_errors", Health.WARN), "an index is corrupted")


@pytest.mark.proves("dovecot_auth_lookup_seconds", "dovecot_auth_answers")
async def test_auth_that_cannot_tell_is_critical_until_it_can(dovecot: Spare, tmp_path: Path) -> None:
    async with watching(only("dovecot_auth"), tmp_path) as watched:
        seen = partial(until, watched, "sessions", dovecot.target, "dovecot_auth")
        await seen(says("dovecot_auth_lookup_seconds", Health.OK), "quick")

        dovecot.shell("kill -STOP $(pgrep -x auth)")
        late = await seen(says("dovecot_auth_lookup_seconds", Health.CRIT), "no answer")
        assert figure(late, "dovecot_auth_answers").reading.health is Health.CRIT
        dovecot.shell("kill -CONT $(pgrep -x auth)")
        await seen(says("dovecot_auth_answers", Health.OK), "it answers")
        await seen(says("dovecot_auth_lookup_seconds", Health.OK), "quick again")


@pytest.mark.proves("dovecot_storage_read_seconds")
async def test_a_volume_that_is_slow_is_critical_until_it_is_quick(lab: Lab, tmp_path: Path) -> None:
    slow = Spare(lab.engine, "dovecot", OLD + BOTH, "--device-read-bps", f"{disk(lab.engine)}:{A_SECOND}")
    try:
        slow.shell(FILL)
        async with watching(only("dovecot_storage"), tmp_path) as watched:
            seen = partial(until, watched, "sessions", slow.target, "dovecot_storage")
            await seen(says("dovecot_storage_read_seconds", Health.OK), "quick")

            slow.beside(READING)
            await seen(says("dovecot_storage_read_seconds", Health.CRIT), "slow")
            slow.shell("pkill -f 'w[h]ile'")
            await seen(says("dovecot_storage_read_seconds", Health.OK), "quick again")
    finally:
        slow.remove()
