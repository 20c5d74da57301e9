"""What sudo allows without a password, from `sudo -n -l`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtop.model.ask import Answer
from mailtop.parse.sudo_list import Allowed, allowed, read

HEAD = b"""Matching Defaults entries for ops on mail1:
    env_reset, mail_badpass, secure_path=/usr/local/sbin\\:/usr/local/bin, use_pty

User ops may run the following commands on mail1:
"""


def listed(*entries: str) -> tuple[Allowed, ...]:
    return read(Answer(HEAD + "".join(f"    {entry}\n" for entry in entries).encode()))


def test_what_needs_a_password_or_another_user_is_not_ours() -> None:
    found = listed(
        "(root) NOPASSWD: /usr/sbin/postsuper -h -, /usr/sbin/postsuper -H -, PASSWD: /usr/sbin/postfix",
        "(postgres) NOPASSWD: /usr/bin/psql",
        "(ALL : ALL) ALL",
    )

    assert found == (Allowed("/usr/sbin/postsuper", "-h -"), Allowed("/usr/sbin/postsuper", "-H -"))


@pytest.mark.parametrize(
    ("entries", "command", "may"),
    [
        (["(root) NOPASSWD: /usr/sbin/postsuper"], "/usr/sbin/postsuper -d ALL", True),
        (["(root) NOPASSWD: /usr/sbin/postsuper -h -"], "/usr/sbin/postsuper -h -", True),
        (["(root) NOPASSWD: /usr/sbin/postsuper -h -"], "/usr/sbin/postsuper -d ALL", False),
        (["(root) NOPASSWD: /usr/sbin/postsuper -h -"], "/usr/local/sbin/postsuper -h -", False),
        (['(root) NOPASSWD: /usr/sbin/postsuper ""'], "/usr/sbin/postsuper -h -", False),
        (["(ALL : ALL) NOPASSWD: ALL"], "/usr/sbin/postsuper -h -", True),
        (["(ALL) NOPASSWD: ALL, !/usr/sbin/postsuper"], "/usr/sbin/postsuper -h -", False),
        (["(root) SETENV: NOPASSWD: /usr/sbin/"], "/usr/sbin/postsuper -h -", True),
        (["(root) NOPASSWD: /usr/bin/find /var/spool/postfix/hold -name \\*\\,v"], "/usr/bin/find /x", False),
        (["(ALL, !root) NOPASSWD: ALL"], "/usr/sbin/postsuper -h -", False),
    ],
)
def test_sudo_allows_exactly_that(entries: list[str], command: str, may: bool) -> None:
    path, *arguments = command.split()

    assert allowed(listed(*entries), path, arguments) is may


def test_a_long_entry_goes_on_in_the_next_line() -> None:
    found = listed("(root) NOPASSWD: /usr/sbin/postsuper -h -,\n        /usr/sbin/postcat")

    assert found == (Allowed("/usr/sbin/postsuper", "-h -"), Allowed("/usr/sbin/postcat"))


def test_a_no_allows_nothing() -> None:
    assert read(Answer(b"", b"sudo: a password is required", 1)) == ()


@given(st.binary(max_size=300))
def test_any_bytes_are_read(said: bytes) -> None:
    for entry in read(Answer(HEAD + b"    (root) NOPASSWD: " + said)):
        entry.covers("/bin/sh", ())
