"""`mailtop doctor` and `mailtop init`: a host that is down is a line, what is missing comes with what gives it."""

from __future__ import annotations

import io
import json
import stat
from argparse import Namespace
from pathlib import Path

import pytest

from mailtop import config
from mailtop.model.errors import ConfigError
from mailtop.model.snapshot import Health, HostState, Link, Snapshot
from mailtop.model.survey import Right, Survey, Surveyed
from mailtop.model.topology import Role
from mailtop.report import doctor, init
from tests.ui.still import StillConsole

POSTFIX = Surveyed(
    "mail1/postfix",
    (Role.MTA,),
    "running",
    "root",
    (("postfix", "3.7.11"),),
    (Right("postfix_queue", Health.OK), Right("queue.hold", Health.OK, "by sudo", act=True)),
)
NO_DOCKER = Right("docker", Health.DENIED, "/run/docker.sock belongs to group engine", "usermod -aG engine guest")
MAIL1 = Survey(
    "mail1", Link.UP, user="root", docker_version="20.10", targets=(Surveyed("mail1"), POSTFIX), ssh="ops@mail1"
)
MAIL2 = Survey("mail2", Link.UP, user="guest", targets=(Surveyed("mail2", rights=(NO_DOCKER,)),), ssh="mail2")
GONE = Survey("gone", Link.DOWN, "gone: no address; is the name right?", ssh="gone")
VIP = Survey("vip", Link.UP, "the same machine as mail1, shown there", same="mail1", ssh="vip")


class Looked(StillConsole):
    """A console that has looked around."""

    def __init__(self, *surveys: Survey) -> None:
        hosts = tuple(HostState(one.host, one.link, 0.0, one.note) for one in surveys)
        super().__init__(Snapshot(1, 0.0, "example.com", hosts=hosts))
        self.surveys = surveys

    async def survey(self) -> tuple[Survey, ...]:
        return self.surveys


async def told(*surveys: Survey, as_json: bool = False) -> tuple[int, str]:
    out, err = io.StringIO(), io.StringIO()
    status = await doctor.run(Looked(*surveys), Namespace(json=as_json), out, err)
    assert err.getvalue() == ""  # no terminal: no progress
    return status, out.getvalue()


async def test_all_well_is_0_something_missing_1_and_nobody_reached_3() -> None:
    assert (await told(MAIL1))[0] == 0
    assert (await told(MAIL1, MAIL2))[0] == 1
    assert (await told(MAIL1, GONE))[0] == 1
    assert (await told(GONE))[0] == 3


async def test_a_host_that_is_down_is_a_line_and_a_missing_right_comes_with_its_line() -> None:
    _, text = await told(MAIL1, MAIL2, GONE, VIP)

    assert "gone: down: no address; is the name right?\n" in text
    assert "  mail1/postfix: mta, postfix 3.7.11\n    reads: postfix_queue\n    may: queue.hold (by sudo)\n" in text
    assert "    denied: docker: /run/docker.sock belongs to group engine\n" in text
    assert "  to give it, on mail2 as root:  usermod -aG engine guest\n" in text
    assert "vip: up, the same machine as mail1, shown there\n" in text


async def test_the_same_in_a_stable_form() -> None:
    status, text = await told(MAIL2, GONE, as_json=True)
    document = json.loads(text)

    assert status == 1
    assert document["schema"] == "mailtop.doctor/1"
    (right,) = document["hosts"][0]["targets"][0]["rights"]
    assert right == {
        "what": "docker",
        "act": False,
        "health": "denied",
        "note": NO_DOCKER.note,
        "gives": "usermod -aG engine guest",
    }
    assert document["hosts"][1]["link"] == "down"


async def test_init_writes_a_file_of_0600_that_loads_to_the_same_hosts(tmp_path: Path) -> None:
    file, err = tmp_path / "config.toml", io.StringIO()
    surveys = (MAIL1, MAIL2, VIP, Survey("a.b", Link.UP, ssh='x"y', docker=False, shell=False, docker_socket="/x"))

    assert await init.run(Looked(*surveys), Namespace(to=str(file)), io.StringIO(), err) == 0

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    hosts = config.load(file).hosts
    assert list(hosts) == ["mail1", "mail2", "a.b"]  # the VIP is mail1
    assert (hosts["mail1"].ssh, hosts["mail1"].docker) == ("ops@mail1", True)
    assert (hosts["a.b"].ssh, hosts["a.b"].docker, hosts["a.b"].shell) == ('x"y', False, False)
    assert "mail1/postfix" in file.read_text()
    assert "wrote" in err.getvalue()


async def test_init_never_writes_over_a_file_and_says_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("mine")

    with pytest.raises(ConfigError, match="is there already; move it away, or name another: mailtop init --to FILE"):
        await init.run(Looked(MAIL1), Namespace(to=str(file)), io.StringIO(), io.StringIO())
    with pytest.raises(ConfigError, match="its folder is not there"):
        await init.run(Looked(MAIL1), Namespace(to=str(tmp_path / "a" / "b")), io.StringIO(), io.StringIO())
    assert file.read_text() == "mine"


async def test_init_that_reached_nobody_writes_nothing(tmp_path: Path) -> None:
    err = io.StringIO()

    assert await init.run(Looked(GONE), Namespace(to=str(tmp_path / "c")), io.StringIO(), err) == 3
    assert not (tmp_path / "c").exists()
    assert "gone: no address" in err.getvalue()


async def test_init_to_stdout_prints_it() -> None:
    out = io.StringIO()

    assert await init.run(Looked(MAIL1, GONE), Namespace(to="-"), out, io.StringIO()) == 0
    assert list(config.parse(out.getvalue()).hosts) == ["mail1", "gone"]
    assert "# not reached: gone: no address" in out.getvalue()
