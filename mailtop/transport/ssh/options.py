"""How a host is reached over SSH: the options that OpenSSH's configuration gives to a destination."""

from __future__ import annotations

import getpass
import re
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
_NO_NAME = re.compile(r"""['"`$\\;&<>|(){}\s\x00-\x1f\x7f]""")
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
    port = _port(destination, one("port", str(PORT)))
    tokens = {"%%": "%", "%d": str(Path.home()), "%h": hostname, "%n": destination, "%p": str(port), "%r": user}

    def paths(name: str, *usual: str) -> tuple[str, ...]:
        """`usual`: where nothing is said; `none` says that there are none."""
        if name not in words:
            return usual
        one_each = name in ("identityfile", "certificatefile")  # told without quotes
        every = (path for value in words[name] for path in ((value,) if one_each else _split(value)))
        return tuple(dict.fromkeys(_expanded(path, tokens) for path in every if path.lower() != "none"))

    home = Path.home() / ".ssh"
    agent = words.get("identityagent", ("",))[0]
    command = one("proxycommand")
    _plain(destination, hostname, *((destination, user) if command else ()))
    known = ("%%", "%h", "%n", "%p", "%r") if source == OPENSSH else ("%%",)  # paramiko has expanded the others already
    command = _with_tokens(command, {token: tokens[token] for token in known})
    return SshOptions(
        destination,
        hostname,
        port,
        user,
        paths("identityfile", *(str(home / key) for key in _KEYS)),
        paths("userknownhostsfile", str(home / "known_hosts"))
        + paths("globalknownhostsfile", "/etc/ssh/ssh_known_hosts"),
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
        command,
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
    return str(Path(_with_tokens(path, tokens)).expanduser()) if path else ""


def _with_tokens(words: str, tokens: Mapping[str, str]) -> str:
    """All at once: what one stands for is not looked at again."""
    return re.sub("%.", lambda found: tokens.get(found[0], found[0]), words)


def _port(destination: str, word: str) -> int:
    if not word.isdecimal() or not 0 < int(word) < 1 << 16:
        raise ConfigError(destination, f"{word!r} is no port", "mend Port in ~/.ssh/config")
    return int(word)


def _plain(destination: str, *names: str) -> None:
    """Refuse what a ProxyCommand's shell would take for more than a name, as newer ssh does; older ones do not."""
    for name in names:
        if name.startswith("-") or _NO_NAME.search(name):
            raise ConfigError(destination, f"{name!r} is no name of a host or a user", "look for a slip in it")
