"""Looking around the lab: services by what runs, nothing twice, and a doctor who is right for each user."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from maillab.containers import STATE
from maillab.engine import LAB
from maillab.lab import Lab
from maillab.plain_host import SSH_CONFIG as MAIL3_CONFIG
from maillab.plain_host import PlainHost
from maillab.reach import SSH_CONFIG
from maillab.waiting import wait_until

from mailtop import config
from tests.truth.cli import HERE, Home

pytestmark = pytest.mark.lab

TWO_INSTANCES = """touch /etc/postfix/main.cf; echo box7.test >/etc/mailname
postconf -e myhostname=box7.test inet_interfaces=loopback-only maillog_file=/var/log/mail.log
postmulti -e init && postmulti -I postfix-out -G mta -e create && postmulti -i postfix-out -e enable
postconf -c /etc/postfix-out -e master_service_disable=inet inet_interfaces=loopback-only myhostname=out.box7.test
postmulti -p start; exec sleep infinity"""
SERVICES = {
    "postfix": "mta",
    "dovecot": "imap",
    "dovecot24": "imap",
    "maildb": "database",
    "maildb-replica": "database",
    "amavis": "filter",
    "spamassassin": "antispam",
    "clamav": "antivirus",
    "piler": "archive",
    "manticore": "search",
    "wwwapp": "proxy",
    "dns": "dns",
}
SUDOERS = "/etc/sudoers.d/mailtop"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def box7(lab: Lab) -> Iterator[str]:
    """A container that nothing but its processes tells to be a Postfix; two of them."""
    lab.engine.try_run("rm", "--force", "box7")
    image = lab.engine.run("inspect", "--format", "{{.Config.Image}}", "postfix").strip()
    started = ("--detach", "--init", "--name", "box7", "--label", f"{LAB}=aside", "--network", "none")
    lab.engine.run("run", *started, image, "bash", "-c", TWO_INSTANCES)
    both = ("exec", "box7", "test", "-S", "/var/spool/postfix-out/private/defer")
    wait_until(lambda: lab.engine.try_run(*both).returncode == 0, 30, "both instances of box7 run")
    yield "box7"
    lab.engine.try_run("rm", "--force", "box7")


@pytest.fixture
def mail3(lab: Lab) -> Iterator[PlainHost]:
    """A host without Docker, nothing queued, nobody allowed anything by sudo."""
    host = PlainHost(lab.engine)
    host.up()
    yield host
    host.shell(f"rm -f {SUDOERS}; postsuper -d ALL 2>/dev/null || true")


def ssh(name: str, user: str, file: Path = SSH_CONFIG, **more: str) -> str:
    settings = {"ssh": f"{user}@{name}", "ssh_config": str(file)} | more
    return f"[hosts.{name}]\n" + "".join(f'{key} = "{value}"\n' for key, value in settings.items())


def looked(home: Home, *targets: str) -> tuple[int, dict[str, Any]]:
    """What the doctor found: exit status, and hosts by name."""
    done = home.mailtop("doctor", "--json", *targets)
    assert "Traceback" not in done.stderr
    return done.returncode, {host["name"]: host for host in json.loads(done.stdout)["hosts"]}


def roles(host: dict[str, Any]) -> dict[str, str]:
    return {target["name"].partition("/")[2]: " ".join(target["roles"]) for target in host["targets"]}


def rights(host: dict[str, Any], target: str) -> dict[str, dict[str, Any]]:
    (found,) = (one for one in host["targets"] if one["name"] == target)
    return {right["what"]: right for right in found["rights"]}


def test_every_service_of_both_hosts_is_found_over_ssh_with_its_version(home: Home) -> None:
    _, hosts = looked(home)

    assert SERVICES.items() <= roles(hosts["mail1"]).items()
    assert roles(hosts["mail2"]) == {"": "vip", "postfix": "mta"}
    versions = {target["name"]: target["versions"] for target in hosts["mail1"]["targets"]}
    assert versions["mail1/postfix"]["postfix"].startswith("3.7.")
    assert versions["mail1"]["keepalived"].startswith("2.2.")


def test_this_machine_and_a_host_with_its_engine_show_each_container_once(home: Home, box7: str) -> None:
    home.config.unlink()
    status, alone = looked(home)
    assert status in (0, 1)
    found = roles(alone[HERE])
    assert SERVICES.items() <= found.items()
    assert (found[box7], found[f"{box7}@postfix-out"]) == ("mta", "mta")

    home.configure(f"[hosts.{HERE}]\n", ssh("mail1", "root"))
    _, hosts = looked(home)
    assert hosts["mail1"]["engine_of"] == HERE
    assert list(roles(hosts["mail1"])) == [""]
    assert box7 in roles(hosts[HERE])


def test_each_instance_has_a_queue_of_its_own(home: Home, lab: Lab, box7: str) -> None:
    home.configure(f"[hosts.{HERE}]\n")
    send = "echo x | sendmail -C /etc/postfix-out -f a@box7.test b@nowhere.invalid"
    settings = "defer_transports=smtp authorized_submit_users=static:anyone"
    script = f"postconf -c /etc/postfix-out -e {settings}; postfix -c /etc/postfix-out reload; {send}"
    lab.engine.execute(box7, "sh", "-c", script)
    wait_until(
        lambda: "b@nowhere" in lab.engine.execute(box7, "postqueue", "-c", "/etc/postfix-out", "-p"), 20, "queued"
    )

    document = home.document("snapshot")

    listed = {queue["target"]: queue["listed"] for queue in document["queues"]}
    assert (listed[f"{HERE}/{box7}"], listed[f"{HERE}/{box7}@postfix-out"]) == (0, 1)


def test_a_second_name_for_a_machine_is_told_and_not_doubled(home: Home, tmp_path: Path) -> None:
    again = tmp_path / "ssh"
    again.write_text(SSH_CONFIG.read_text().replace("Host mail2 172.28.0.12", "Host again"))
    home.configure(ssh("mail2", "root"), ssh("again", "root", again))

    _, hosts = looked(home)

    assert (hosts["again"]["same_as"], roles(hosts["again"])) == ("mail2", {"": ""})


def test_the_doctor_is_right_for_root_for_ops_and_for_guest(home: Home) -> None:
    home.configure(ssh("mail2", "root"))
    assert looked(home)[0] == 0
    home.configure(ssh("mail2", "ops"))
    status, hosts = looked(home)
    assert (status, hosts["mail2"]["user"], roles(hosts["mail2"])["postfix"]) == (0, "ops", "mta")

    home.configure(ssh("mail1", "guest"))
    status, hosts = looked(home)
    docker = rights(hosts["mail1"], "mail1")["docker"]
    assert (status, docker["health"]) == (1, "denied")
    assert docker["gives"] == "usermod -aG engine guest"  # the group that the socket has, whatever its name


def test_what_the_doctor_says_gives_the_right_and_the_act_is_done_by_sudo(home: Home, mail3: PlainHost) -> None:
    home.configure(ssh("mail3", "guest", MAIL3_CONFIG))
    status, hosts = looked(home)
    lacking = rights(hosts["mail3"], "mail3")
    assert (status, roles(hosts["mail3"])) == (1, {"": "mta"})
    assert lacking["postfix_listing"]["health"] == "ok"
    assert {lacking[what]["health"] for what in ("postfix_queue", "postfix_deferred", "queue.hold")} == {"denied"}

    lines = sorted({right["gives"] for right in lacking.values() if " NOPASSWD: " in right["gives"]})
    mail3.shell(f"cat >{SUDOERS} <<'END'\n" + "\n".join(lines) + f"\nEND\nchmod 440 {SUDOERS}; visudo -c")
    given = rights(looked(home)[1]["mail3"], "mail3")
    for what in ("postfix_queue", "postfix_deferred", "queue.hold", "queue.release"):
        assert (given[what]["health"], given[what]["note"]) == ("ok", "by sudo")

    mail3.shell("echo x | sendmail -f ann@example.test bob@late.test")
    wait_until(lambda: "bob@late.test" in mail3.shell("postqueue -p"), 20, "mail waits")
    held = home.mailtop("act", "queue.hold", "--on", "mail3", "--where", "bob@late.test", "--yes-i-mean", "1")
    assert held.returncode == 0, held.stdout + held.stderr
    assert "!" in mail3.shell("postqueue -p")
    mail3.shell(f"rm {SUDOERS}")
    refused = home.mailtop("act", "queue.release", "--on", "mail3", "--where", "bob@late.test", "--yes-i-mean", "1")
    assert refused.returncode in (3, 4)
    assert refused.stderr.count("\n") == 1


def test_what_init_writes_finds_the_same_again(home: Home) -> None:
    home.configure(ssh("mail2", "root"), ssh("mail1", "guest"))
    before = {name: roles(host) for name, host in looked(home)[1].items()}
    written = home.folder / "written.toml"
    assert home.mailtop("init", "--to", str(written)).returncode == 0
    assert list(config.load(written).hosts) == ["mail2", "mail1"]

    home.config.write_bytes(written.read_bytes())
    assert {name: roles(host) for name, host in looked(home)[1].items()} == before
    again = home.mailtop("init")
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
    assert "is there already" in again.stderr


def test_bad_input_is_one_clear_line(home: Home, tmp_path: Path) -> None:
    home.configure(ssh("mail2", "root"), "[hosts.gone]\nssh = 'gone.invalid'\n")
    status, hosts = looked(home)
    assert (status, hosts["gone"]["link"], hosts["mail2"]["link"]) == (1, "down", "up")

    home.configure("[hosts.gone]\nssh = 'gone.invalid'\n")
    assert looked(home)[0] == 3
    secret = tmp_path / "key"
    secret.mkdir()
    unreadable = tmp_path / "ssh"
    unreadable.write_text(SSH_CONFIG.read_text().replace(str(STATE / "ssh/id_ed25519"), str(secret)))
    home.configure(ssh("mail2", "root", unreadable))
    status, hosts = looked(home)
    assert (status, hosts["mail2"]["link"]) == (3, "down")
    assert hosts["mail2"]["note"]
    home.configure("[hosts.x\n")
    broken = home.mailtop("doctor")
    assert (broken.returncode, broken.stderr.count("\n")) == (2, 1)
