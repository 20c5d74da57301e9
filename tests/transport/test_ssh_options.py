"""How destinations are looked up, with OpenSSH and without."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mailtop.model.errors import ConfigError
from mailtop.transport.ssh import resolve
from mailtop.transport.ssh.options import OPENSSH, from_words

HOME = Path.home()
CONFIG = """
Host mail1
  HostName mail1.example.org
  Port 2222
  User ops
  IdentityFile ~/.ssh/%h-%r
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile /etc/mail/known_hosts "/etc/mail/more hosts"
  GlobalKnownHostsFile none
  ConnectTimeout 7
  HostKeyAlias mailhost
Host far
  ProxyJump ann@bastion:2200,inner
Host circle
  ProxyJump circle2
Host circle2
  ProxyJump circle
Host nowhere
  IdentityFile none
  UserKnownHostsFile none
Host spaced
  IdentityFile "~/my keys/id"
Host odd
  ProxyCommand nc -X %% %h %p as %r
  CertificateFile ~/.ssh/ops-cert.pub
  KnownHostsCommand /bin/keys
  RevokedHostKeys /etc/revoked
"""
WITHOUT = pytest.param(False, id="without OpenSSH")
WITH = pytest.param(True, id="OpenSSH", marks=pytest.mark.skipif(not shutil.which("ssh"), reason="no OpenSSH here"))


@pytest.fixture(params=[WITHOUT, WITH])
def config(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    if not request.param:
        monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "config").write_text(CONFIG)
    return str(tmp_path / "config")


def test_an_alias_has_all_its_options(config: str) -> None:
    options = resolve("mail1", config)
    assert (options.hostname, options.port, options.user) == ("mail1.example.org", 2222, "ops")
    assert options.identity_files == (f"{HOME}/.ssh/mail1.example.org-ops",)
    assert options.known_hosts[0] == "/etc/mail/known_hosts"
    assert not [path for path in options.known_hosts if path.startswith("/etc/ssh/")]
    assert (options.timeout, options.host_key_alias, options.agent) == (7.0, "mailhost", "none")
    assert options.identities_only
    assert options.jump is None
    assert options.unsupported == ()


def test_a_keys_path_may_hold_spaces(config: str) -> None:
    assert resolve("spaced", config).identity_files[0] == f"{HOME}/my keys/id"


def test_what_a_token_stands_for_is_not_looked_at_again() -> None:
    words = {"hostname": ["%p"], "user": ["%h"], "proxycommand": ["nc %%h %h %r %%%p %x"]}
    assert from_words("odd", words, OPENSSH).proxy_command == "nc %h %p %h %22 %x"


def test_none_is_none_and_not_what_is_usual(config: str) -> None:
    options = resolve("nowhere", config)
    assert options.identity_files == ()
    assert f"{HOME}/.ssh/known_hosts" not in options.known_hosts


@pytest.mark.parametrize("name", ["odd;id", "$(id)@odd", "`id`", "a&b", "a|b@odd"])
def test_a_proxy_commands_shell_is_given_names_only(config: str, name: str) -> None:
    (Path(config)).write_text("Host *\n  ProxyCommand nc %h %r\n")
    with pytest.raises(ConfigError) as raised:
        resolve(name, config)
    assert "\n" not in str(raised.value)


def test_a_user_before_the_host_wins(config: str) -> None:
    assert resolve("ann@mail1", config).user == "ann"


def test_a_host_that_no_file_names_is_reached_by_its_name(config: str) -> None:
    options = resolve("192.0.2.7", config)
    assert (options.hostname, options.port, options.timeout) == ("192.0.2.7", 22, 10.0)
    assert str(HOME / ".ssh/known_hosts") in options.known_hosts


def test_jump_hosts_are_looked_up_nearest_first(config: str) -> None:
    inner = resolve("far", config).jump
    assert inner
    assert inner.jump
    assert (inner.hostname, inner.jump.hostname, inner.jump.user, inner.jump.port) == ("inner", "bastion", "ann", 2200)


def test_a_circle_of_jump_hosts_is_refused(config: str) -> None:
    with pytest.raises(ConfigError, match="look for a circle"):
        resolve("circle", config)


def test_what_is_not_supported_is_named(config: str) -> None:
    unsupported = " ".join(resolve("odd", config).unsupported)
    assert "knownhostscommand /bin/keys" in unsupported
    assert "revokedhostkeys /etc/revoked" in unsupported


def test_a_proxy_command_knows_where_it_goes(config: str) -> None:
    options = resolve("ann@odd", config)
    assert options.proxy_command == "nc -X % odd 22 as ann"
    assert options.certificate_files == (f"{HOME}/.ssh/ops-cert.pub",)


def test_ways_to_log_in_are_those_that_are_configured(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(
        "Host mail1\n  PreferredAuthentications password,gssapi-with-mic,publickey\n  BatchMode yes\n"
        "Host mail2\n  PasswordAuthentication no\n  NumberOfPasswordPrompts 1\n"
    )
    options = resolve("mail1", str(config))
    assert (options.methods, options.tries) == (("password", "publickey"), 0)
    options = resolve("mail2", str(config))
    assert (options.methods, options.tries) == (("publickey", "keyboard-interactive"), 1)


def test_a_file_that_includes_another_says_so_without_openssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "config").write_text("Include more\nHost mail1\n  HostName mail1.example.org\n")
    assert resolve("mail1", str(tmp_path / "config")).unsupported == ("include more",)


def test_a_destination_is_never_an_option_of_ssh(config: str) -> None:
    try:
        options = resolve("-oProxyCommand=touch /tmp/obeyed", config)
    except ConfigError:
        return
    assert options.unsupported == ()
    assert options.hostname.startswith("-o")


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("Host mail1\n  Port many\n")
    with pytest.raises(ConfigError):
        resolve("mail1", str(tmp_path / "config"))


def test_a_port_that_is_none_is_said_without_openssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for port in ("many", "0", "70000", "²"):
        (tmp_path / "config").write_text(f"Host mail1\n  Port {port}\n")
        with pytest.raises(ConfigError, match="is no port"):
            resolve("mail1", str(tmp_path / "config"))
