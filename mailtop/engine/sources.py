"""From a host's settings to the source of its bytes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from mailtop.config import HostSettings
from mailtop.engine.secrets import source
from mailtop.model.ask import Source
from mailtop.model.question import Asker
from mailtop.transport.record import Recorder
from mailtop.transport.recording import Entry


def live(name: str, settings: HostSettings, asker: Asker | None = None) -> Callable[[], Source]:
    """Return what makes a fresh source of one live host; nothing is imported or opened before it is called.

    `asker`: whom its connection asks for passphrases, passwords and codes; nobody where there is none.
    """

    def make() -> Source:
        from mailtop.client.host import LiveHost, local_engine
        from mailtop.transport import UnixAddress

        if not settings.ssh:
            from mailtop.transport.local import Local

            address = local_engine(os.environ) if settings.docker_socket == HostSettings().docker_socket else None
            return LiveHost(Local(name), settings.docker, address or UnixAddress(settings.docker_socket))
        from mailtop.transport.ssh import Ssh, resolve

        config_file = str(Path(settings.ssh_config).expanduser()) if settings.ssh_config else None
        options = resolve(settings.ssh, config_file)
        ssh = Ssh(name, options, asker=asker, password=source(settings, f"hosts.{name}"))
        return LiveHost(ssh, settings.docker, UnixAddress(settings.docker_socket))

    return make


def recorded(
    name: str, make: Callable[[], Source], write: Callable[[Entry], None], now: Callable[[], float]
) -> Callable[[], Source]:
    """Return what makes the same source, with all that it says written down. `now`: seconds since the epoch."""
    return lambda: Recorder(make(), name, write, now)
