"""How a host is reached over SSH: the options that OpenSSH's configuration gives to a destination."""

from __future__ import annotations

import getpass
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from mailtop.model.errors import ConfigError
from mailtop.model.text import Foreign
from mailtop.transport.ssh.known_hosts import PORT

TIMEOUT = 10.0
"""Seconds for each stage of a connection where ConnectTimeout says nothing."""

METHODS = ("publickey", "keyboard-interactive", "password")
"""The ways to log in that we know, in OpenSSH's own order."""

TRIES = 3
"""How often a person is asked for one password or passphrase."""

OPENSSH = "ssh -G"
"""The `source` of options that OpenSSH itself has told."""

_UNSUPPORTED = {  # what would change who is reached, or how we prove who we are; with the value that means "off"
    "pkcs11provider": "none",
    "securitykeyprovider": "internal",
    "knownhostscommand": "none",
    "bindinterface": "none",
    "revokedhostkeys": "none",
    "proxyusefdpass": "no",
    "include": "none",  # ssh -G has followed it; the file alone leaves it unread
}
_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")  # OpenSSH's own, of the kinds that we can use


class SshOptions(Struct, frozen=True):
    """One destination. `timeout`: seconds for each stage of a connection. `source`: where all this was read.

    `agent`: the socket of the agent, empty for $SSH_AUTH_SOCK, `none` for no agent. `jump`: the host in between.
    `methods`: the ways to log in, in order. `tries`: how often a person is asked; 0 for never (BatchMode).
    `proxy_command`: a shell's line, tokens expanded. `bind_address`: ours. `family`: `inet`, `inet6` or empty.
    `unsupported`: options that are set and that mailtop does not know, as `name value`.
    """

    destination: str
    hostname: str
    port: int = PORT
    user: str = ""
    identity_files: tuple[str, ...] = ()
    known_hosts: tuple[str, ...] = ()
    timeout: float = TIMEOUT
    source: str = ""
    host_key_alias: str = ""
    identities_only: bool = False
    agent: str = ""
    jump: SshOptions | None = None
    unsupported: tuple[str, ...] = ()
    certificate_files: tuple[str, ...] = ()
    methods: tuple[str, ...] = METHODS
    tries: int = TRIES
    proxy_command: str = ""
    bind_address: str = ""
    family: str = ""


def ask_openssh(destination: str, config_file: str | None) -> dict[str, list[str]]:
    """Return what `ssh -G` says: option in lower case → its values. Raises ConfigError, FileNotFoundError (no ssh)."""
    files = ("-F", config_file) if config_file else ()
    try:
        told = subprocess.run(
            ("ssh", "-G", *files, "--", destination), capture_output=True, timeout=TIMEOUT, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as error:
        raise ConfigError(destination, f"ssh -G gave no answer within {TIMEOUT:g} s", "look at Match exec") from error
    if told.returncode:
        said = told.stderr.strip().splitlines() or [b"ssh -G failed and said nothing"]
        raise ConfigError(destination, Foreign(said[-1]), "try: ssh -G -- " + shlex.quote(destination))
    options: dict[str, list[str]] = {}
    for line in told.stdout.decode("utf-8", "replace").splitlines():
        name, _, value = line.partition(" ")
        options.setdefault(name.lower(), []).append(value)
    return options


def from_words(destination: str, words: Mapping[str, Sequence[str]], source: str) -> SshOptions:
    """Make options of configuration words; `jump` is the caller's, who can look the other host up."""

    def one(name: str, default: str = "") -> str:
        value = words.get(name, (default,))[0]
        return default if value.lower() == "none" else value

    hostname, user = one("hostname", destination), one("user", getpass.getuser())
    port = int(one("port", str(PORT)))
    tokens = {"%%": "%", "%d": str(Path.home()), "%h": hostname, "%n": destination, "%p": str(port), "%r": user}

    def paths(name: str) -> tuple[str, ...]:
        every = (path for value in words.get(name, ()) for path in _split(value))
        return tuple(dict.fromkeys(_expanded(path, tokens) for path in every if path.lower() != "none"))

    home = Path.home() / ".ssh"
    agent = words.get("identityagent", ("",))[0]
    command = one("proxycommand")
    for token, value in tokens.items() if source == OPENSSH else ():  # paramiko has expanded them already
        command = command.replace(token, value) if token in ("%h", "%n", "%p", "%r") else command
    return SshOptions(
        destination,
        hostname,
        port,
        user,
        paths("identityfile") or tuple(str(home / key) for key in _KEYS),
        (paths("userknownhostsfile") or (str(home / "known_hosts"),))
        + (paths("globalknownhostsfile") or ("/etc/ssh/ssh_known_hosts",)),
        float(seconds) if (seconds := one("connecttimeout")).isdigit() and seconds != "0" else TIMEOUT,
        source,
        one("hostkeyalias"),
        one("identitiesonly") == "yes",
        _expanded(agent, tokens) if (named := _agent(agent)) is None else named,
        None,
        tuple(f"{name} {words[name][0]}" for name, off in _UNSUPPORTED.items() if _set(words, name, off)),
        paths("certificatefile"),
        _methods(words),
        0 if one("batchmode").lower() == "yes" else _number(one("numberofpasswordprompts"), TRIES),
        command.replace("%%", "%"),
        one("bindaddress"),
        family if (family := one("addressfamily").lower()) in ("inet", "inet6") else "",
    )


def jumps(words: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the hosts in between as destinations, nearest to us first; `user@host:port` is ssh's only as a URI."""
    value = words.get("proxyjump", ("none",))[0]
    hops = () if value.lower() in ("none", "") else tuple(hop.strip() for hop in value.split(","))
    return tuple(f"ssh://{hop}" if ":" in hop and not hop.startswith("ssh://") else hop for hop in hops)


def _methods(words: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The ways to log in that are left, in the order that is wanted."""
    wanted = words.get("preferredauthentications", (",".join(METHODS),))[0].lower().split(",")
    off = {
        "publickey": words.get("pubkeyauthentication", ("yes",))[0].lower() == "no",
        "keyboard-interactive": words.get("kbdinteractiveauthentication", ("yes",))[0].lower() == "no",
        "password": words.get("passwordauthentication", ("yes",))[0].lower() == "no",
    }
    return tuple(method for method in wanted if method in METHODS and not off[method])


def _number(word: str, default: int) -> int:
    return int(word) if word.isdigit() and int(word) else default


def _agent(word: str) -> str | None:
    """What stands for no path: empty for $SSH_AUTH_SOCK, `none`, another variable; None where it is a path."""
    if word in ("", "SSH_AUTH_SOCK", "none") or word.startswith("$"):
        return "" if word == "SSH_AUTH_SOCK" else word
    return None


def _set(words: Mapping[str, Sequence[str]], name: str, off: str) -> bool:
    return name in words and words[name][0].lower() not in (off, "none", "")


def _split(value: str) -> list[str]:
    try:
        return shlex.split(value)
    except ValueError:  # an odd quote is part of the name then
        return value.split()


def _expanded(path: str, tokens: Mapping[str, str]) -> str:
    for token, value in tokens.items():
        if token != "%%":  # noqa: S105 - no password, ssh calls them tokens
            path = path.replace(token, value)
    return str(Path(path.replace("%%", "%")).expanduser()) if path else ""
