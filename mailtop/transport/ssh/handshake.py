"""Shaking hands with sshd: which host keys are asked for, and whether the one that answers is known."""

from __future__ import annotations

import logging
import struct
import threading
from typing import TYPE_CHECKING, Any

from mailtop.model.errors import MailtopError, Unreachable
from mailtop.model.text import Foreign
from mailtop.transport.ssh.certificate import HOST_KINDS
from mailtop.transport.ssh.known_hosts import KnownHosts
from mailtop.transport.ssh.options import TIMEOUT, SshOptions
from mailtop.transport.watched import WatchedSocket

if TYPE_CHECKING:
    import paramiko

NONSENSE = (ValueError, LookupError, struct.error)
"""What paramiko raises of a message that is not in its format, besides its own."""

_FULL = (b"MaxStartups", b"Not allowed at this time")  # what sshd says instead of a greeting


def shaken(wire: WatchedSocket, name: str, options: SshOptions) -> paramiko.Transport:
    """Shake hands, and be sure of who it is before anything of ours is shown. Raises Unreachable, HostKeyRefused."""
    import paramiko

    _quiet()
    known = KnownHosts(options.known_hosts, options.hostname, options.port, options.host_key_alias)
    transport = paramiko.Transport(wire)
    transport.banner_timeout = transport.handshake_timeout = transport.channel_timeout = options.timeout
    transport.auth_timeout = transport.clear_to_send_timeout = options.timeout
    _prefer(transport, known)
    try:
        transport.start_client(timeout=2 * options.timeout)
        key: Any = transport.get_remote_server_key()
        blob = key.public_blob.key_blob if key.public_blob else key.asbytes()
        known.check(name, key.get_name(), key.asbytes(), blob if key.public_blob else b"")
    except (paramiko.SSHException, EOFError, OSError, *NONSENSE) as error:
        end(transport)
        raise _no_ssh(name, options, wire, error) from error
    except MailtopError:
        end(transport)
        raise
    return transport


def _prefer(transport: paramiko.Transport, known: KnownHosts) -> None:
    """Ask for a certificate where an authority is known for this host, else for a key of a kind that is known."""
    wanted = [*(HOST_KINDS if known.authorities else ()), *(kind for one in known.kinds() for kind in _algorithms(one))]
    security = transport.get_security_options()
    preferred = [kind for kind in wanted if kind in security.key_types or kind in HOST_KINDS]
    security.key_types = (*preferred, *(kind for kind in security.key_types if kind not in preferred))


def _no_ssh(name: str, options: SshOptions, wire: WatchedSocket, error: Exception) -> Unreachable:
    where = f"{options.hostname} port {options.port}"
    if any(words in wire.greeting for words in _FULL):
        return Unreachable(name, f"sshd on {where} takes no more connections just now (MaxStartups)")
    why = str(error)
    patience = not wire.hung_up and (not why or why.endswith(("banner", "timed out", "No existing session")))
    if patience and not wire.greeting:  # paramiko says no more of its own being over
        return Unreachable(name, f"no SSH with {where}: it says nothing for {options.timeout:g} s", "is it sshd?")
    if not wire.greeting and "banner" in why:
        reason, remedy = f"no SSH with {where}: it hung up without a word", "is it sshd, and may we connect from here?"
        return Unreachable(name, reason, remedy)
    if wire.greeting and b"SSH-" not in wire.greeting:
        line = wire.greeting.partition(b"\n")[0].strip()[:80]
        return Unreachable(name, Foreign(f"no SSH with {where}: it says ".encode() + line), "is it sshd's port?")
    said = "its handshake takes too long" if patience else why or "it hung up"
    line = f"no SSH with {where}: {said}".encode("utf-8", "replace")
    return Unreachable(name, Foreign(line), "is it sshd, and is it up?")


def _algorithms(kind: str) -> tuple[str, ...]:
    return ("rsa-sha2-512", "rsa-sha2-256") if kind == "ssh-rsa" else (kind,)


def keep_alive(transport: paramiko.Transport, seconds: int) -> None:
    """Ask for a sign of life that the host must answer: paramiko's own is one that it may ignore."""
    import paramiko
    from paramiko.common import cMSG_GLOBAL_REQUEST

    inside: Any = transport  # the stubs leave its insides out

    def ask() -> None:
        if transport.clear_to_send.is_set():  # this runs in paramiko's reading thread, which must not wait for itself
            message = paramiko.Message()
            message.add_byte(cMSG_GLOBAL_REQUEST)
            message.add_string("keepalive@openssh.com")
            message.add_boolean(True)
            inside._send_user_message(message)  # noqa: SLF001 - `global_request` would wait in this thread

    transport.packetizer.set_keepalive(seconds, ask)


def end(transport: paramiko.Transport) -> None:
    transport.close()
    if transport.ident and transport is not threading.current_thread():
        transport.join(TIMEOUT)


def _quiet() -> None:
    """Keep paramiko's log off the terminal, which is a screen of ours."""
    log = logging.getLogger("paramiko")
    log.addHandler(logging.NullHandler()) if not log.handlers else None
    log.propagate = False
