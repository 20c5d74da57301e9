"""Secrets: fetched when needed, from where the setting says, and never in an error."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mailtop.config import SecretSettings
from mailtop.engine.secrets import secret, source
from mailtop.model.errors import ConfigError

SAYS = (sys.executable, "-c")


def test_a_program_s_first_line_is_the_secret() -> None:
    settings = SecretSettings(password_command=(*SAYS, "print('hunter2'); print('user: ann')"))

    assert secret(settings, "services.maildb") == "hunter2"


def test_the_environment_and_a_file_of_ones_own_hold_secrets_too(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.touch(0o600)
    file.write_text("päss word\n")

    assert secret(SecretSettings(password_env="DB"), "x", {"DB": "hunter2"}) == "hunter2"
    assert secret(SecretSettings(password_file=str(file)), "x") == "päss word"
    assert secret(SecretSettings(), "x") is None
    assert source(SecretSettings(), "x") is None


def test_a_file_that_others_may_read_is_refused_with_the_line_that_mends_it(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("hunter2\n")
    file.chmod(0o640)

    with pytest.raises(ConfigError) as raised:
        secret(SecretSettings(password_file=str(file)), "hosts.mail1")

    assert str(raised.value) == (
        f"hosts.mail1.password_file: {file} may be read by others (mode 0640); chmod 600 {file}"
    )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (SecretSettings(password_env="NONE"), "x.password_env: $NONE is not set; export NONE"),
        (SecretSettings(password_command=("no-such-program",)), "x.password_command: no-such-program: No such file"),
        (
            SecretSettings(password_command=(*SAYS, "import sys; sys.exit('locked \x1b[31m')")),
            f"x.password_command: {sys.executable}: locked \\x1b[31m; it ended with 1",
        ),
        (SecretSettings(password_command=(*SAYS, "print()")), "x.password_command: gave no secret"),
        (SecretSettings(password_file="/nowhere"), "x.password_file: /nowhere: no such file or directory"),
        (SecretSettings(password_keyring="mail"), "x.password_keyring: 'mail' is no service/user"),
    ],
)
def test_what_is_wrong_names_the_setting_in_one_line(settings: SecretSettings, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        secret(settings, "x", {})

    assert str(raised.value).startswith(said)
    assert "\n" not in str(raised.value)


def test_the_secret_itself_is_in_no_error() -> None:
    settings = SecretSettings(password_command=(*SAYS, "print('hunter2' * 1000)"))

    with pytest.raises(ConfigError) as raised:
        secret(settings, "x")

    assert "hunter2" not in str(raised.value)


def test_a_keyring_is_asked_for_service_and_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "keyring.py").write_text(
        "class errors:\n    class KeyringError(Exception): pass\n"
        "def get_password(service, user):\n    return {('mail/db', 'ann'): 'hunter2'}.get((service, user))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "keyring", raising=False)

    assert secret(SecretSettings(password_keyring="mail/db/ann"), "x") == "hunter2"
    with pytest.raises(ConfigError, match="has nothing under mail/db/bob; keyring set mail/db bob"):
        secret(SecretSettings(password_keyring="mail/db/bob"), "x")
    monkeypatch.delitem(sys.modules, "keyring")
