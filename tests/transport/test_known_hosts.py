"""Lines of known_hosts as people have them, the broken ones included."""

from __future__ import annotations

import base64
import hmac
from pathlib import Path

import pytest

from mailtop.model.errors import HostKeyRefused
from mailtop.transport.ssh.known_hosts import KnownHosts, fingerprint

KEY, OTHER = b"\0\0\0\x0bssh-ed25519 one", b"\0\0\0\x0bssh-ed25519 two"
ONE, TWO = base64.b64encode(KEY).decode(), base64.b64encode(OTHER).decode()


def hashed(name: str) -> str:
    salt = b"0123456789abcdefghij"
    digest = hmac.digest(salt, name.encode(), "sha1")
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


def check(tmp_path: Path, lines: str, port: int = 22, name: str = "mail1.example.org", alias: str = "") -> str:
    """Return what is said against the host's key, empty where it is known."""
    (tmp_path / "known_hosts").write_text(lines)
    known = KnownHosts((str(tmp_path / "missing"), str(tmp_path / "known_hosts")), name, port, alias)
    try:
        known.check("mail1", "ssh-ed25519", KEY)
    except HostKeyRefused as refused:
        return str(refused)
    return ""


@pytest.mark.parametrize(
    ("line", "port"),
    [
        (f"mail1.example.org ssh-ed25519 {ONE}", 22),
        (f"mail1.example.org,192.0.2.1 ssh-ed25519 {ONE} ann@laptop", 22),
        (f"MAIL1.Example.ORG ssh-ed25519 {ONE}", 22),
        (f"*.example.org ssh-ed25519 {ONE}", 22),
        (f"mail?.example.org\tssh-ed25519\t{ONE}", 22),
        (f"{hashed('mail1.example.org')} ssh-ed25519 {ONE}", 22),
        (f"[mail1.example.org]:2222 ssh-ed25519 {ONE}", 2222),
        (f"[*.example.org]:2222 ssh-ed25519 {ONE}", 2222),
        (f"{hashed('[mail1.example.org]:2222')} ssh-ed25519 {ONE}", 2222),
        (f"mail1.example.org ssh-ed25519 {ONE}", 2222),
    ],
)
def test_a_key_is_known_by_each_way_of_writing_a_name(tmp_path: Path, line: str, port: int) -> None:
    assert check(tmp_path, line + "\n", port) == ""


@pytest.mark.parametrize(
    "line",
    [
        f"mail2.example.org ssh-ed25519 {ONE}",
        f"*.example.org,!mail1.example.org ssh-ed25519 {ONE}",
        f"[mail1.example.org]:2222 ssh-ed25519 {ONE}",
        f"{hashed('mail2.example.org')} ssh-ed25519 {ONE}",
        f"# mail1.example.org ssh-ed25519 {ONE}",
        "",
    ],
)
def test_other_hosts_keys_are_not_its_own(tmp_path: Path, line: str) -> None:
    assert "is not known; compare it, then: ssh-keyscan -t ed25519 mail1.example.org >> " in check(tmp_path, line)


@pytest.mark.parametrize(
    "broken",
    [
        "mail1.example.org ssh-ed25519",
        "mail1.example.org ssh-ed25519 not*base64",
        "|1|nonsense ssh-ed25519 AAAA",
        "|1|a|b|c ssh-ed25519 AAAA",
        f"@cert-authority *.example.org ssh-ed25519 {TWO}",
        f"@revoked * ssh-ed25519 {TWO}",
        f"@what-is-this * ssh-ed25519 {TWO}",
        "mail1.example.org ssh-future@example.org AAAA",
        "\x00\x7f\xe9",
        "@",
    ],
)
def test_a_line_that_cannot_be_used_hides_no_other(tmp_path: Path, broken: str) -> None:
    assert check(tmp_path, f"{broken}\nmail1.example.org ssh-ed25519 {ONE}\n") == ""


def test_a_changed_key_is_refused_with_the_lines_that_renew_it(tmp_path: Path) -> None:
    said = check(tmp_path, f"\n[mail1.example.org]:2222 ssh-ed25519 {TWO}\n", 2222)
    file = tmp_path / "known_hosts"
    assert f"its ed25519 key {fingerprint(KEY)} is not the one in {file}:2; " in said
    assert f"ssh-keygen -R '[mail1.example.org]:2222' -f {file} && ssh-keyscan -t ed25519 -p 2222 " in said


def test_another_kind_of_key_than_the_known_one_is_a_change(tmp_path: Path) -> None:
    assert "is not the one in" in check(tmp_path, f"mail1.example.org ssh-rsa {TWO}\n")


def test_a_revoked_key_is_refused_though_it_is_known(tmp_path: Path) -> None:
    said = check(tmp_path, f"mail1.example.org ssh-ed25519 {ONE}\n@revoked * ssh-ed25519 {ONE}\n")
    assert "is revoked in" in said
    assert "known_hosts:2; ask who runs the host" in said


def test_a_plain_key_is_not_known_by_an_authority(tmp_path: Path) -> None:
    said = check(tmp_path, f"@cert-authority *.example.org ssh-ed25519 {TWO}\n")
    assert "is not known, and has no certificate; compare it, then: ssh-keyscan" in said


def test_an_alias_stands_for_name_and_port(tmp_path: Path) -> None:
    assert check(tmp_path, f"maildb ssh-ed25519 {ONE}\n", 2222, alias="maildb") == ""
    assert "ssh-keyscan -t ed25519 -p 2222 mail1" in check(tmp_path, "", 2222, alias="maildb")


def test_the_kinds_that_are_known_are_asked_for_first(tmp_path: Path) -> None:
    (tmp_path / "k").write_text(f"mail1 ssh-rsa {ONE}\n@revoked mail1 ssh-dss {TWO}\nmail1 ecdsa-sha2-nistp256 {TWO}\n")
    assert KnownHosts((str(tmp_path / "k"),), "mail1").kinds() == ("ssh-rsa", "ecdsa-sha2-nistp256")
