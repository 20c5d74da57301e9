"""Pause, throttle and reroute on real Postfix: the log says what became of mail, and undone is byte for byte undone."""

from __future__ import annotations

import re
import signal
import subprocess
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
from maillab.lab import Lab
from maillab.reach import HOSTS, POSTFIX
from maillab.traffic import Message, Sent
from maillab.waiting import wait_until

from tests.truth.cli import MAILTOP, Home, error_of

pytestmark = pytest.mark.timeout(240)

DOMAIN, OTHER = "bigmail.test", "othermail.test"
CONFIG = "/etc/postfix"
RELAY = "172.28.0.61"  # another address of the remote's


class Site:
    """One host's Postfix, as its own files and log show it."""

    def __init__(self, lab: Lab, host: str) -> None:
        self.lab = lab
        self.host = host
        self.container = POSTFIX[host]

    def files(self) -> str:
        """Bytes, owners, modes and times of both files, and what else lies beside them."""
        told = self.lab.execute(self.container, "sha256sum", f"{CONFIG}/main.cf", f"{CONFIG}/master.cf")
        told += self.lab.execute(
            self.container, "stat", "-c", "%n %U %G %a %Y", f"{CONFIG}/main.cf", f"{CONFIG}/master.cf"
        )
        return told + self.lab.execute(self.container, "ls", CONFIG)

    def master(self) -> str:
        """What master.cf says now."""
        return self.lab.execute(self.container, "cat", f"{CONFIG}/master.cf")

    def sent_to(self, domain: str, count: int = 1) -> Sent:
        """Mail for a domain, put into the queue."""
        messages = tuple(Message("ann@client.test", (f"user{number}@{domain}",)) for number in range(count))
        return Sent("sent", self.host, messages, self.lab.inject(messages, self.host))

    def fate(self, sent: Sent) -> list[str]:
        """What the log says of each message, its newest delivery line; waits until there is one for all."""
        found: dict[str, str] = {}

        def told() -> bool:
            for line in self.lines():
                if delivery := re.search(r": (\w+): to=<.*", line):
                    found[delivery[1]] = line
            return all(number in found for number in sent.queue_ids)

        wait_until(told, 30, f"{self.host}'s log tells of {len(sent.queue_ids)} messages")
        return [found[number] for number in sent.queue_ids]

    def lines(self) -> list[str]:
        """The container's log with Docker's stamps."""
        engine, name = self.lab.locate(self.container)
        done = engine.try_run("logs", "--timestamps", "--tail", "400", name)
        return (done.stdout + done.stderr).splitlines()


@pytest.fixture(params=HOSTS)
def site(request: pytest.FixtureRequest, fresh_lab: Lab) -> Site:
    """Each host's Postfix in turn; the lab's reset puts back whatever a failed test left of its configuration."""
    return Site(fresh_lab, request.param)


@pytest.fixture
def mail1(fresh_lab: Lab) -> Site:
    """The Postfix of mail1."""
    return Site(fresh_lab, "mail1")


def act(home: Home, site: Site, name: str, *words: str, domain: str = DOMAIN) -> str:
    """Carry an act out from the command line; what it printed for people."""
    where = ("--on", f"{site.host}/postfix", "--domain", domain, "--yes-i-mean", site.host)
    done = home.mailtop("act", f"destination.{name}", *where, *words)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stderr


def destinations(home: Home, host: str) -> list[dict[str, Any]]:
    """What a fresh mailtop says is changed on a host."""
    document = home.document("snapshot", host)
    return [one for one in document["destinations"] if one["target"] == f"{host}/postfix"]


@pytest.mark.lab
def test_paused_mail_is_accepted_and_deferred_and_all_else_flows_until_it_is_restored_byte_for_byte(
    site: Site, home: Home
) -> None:
    before = site.files()
    waiting = site.lab.deferred(1, DOMAIN, "ann@client.test", "451 4.7.650 rate limited", site.host)
    site.lab.remote_accepts()

    told = act(home, site, "pause", "--for", "30m")

    assert f"main.cf  + transport_maps = inline:{{{DOMAIN}=mailtop-pause-" in told
    assert "master.cf  + mailtop-pause-" in told
    (line,) = site.fate(site.sent_to(DOMAIN))
    assert "dsn=4.3.2, status=deferred (deferred transport)" in line
    for domain in (OTHER, f"sub.{DOMAIN}"):
        assert all("status=sent" in line for line in site.fate(site.sent_to(domain)))
    assert "451 4.7.650" in site.fate(waiting)[0], "mail that was deferred before waits for its time"
    (standing,) = destinations(home, site.host)
    assert (standing["domain"], standing["action"], standing["half_way"]) == (DOMAIN, "destination.pause", False)
    assert standing["until"] - standing["at"] == 1800

    act(home, site, "restore")

    assert site.files() == before
    assert destinations(home, site.host) == []
    assert all("status=sent" in line for line in site.fate(site.sent_to(DOMAIN)))
    intents = [fact for fact in home.facts() if fact["fact"] == "intent"]
    assert [(fact["action"], fact["domain"]) for fact in intents] == [
        ("destination.pause", DOMAIN),
        ("destination.restore", DOMAIN),
    ]
    assert intents[0]["was"]["main.cf"] in before


@pytest.mark.faults
def test_throttled_mail_leaves_one_at_a_time_with_a_second_between(site: Site, home: Home) -> None:
    before = site.files()
    act(home, site, "throttle", "--concurrency", "1", "--delay", "1")

    lines = site.fate(site.sent_to(DOMAIN, 5))

    assert all("status=sent" in line for line in lines)
    moments = sorted(datetime.fromisoformat(line.split()[0][:26]).timestamp() for line in lines)
    assert all(later - earlier >= 0.95 for earlier, later in pairwise(moments)), moments
    act(home, site, "restore")
    assert site.files() == before


@pytest.mark.faults
def test_rerouted_mail_leaves_by_the_other_relay(site: Site, home: Home) -> None:
    before = site.files()
    act(home, site, "reroute", "--relay", f"[{RELAY}]:25")

    (line,) = site.fate(site.sent_to(DOMAIN))
    (other,) = site.fate(site.sent_to(OTHER))

    assert f"relay={RELAY}[{RELAY}]:25" in line
    assert "status=sent" in line
    assert f"relay={RELAY}" not in other
    act(home, site, "restore")
    assert site.files() == before


@pytest.mark.faults
def test_two_changes_are_taken_back_in_any_order_and_the_files_are_as_before(mail1: Site, home: Home) -> None:
    before = mail1.files()
    act(home, mail1, "pause")
    act(home, mail1, "throttle", domain=OTHER)
    act(home, mail1, "restore")

    assert [one["domain"] for one in destinations(home, "mail1")] == [OTHER]
    assert all("status=sent" in line for line in mail1.fate(mail1.sent_to(DOMAIN)))
    act(home, mail1, "restore", domain=OTHER)
    assert mail1.files() == before


@pytest.mark.faults
def test_where_somebody_edits_meanwhile_only_our_own_lines_are_taken_back(mail1: Site, home: Home) -> None:
    act(home, mail1, "pause")
    mail1.lab.execute(mail1.container, "postconf", "-e", "smtpd_banner=edited meanwhile")

    told = act(home, mail1, "restore")

    assert "only mailtop's own lines are taken back" in told
    now = mail1.lab.execute(mail1.container, "postconf", "-n")
    assert "smtpd_banner = edited meanwhile" in now
    assert "transport_maps = texthash:/etc/postfix/transport" in now
    assert "mailtop" not in now + mail1.lab.execute(mail1.container, "postconf", "-M")
    assert destinations(home, "mail1") == []


@pytest.mark.faults
@pytest.mark.parametrize("end", ["finish", "restore"])
def test_killed_in_the_middle_the_next_start_shows_it_and_finishes_or_undoes_it(
    mail1: Site, home: Home, end: str
) -> None:
    before = mail1.files()
    mail1.lab.hang(mail1.container, "postfix")  # `postfix check`, behind the first file that is replaced
    where = ("--on", "mail1/postfix", "--domain", DOMAIN, "--yes-i-mean", "mail1")
    words = (MAILTOP, "act", "destination.pause", *where)
    with subprocess.Popen(words, env=home.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        try:
            wait_until(lambda: "mailtop-pause" in mail1.master(), 30, "the first file has been replaced")
        finally:
            running.send_signal(signal.SIGKILL)
    mail1.lab.unshadow(mail1.container)
    mail1.lab.shell(mail1.container, "pkill -x sleep || true")
    assert all("status=sent" in line for line in mail1.fate(mail1.sent_to(DOMAIN))), "it runs as before"

    document = home.document("snapshot", "mail1")
    assert [one["half_way"] for one in document["destinations"] if one["target"] == "mail1/postfix"] == [True]
    assert any(alert["rule"] == "DestinationHalfWay" for alert in document["alerts"])
    again = home.mailtop("act", "destination.pause", *where)
    assert again.returncode == 4
    assert "was begun and not finished" in again.stderr

    told = act(home, mail1, end)

    assert "master.cf replaced so far" in told
    if end == "finish":
        assert "(deferred transport)" in mail1.fate(mail1.sent_to(DOMAIN))[0]
        act(home, mail1, "restore")
    assert mail1.files() == before
    assert destinations(home, "mail1") == []


@pytest.mark.faults
def test_where_postfix_check_says_no_all_is_put_back(mail1: Site, home: Home) -> None:
    before = mail1.files()
    mail1.lab.fail(mail1.container, "postfix", "postfix: fatal: the check says no")
    where = ("--on", "mail1/postfix", "--domain", DOMAIN, "--yes-i-mean", "mail1")

    done = home.mailtop("act", "destination.pause", *where)

    assert done.returncode == 1
    assert "the check says no" in done.stdout
    assert mail1.files() == before


@pytest.mark.lab
def test_an_act_on_no_domain_says_what_it_wants(lab: Lab, home: Home) -> None:
    done = home.mailtop("act", "destination.pause", "--on", "mail1/postfix", "--where", "domain:bigmail.test")

    assert done.returncode == 2
    assert "is for one recipient domain; give --domain" in error_of(done)
