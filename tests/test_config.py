"""config.toml: its shape, and errors that name file, line and key."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtop import config
from mailtop.config import (
    DnsSettings,
    FlowSettings,
    HostSettings,
    PlatformSettings,
    ProbeSettings,
    ServiceSettings,
    Settings,
)
from mailtop.config.targets import runs_here
from mailtop.model.errors import ConfigError, UsageError
from mailtop.model.topology import Role

GOOD = """
[platform]
name = "example.com mail"
colour = "red"

[hosts.mail1]
ssh = "mail1"

[services.maildb]
role = "database"
target = "mail1/maildb"
"""


def test_a_whole_file_becomes_settings() -> None:
    settings = config.parse(GOOD)

    assert settings.platform.colour == "red"
    assert settings.hosts["mail1"].docker
    assert settings.services["maildb"].role is Role.DATABASE


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ('[hosts.mail1]\nssh = "a"\nsshh = "b"\n', "config.toml:3: hosts.mail1.sshh: no such setting"),
        ("[hosts.mail1]\ndocker = 3\n", "config.toml:2: hosts.mail1.docker: expected `bool`, got `int`"),
        ('[services.x]\nrole = "mta"\ntarget = "mail9/x"\n', "config.toml:3: services.x.target: no host 'mail9'"),
        ("[hosts\n", "config.toml:1: not TOML: "),
        ("[hosts.mail1]\nssh =\n", "config.toml:2: not TOML: invalid value"),
        ("[hosts.mail1]\nshh = 'a'\n", "config.toml:2: hosts.mail1.shh: no such setting; did you mean ssh?"),
        (
            "[platform]\ncolour = 'pink'\n",
            "config.toml:2: platform.colour: there is no colour 'pink'; known: red, orange",
        ),
        (
            "hosts.a = {}\nservices.x = {target = 'a/x', role = 'mtaa'}\n",
            "config.toml:2: services.x.role: there is no role",
        ),
        ("[hosts.a]\n[services.x]\nrole = 'mta'\n", "config.toml:2: services.x: target is missing"),
        ("[hosts.a]\n[groups]\nmx = ['a', 'b']\n", "config.toml:3: groups.mx: no host 'b'; known: a"),
        ("[hosts.a]\n[groups]\na = ['a']\n", "config.toml:3: groups.a: a host has this name already"),
        ("[hosts.a]\n[groups]\nmx = 'a'\n", "config.toml:3: groups.mx: expected `array`, got `str`"),
        (
            "[hosts.a.probes.host_disk]\nevery = 'x'\n",
            "config.toml:2: hosts.a.probes.host_disk.every: expected `float`",
        ),
        (
            "[hosts.a]\npassword = 'x'\n",
            "config.toml:2: hosts.a.password: no secret may stand in this file; set one of password_command",
        ),
        (
            "[hosts.a]\npassword_env = 'A'\npassword_file = '/x'\n",
            "config.toml:3: hosts.a.password_file: password_env is set as well; one of them is enough",
        ),
        (
            "[hosts.a]\n[services.db]\nrole = 'database'\ntarget = 'a/db'\nreplica_of = 'b/db'\n",
            "config.toml:5: services.db.replica_of: 'b/db' is no service and no target; write host/container",
        ),
        ("[databases]\narchive = 'maildb'\n", "config.toml:2: databases.archive: 'maildb' names no service"),
        ("interval = 0\n", "config.toml:1: interval: expected seconds above 0, got 0"),
        ("interval = nan\n", "config.toml:1: interval: expected seconds above 0, got nan"),
        ("[probes.host_disk]\nevery = -5\n", "config.toml:2: probes.host_disk.every: expected seconds, got -5; 0 is"),
        ("[hosts.a.probes.x]\nevery = inf\n", "config.toml:2: hosts.a.probes.x.every: expected seconds, got inf"),
        ("x = " + "[" * 100_000, "config.toml: not TOML: brackets within brackets"),
        ("[dns]\nresolver = 'ns1'\n", "config.toml:2: dns.resolver: 'ns1' is no address; a resolver is asked by its"),
        ("[dns]\ndomains = ['a b']\n", "config.toml:2: dns.domains: 'a b' is no name of DNS"),
        ("[dns]\noutside = 'a..b'\n", "config.toml:2: dns.outside: 'a..b' is no name of DNS"),
        ("interval = 'x'\n", "config.toml:1: interval: expected `float`, got `str`"),
    ],
)
def test_an_error_names_file_line_key_and_what_was_expected(wrong: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        config.parse(wrong)

    assert str(raised.value).startswith(said)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_missing_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        config.load(tmp_path / "none.toml")


def test_a_file_that_is_not_utf_8_says_in_which_line(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b"[platform]\nname = '\xe4'\n")

    with pytest.raises(ConfigError, match=r"latin.toml:2: is not UTF-8"):
        config.load(tmp_path / "latin.toml")


@given(key=st.text(min_size=1, max_size=12), value=st.one_of(st.text(max_size=8), st.integers(), st.booleans()))
def test_whatever_key_stands_in_a_table_the_error_is_one_line_that_names_it(key: str, value: str | int) -> None:
    text = f"[hosts.mail1]\n{json.dumps(key)} = {json.dumps(value)}\n"
    said = ""
    try:
        config.parse(text)
    except ConfigError as error:
        said = str(error)

    assert said.startswith("config.toml:") or (key in HostSettings.__struct_fields__ and not said)
    assert "\n" not in said


def test_a_group_means_its_hosts() -> None:
    settings = config.parse(
        "[hosts.mail1]\n[hosts.mail2]\nssh = 'm2'\n[hosts.mail3]\n[groups]\nmx = ['mail2', 'mail1']\n"
    )

    assert tuple(config.with_targets(settings, ("mx",)).hosts) == ("mail2", "mail1")
    assert tuple(config.with_targets(settings, ("mx", "mail3")).hosts) == ("mail2", "mail1", "mail3")


def test_a_probe_is_set_for_the_platform_and_for_one_host() -> None:
    settings = config.parse(
        "[hosts.a]\n[hosts.b.probes.postfix_listing]\nenabled = false\n[probes.postfix_listing]\nevery = 60\n"
    )

    assert settings.probe("a", "postfix_listing").every == 60.0
    assert not settings.probe("b", "postfix_listing").enabled
    assert settings.probe("a", "host_disk").enabled


def test_targets_narrow_the_platform_and_may_be_hosts_it_does_not_know() -> None:
    settings = config.with_targets(config.parse(GOOD), ("mail1", "ann@mail9", "docker+ssh://mail8"))

    assert list(settings.hosts) == ["mail1", "mail9", "mail8"]
    assert settings.hosts["mail9"].ssh == "ann@mail9"
    assert not settings.hosts["mail8"].shell


@pytest.mark.parametrize("target", ["-oProxyCommand=x", "http://mail1", "mail1;reboot", "a b"])
def test_a_target_that_could_be_an_option_or_a_command_is_refused(target: str) -> None:
    with pytest.raises(UsageError):
        config.with_targets(config.Settings(), (target,))


def test_folders_follow_xdg() -> None:
    assert config.default_path({"XDG_CONFIG_HOME": "/c"}) == Path("/c/mailtop/config.toml")
    assert config.state_folder({"XDG_STATE_HOME": "/s"}) == Path("/s/mailtop")


def test_this_machine_is_watched_for_a_service_of_its_own_too(tmp_path: Path) -> None:
    for number, name in (("1", "systemd"), ("77", "bash")):
        (tmp_path / number).mkdir()
        (tmp_path / number / "comm").write_text(f"{name}\n")
    nowhere = str(tmp_path / "docker.sock")
    assert not runs_here(nowhere, str(tmp_path), {})
    assert runs_here(nowhere, str(tmp_path), {"DOCKER_HOST": "tcp://127.0.0.1:2375"})

    (tmp_path / "77" / "comm").write_text("qmgr\n")
    assert runs_here(nowhere, str(tmp_path), {})


def test_every_setting_is_documented_and_nothing_else_is() -> None:
    text = (Path(__file__).parents[1] / "docs" / "settings.md").read_text("utf-8")
    documented = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    sections = set(re.findall(r"^## `\[(\w+)", text, re.MULTILINE))
    shapes = (PlatformSettings, HostSettings, ServiceSettings, ProbeSettings, FlowSettings, DnsSettings)
    settings = {name for shape in shapes for name in shape.__struct_fields__}
    top = {name for name in Settings.__struct_fields__ if name not in sections}

    assert sections == {"platform", "hosts", "groups", "services", "databases", "probes", "flow", "dns"}
    assert documented == settings | top


def test_the_readme_s_example_is_a_configuration() -> None:
    text = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)

    assert config.parse(example).hosts
