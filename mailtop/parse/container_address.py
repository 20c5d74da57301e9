"""Where the host reaches a container: its address on a network of Docker's.

Source: Docker Engine API, `GET /containers/NAME/json`: `HostConfig.NetworkMode`, `NetworkSettings.Networks`.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from mailtop.model.ask import Asking, Engine
from mailtop.model.errors import Missing, ParseError
from mailtop.model.topology import Target

_KEEP = ("HostConfig.NetworkMode", "NetworkSettings.Networks")


class _Network(Struct, frozen=True):
    ip_address: str = msgspec.field(default="", name="IPAddress")
    global_ipv6_address: str = msgspec.field(default="", name="GlobalIPv6Address")


class _Settings(Struct, frozen=True, rename="pascal"):
    networks: dict[str, _Network] | None = None


class _HostConfig(Struct, frozen=True, rename="pascal"):
    network_mode: str = ""


class _Inspected(Struct, frozen=True, rename="pascal"):
    host_config: _HostConfig = _HostConfig()
    network_settings: _Settings = _Settings()


_inspected = msgspec.json.Decoder(_Inspected)  # here, once: two threads that look at a Struct first crash msgspec


def address(target: Target) -> Asking[str]:
    """Ask for the address at which the host reaches a target; its own is 127.0.0.1. Raises Missing where it has none.

    Of several networks it is the first by name.
    """
    if not target.container:
        return "127.0.0.1"
    answer = yield Engine(f"/containers/{target.container}/json", keep=_KEEP)
    try:
        found = _inspected.decode(answer.stdout)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ParseError("docker", f"the container's networks are not what the Engine sends: {error}") from error
    if found.host_config.network_mode == "host":
        return "127.0.0.1"
    for _, network in sorted((found.network_settings.networks or {}).items()):
        if at := network.ip_address or network.global_ipv6_address:
            return at
    raise Missing(target.name, "has no address of its own", "is it running, on a network of its own?")
