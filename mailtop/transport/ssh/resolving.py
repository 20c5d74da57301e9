"""From a destination as people type it to its options, jump hosts included."""

from __future__ import annotations

from pathlib import Path

import msgspec

from mailtop.model.errors import ConfigError
from mailtop.transport.ssh.options import OPENSSH, SshOptions, ask_openssh, from_words, jumps

_DEPTH = 8  # jump hosts in a row; more is a circle


def resolve(destination: str, config_file: str | None = None) -> SshOptions:
    """Return the options of `user@host`, an alias of ~/.ssh/config, or `ssh://user@host:port`.

    `ssh -G` is asked where OpenSSH is installed (it alone knows Match and Include); else the file is read by paramiko.
    Raises ConfigError.
    """
    return _resolve(destination, config_file, 0)


def _resolve(destination: str, config_file: str | None, depth: int) -> SshOptions:
    if depth > _DEPTH:
        raise ConfigError(destination, f"more than {_DEPTH} jump hosts in a row", "look for a circle of ProxyJump")
    try:
        words = ask_openssh(destination, config_file)
        options = from_words(destination, words, OPENSSH)
    except FileNotFoundError:
        words, source = _read_config(destination, config_file)
        options = from_words(destination, words, source)
    jump: SshOptions | None = None
    for hop in jumps(words):
        nearer, jump = jump, _resolve(hop, config_file, depth + 1)
        jump = msgspec.structs.replace(jump, jump=nearer or jump.jump)
    return msgspec.structs.replace(options, jump=jump)


def _read_config(destination: str, config_file: str | None) -> tuple[dict[str, list[str]], str]:
    import paramiko

    user, _, host = destination.removeprefix("ssh://").rpartition("@")
    host, _, port = host.partition(":") if host.count(":") == 1 else (host, "", "")
    path = Path(config_file or "~/.ssh/config").expanduser()
    typed = "".join(f"{name} {value}\n" for name, value in (("User", user), ("Port", port)) if value)  # the first wins
    try:
        text = typed + (path.read_text("utf-8", "replace") if path.exists() else "")
        found = paramiko.SSHConfig.from_text(text).lookup(host)
    except (paramiko.SSHException, OSError, ValueError, KeyError) as error:
        raise ConfigError(str(path), f"cannot be read: {error}", "install the OpenSSH client, or mend it") from error
    words = {name: value if isinstance(value, list) else [value] for name, value in found.items()}
    return words, f"{path} without OpenSSH"
