"""From a setting that says where a secret is to the secret: a program, the environment, a 0600 file, the keyring.

A secret is asked for when it is needed, never kept in a Setting, a recording or a message.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from mailtop.config import SecretSettings
from mailtop.model.errors import ConfigError
from mailtop.model.text import Foreign

TIMEOUT = 30.0
"""Seconds: a password store may have to be unlocked first."""

LONGEST = 4096  # bytes of a secret; more is another file than the one that was meant


def secret(settings: SecretSettings, path: str, environment: Mapping[str, str] | None = None) -> str | None:
    """Return the secret that `settings` points to, None where none is set. Blocks; for a thread.

    `path`: the table's place in config.toml, for errors (`hosts.mail1`). Raises ConfigError naming the setting, never
    the secret.
    """
    if settings.password_command:
        return _first_line(_told(settings.password_command, f"{path}.password_command"), f"{path}.password_command")
    if settings.password_env:
        return _in_environment(settings.password_env, f"{path}.password_env", environment)
    if settings.password_file:
        file = Path(settings.password_file).expanduser()
        return _first_line(_in_file(file, f"{path}.password_file"), f"{path}.password_file")
    if settings.password_keyring:
        return _in_keyring(settings.password_keyring, f"{path}.password_keyring")
    return None


def source(settings: SecretSettings, path: str) -> Callable[[], str] | None:
    """Return what fetches the secret once it is needed, None where none is set."""
    return (lambda: secret(settings, path) or "") if any(_given(settings)) else None


def _given(settings: SecretSettings) -> tuple[object, ...]:
    return settings.password_command, settings.password_env, settings.password_file, settings.password_keyring


def _told(argv: tuple[str, ...], path: str) -> bytes:
    try:
        told = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT)
    except subprocess.TimeoutExpired as error:
        raise ConfigError(path, f"{argv[0]} gave no answer within {TIMEOUT:g} s", "run it by hand") from error
    except (OSError, ValueError) as error:
        raise ConfigError(path, f"{argv[0]}: {getattr(error, 'strerror', '') or error}", "check the program") from error
    if told.returncode:
        said = (told.stderr.strip() or b"said nothing").splitlines()[-1]
        raise ConfigError(path, Foreign(argv[0].encode() + b": " + said), f"it ended with {told.returncode}")
    return told.stdout


def _in_environment(name: str, path: str, environment: Mapping[str, str] | None) -> str:
    value = (os.environ if environment is None else environment).get(name)
    if not value:
        raise ConfigError(path, f"${name} is not set", f"export {name}")
    return value


def _in_file(file: Path, path: str) -> bytes:
    try:
        with file.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode  # of what is read, whatever the name means by now
            if mode & 0o077:
                raise ConfigError(path, f"{file} may be read by others (mode {mode & 0o777:04o})", f"chmod 600 {file}")
            return opened.read(LONGEST + 1)
    except OSError as error:
        raise ConfigError(path, f"{file}: {(error.strerror or 'cannot be read').lower()}", "check the path") from error


def _in_keyring(place: str, path: str) -> str:
    service, _, user = place.rpartition("/")
    if not service or not user:
        raise ConfigError(path, f"{place!r} is no service/user")
    try:
        import keyring  # an extra: few jump hosts have a desktop
    except ImportError as error:
        raise ConfigError(path, "there is no keyring library here", 'pip install "mailtop[keyring]"') from error
    try:
        value = keyring.get_password(service, user)
    except keyring.errors.KeyringError as error:
        raise ConfigError(path, f"the keyring says: {error}", "unlock it, or use password_command") from error
    if not value:
        raise ConfigError(path, f"the keyring has nothing under {place}", f"keyring set {service} {user}")
    return str(value)


def _first_line(said: bytes, path: str) -> str:
    line = said.split(b"\n", 1)[0].removesuffix(b"\r")
    if not line or len(line) > LONGEST or b"\0" in line:
        raise ConfigError(path, "gave no secret" if not line else "gave something too long to be a secret")
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(path, "gave something that is not UTF-8") from error
