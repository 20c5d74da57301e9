"""One look at each service of the lab: is it real, and does it do what the platform's service does?"""

import re
import smtplib
import socket
import ssl
import time
import uuid

import pytest
from maillab.containers import STATE, VIP, address
from maillab.errors import LabError
from maillab.lab import Lab
from maillab.reach import HOSTS, banner, greets
from maillab.scenarios import Behaviour
from maillab.waiting import wait_until

pytestmark = pytest.mark.lab

SOON = 20  # seconds


def test_a_clean_mail_reaches_mailbox_archive_and_index(lab: Lab) -> None:
    (message_id,) = lab.clean().message_ids

    wait_until(lambda: lab.has_mail("bob@example.test", message_id), SOON, "bob has the mail")
    number = wait_until(lambda: lab.archived(message_id) or 0, SOON, "the archive has the mail")
    wait_until(lambda: lab.indexed(number), SOON, "the index has the mail")
    assert lab.sql(f"SELECT `to` FROM rcpt WHERE id = {number}", "piler") == [["bob@example.test"]]


def test_outgoing_mail_is_filtered_and_reaches_the_remote(lab: Lab) -> None:
    (message_id,) = lab.submitted().message_ids

    wait_until(lambda: lab.remote_received(message_id), SOON, "the remote has the mail")
    assert "ORIGINATING" in wait_until(lambda: _line_with(lab, "amavis", message_id), SOON, "amavis logs its verdict")


def test_spam_is_blocked(lab: Lab) -> None:
    (message_id,) = lab.spam().message_ids

    verdict = wait_until(lambda: _line_with(lab, "amavis", message_id), SOON, "amavis logs its verdict")

    assert "Blocked SPAM" in verdict
    assert "GTUBE" in wait_until(lambda: _line_with(lab, "spamassassin", f"mid={message_id}"), SOON, "spamd logs it")
    assert not lab.has_mail("bob@example.test", message_id)


def test_a_virus_is_blocked(lab: Lab) -> None:
    (message_id,) = lab.virus().message_ids

    verdict = wait_until(lambda: _line_with(lab, "amavis", message_id), SOON, "amavis logs its verdict")

    assert "Blocked INFECTED (Eicar-Test-Signature" in verdict


@pytest.mark.parametrize(("host", "ids"), [("mail1", "[0-9A-Za-z]{15,20}"), ("mail2", "[0-9A-F]{8,12}")])
def test_mail_is_deferred_for_the_reason_given(fresh_lab: Lab, host: str, ids: str) -> None:
    lab = fresh_lab
    sent = lab.deferred(3, domain="bigmail.test", text="451 4.7.650 rate limited by the lab", host=host)

    entries = {entry["queue_id"]: entry for entry in lab.queue(host) if entry["queue_id"] in sent.queue_ids}

    assert set(entries) == set(sent.queue_ids)
    assert all("rate limited by the lab" in entry["recipients"][0]["delay_reason"] for entry in entries.values())
    assert all(re.fullmatch(ids, queue_id) for queue_id in sent.queue_ids)


def test_slow_mail_sits_in_delivery_without_a_reason(fresh_lab: Lab) -> None:
    (queue_id,) = fresh_lab.slow(1, seconds=600).queue_ids

    entry = wait_until(lambda: _entry(fresh_lab, queue_id, "active"), SOON, "the mail is in the active queue")

    assert "delay_reason" not in entry["recipients"][0]


def test_a_hung_filter_keeps_mail_in_active(lab: Lab) -> None:
    with lab.hung_filter(1) as sent:
        wait_until(lambda: _entry(lab, sent.queue_ids[0], "active"), SOON, "the mail is in the active queue")

    wait_until(lambda: lab.has_mail("bob@example.test", sent.message_ids[0]), SOON, "the filter works again")


def test_what_the_remote_refuses_comes_back_as_a_bounce(lab: Lab) -> None:
    (queue_id,) = lab.bounced(text="550 5.7.1 blocked by the lab").queue_ids

    logged = wait_until(lambda: _line_with(lab, "postfix", f"{queue_id}: to="), SOON, "Postfix logs the bounce")

    assert "status=bounced" in logged
    assert "blocked by the lab" in logged


def test_mail_for_an_unknown_user_is_rejected(lab: Lab) -> None:
    began = time.time()
    assert lab.rejected(2).attempts == 2
    wait_until(lambda: lab.logs("postfix", began).count("NOQUEUE: reject: RCPT") >= 2, SOON, "Postfix logs both")


def test_the_remote_can_be_told_to_greylist(fresh_lab: Lab) -> None:
    fresh_lab.remote("shy.test", Behaviour("greylist", text="451 4.7.1 come back later"))
    with smtplib.SMTP(address("remote"), 25) as client:
        client.helo("client.test")
        client.mail(f"{uuid.uuid4().hex}@client.test")
        assert client.rcpt("someone@shy.test")[0] == 451
        assert client.rcpt("someone@shy.test")[0] == 250


@pytest.mark.parametrize("container", ["clamav", "spamassassin", "manticore", "maildb", "maildb-replica", "wwwapp"])
def test_a_service_greets_as_itself(lab: Lab, container: str) -> None:
    assert greets(container)


def test_the_virus_signatures_have_the_age_they_are_given(fresh_lab: Lab) -> None:
    before = banner(address("clamav"), 3310, b"nVERSION\n")
    fresh_lab.age_signatures(100)
    wait_until(lambda: banner(address("clamav"), 3310, b"nVERSION\n") != before, SOON, "clamd has loaded them")


def test_the_replica_follows(lab: Lab) -> None:
    lab.sql("INSERT INTO log (username, domain, action, data) VALUES ('lab', 'example.test', 'smoke', 'x')", "postfix")
    newest = lab.sql("SELECT MAX(id) FROM log", "postfix")
    wait_until(
        lambda: lab.sql("SELECT MAX(id) FROM log", "postfix", "maildb-replica") == newest, SOON, "it is there too"
    )
    assert lab.sql("SELECT @@read_only", server="maildb-replica") == [["1"]]


def test_the_monitoring_user_may_see_the_replica(lab: Lab) -> None:
    login = (
        "mariadb",
        "--user=mailtop",
        "--password=mailtoppw",
        "--host=172.28.0.33",
        "--execute=SHOW ALL SLAVES STATUS\\G",
    )
    assert "Slave_IO_Running: Yes" in lab.execute("maildb", *login)


def test_exactly_one_host_holds_the_virtual_address(lab: Lab) -> None:
    assert lab.vip_holders() == ["mail1"]
    assert banner(VIP, 25).startswith(b"220 mail1.example.test")


@pytest.mark.parametrize("name", ["webmail.example.test", "archive.example.test"])
def test_the_proxy_serves_certificates_of_the_labs_authority(lab: Lab, name: str) -> None:
    trusting = ssl.create_default_context(cafile=str(STATE / "ca" / "ca.pem"))
    with (
        socket.create_connection((address("wwwapp"), 443), 5) as connection,
        trusting.wrap_socket(connection, server_hostname=name) as secured,
    ):
        served = secured.getpeercert()
    assert served is not None
    assert ("DNS", name) in served["subjectAltName"]


@pytest.mark.parametrize(("server", "column"), [("dovecot", "proto"), ("dovecot24", "service")])
def test_dovecot_lists_open_sessions(lab: Lab, server: str, column: str) -> None:
    with lab.imap_sessions(6, server):
        table = lab.execute(server, "doveadm", "-f", "tab", "who").splitlines()

    assert column in table[0].split("\t")
    assert sum(int(row.split("\t")[1]) for row in table[1:]) >= 6


def test_failed_logins_are_logged_with_the_strangers_address(lab: Lab) -> None:
    began = time.time()
    lab.auth_failure(2, protocol="imap", sources=2)
    wait_until(lambda: "auth failed" in lab.logs("dovecot", began), SOON, "Dovecot logs the failure")
    assert "rip=172.28.0.61" in lab.logs("dovecot", began)


@pytest.mark.parametrize("host", HOSTS)
def test_each_host_speaks_for_its_own_engine(lab: Lab, host: str) -> None:
    names = lab.ssh(host, "docker", "ps", "--format", "{{.Names}}", user="ops").split()

    assert "postfix" in names
    assert ("dovecot" in names) == (host == "mail1")
    with pytest.raises(LabError, match="permission denied"):
        lab.ssh(host, "docker", "ps", user="guest")


def test_a_stranger_cannot_relay(lab: Lab) -> None:
    dialogue = "HELO client.test\\r\\nMAIL FROM:<a@client.test>\\r\\nRCPT TO:<b@accept.test>\\r\\nQUIT\\r\\n"
    knock = f"printf '{dialogue}' | nc -q 2 172.28.0.30 25"
    assert "Relay access denied" in lab.shell("remote", knock)


def _line_with(lab: Lab, container: str, text: str) -> str:
    return next((line for line in lab.logs(container, time.time() - 120).splitlines() if text in line), "")


def _entry(lab: Lab, queue_id: str, queue: str) -> dict[str, list[dict[str, str]]]:
    entries = [entry for entry in lab.queue() if entry["queue_id"] == queue_id and entry["queue_name"] == queue]
    return entries[0] if entries else {}
