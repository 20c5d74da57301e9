"""What `mailtop snapshot` and `mailtop queue` print is what `postqueue -j` says."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import Any

import pytest
from maillab.lab import Lab
from maillab.reach import POSTFIX

from tests.truth.cli import HERE, Home, error_of

pytestmark = pytest.mark.lab

SENDER, PROVIDER = "news@shop.test", "remote.test"
TEXT = "451 4.7.650 The mail server has been temporarily rate limited (S775)"


def busy(lab: Lab, host: str, count: int, held: int) -> list[dict[str, Any]]:
    """Put deferred and held mail into a host's queue; the listing as Postfix gives it."""
    sent = lab.deferred(count, domain="bigmail.test", sender=SENDER, text=TEXT, host=host)
    lab.execute(POSTFIX[host], "postsuper", "-h", "-", stdin="\n".join(sent.queue_ids[:held]))
    return lab.queue(host)


def assert_equal(document: dict[str, Any], target: str, listing: list[dict[str, Any]]) -> None:
    """The counts by queue, and the oldest arrival to a second."""
    (queue,) = (queue for queue in document["queues"] if queue["target"] == target)
    counts = {name: reading["value"] for name, reading in queue["counts"].items()}
    assert all(reading["health"] == "ok" for reading in queue["counts"].values())
    assert {name: value for name, value in counts.items() if value} == Counter(e["queue_name"] for e in listing)
    assert queue["listed"] == len(listing)
    assert queue["bytes"] == sum(entry["message_size"] for entry in listing)
    oldest = queue["oldest_seconds"]
    assert abs(document["at"] - oldest["value"] - min(entry["arrival_time"] for entry in listing)) < 2.0


def test_a_snapshot_of_this_machines_docker_equals_postqueue(fresh_lab: Lab, home: Home) -> None:
    listing = busy(fresh_lab, "mail1", 7, 2)

    document = home.document("snapshot", "docker")

    assert_equal(document, f"{HERE}/postfix", listing)
    assert document["schema"] == "mailtop.snapshot/1"


def test_a_snapshot_over_ssh_equals_postqueue_on_both_hosts(fresh_lab: Lab, home: Home) -> None:
    listings = {f"{host}/postfix": busy(fresh_lab, host, count, 2) for host, count in (("mail1", 6), ("mail2", 9))}

    document = home.document("snapshot")

    assert [host["link"] for host in document["hosts"]] == ["up", "up"]
    for target, listing in listings.items():
        assert_equal(document, target, listing)


def test_the_queue_by_cause_domain_and_message_equals_postqueue(fresh_lab: Lab, home: Home) -> None:
    listings = {f"{host}/postfix": busy(fresh_lab, host, count, 2) for host, count in (("mail1", 6), ("mail2", 9))}
    only = ("--where", SENDER)

    causes = home.document("queue", "--by", "cause", *only)["rows"]
    domains = home.document("queue", "--by", "domain", *only)["rows"]
    messages = home.document("queue", "--by", "message", *only)["rows"]

    by_target = {row["target"]: row for row in causes}
    assert {target: (row["deferred"], row["held"]) for target, row in by_target.items()} == {
        "mail1/postfix": (4, 2),
        "mail2/postfix": (7, 2),
    }
    assert all((row["code"], row["next_hop"]) == ("4.7.650", PROVIDER) for row in causes)
    assert [(row["domain"], row["total"]) for row in domains] == [("bigmail.test", 15)]
    assert {(row["target"], row["id"], row["queue"], row["arrival"]) for row in messages} == {
        (target, entry["queue_id"], entry["queue_name"], entry["arrival_time"])
        for target, listing in listings.items()
        for entry in listing
    }
    assert {row["reason"] for row in messages} == {
        recipient["delay_reason"] for entry in chain(*listings.values()) for recipient in entry["recipients"]
    }


# ── exit codes: 0 ok, 2 usage, 3 unreachable; every error is one line ──────────────────────────────────────────────


def test_a_host_that_nobody_knows_is_unreachable(lab: Lab, home: Home) -> None:
    done = home.mailtop("snapshot", "--json", "root@nosuch.invalid")

    assert done.returncode == 3
    (line,) = done.stderr.splitlines()
    assert line.startswith(("mailtop: nosuch: ", "mailtop: nosuch.invalid: "))


def test_a_host_that_does_not_answer_is_unreachable_and_spoils_no_other(lab: Lab, home: Home) -> None:
    home.configure(home.config.read_text(), '[hosts.mail3]\nssh = "root@172.28.0.250"\n')

    alone = home.mailtop("snapshot", "--json", "mail3")
    both = home.mailtop("snapshot", "--json")

    assert alone.returncode == 3
    assert both.returncode == 0
    assert alone.stderr.splitlines() == both.stderr.splitlines()
    assert alone.stderr.startswith("mailtop: mail3: ")
    links = home.document("snapshot")["hosts"]
    assert {host["name"]: host["link"] for host in links} == {"mail1": "up", "mail2": "up", "mail3": "down"}


def test_a_word_that_is_no_host_is_a_usage_error(home: Home) -> None:
    done = home.mailtop("snapshot", "no host")

    assert done.returncode == 2
    assert error_of(done).startswith("mailtop: no host: is no host; ")


def test_a_setting_that_does_not_exist_is_named_with_its_line(home: Home) -> None:
    home.configure('[platform]\nname = "x"\n\n[hosts.mail1]\nssh = "mail1"\ndokcer = true\n')

    done = home.mailtop("snapshot", "--json")

    assert done.returncode == 2
    assert error_of(done) == f"mailtop: {home.config}:6: hosts.mail1.dokcer: no such setting; did you mean docker?"
