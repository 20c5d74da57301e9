"""config.toml: its shape, and errors that name file, line and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailtop import config
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
        ("[hosts\n", "config.toml: "),
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
