"""The shape of config.toml: frozen Settings, one Struct a table."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from mailtop.model.topology import Role

Colour = Literal["", "red", "orange", "yellow", "green", "cyan", "blue", "magenta", "grey"]
"""A platform's own colours, for the top line; a theme says how each looks."""


class PlatformSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`[platform]`: what the top line says, and in which colour, so that nobody acts on the wrong platform.

    `vip`: addresses that exactly one host has; empty: those of the hosts' keepalived.conf.
    """

    name: str = ""
    colour: Colour = ""
    vip: tuple[str, ...] = ()


class SecretSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where a secret comes from; at most one may be set. The secret itself never stands in config.toml.

    `password_command`: a program whose first line of output it is. `password_env`: an environment variable.
    `password_file`: a file that nobody but its owner may read (0600). `password_keyring`: `service/user` in the
    desktop's keyring.
    """

    password_command: tuple[str, ...] = ()
    password_env: str = ""
    password_file: str = ""
    password_keyring: str = ""


SECRETS = SecretSettings.__struct_fields__
"""The names of the settings of which one may say where a secret is."""


class ProbeSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`[probes.NAME]`, or `[hosts.HOST.probes.NAME]` for one host. `every`: seconds, 0.0 for the probe's own pace."""

    every: float = 0.0
    enabled: bool = True


class HostSettings(SecretSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[hosts.NAME]`. `ssh`: a destination as in ~/.ssh/config, empty for this machine. `docker`: ask its Engine.

    `shell`: ask the host itself too, not only its containers. `ssh_config`: another file than ~/.ssh/config.
    `docker_socket`: where the Engine listens on that host. `sudo`: use `sudo -n` where a right is missing and sudo
    grants it. The secret answers a password prompt of its sshd.
    """

    ssh: str = ""
    docker: bool = True
    shell: bool = True
    sudo: bool = True
    ssh_config: str = ""
    docker_socket: str = "/var/run/docker.sock"
    probes: dict[str, ProbeSettings] = {}


class ServiceSettings(SecretSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[services.NAME]`: what discovery cannot know. `target`: `host/container`, or `host` for one outside Docker.

    `user` and the secret log in to it; `port` 0 and `socket` empty: the service's own. `replica_of`: the service,
    or the target, that it copies. `log`: its log, where discovery finds another: `docker`, a path, `journald`.
    """

    role: Role
    target: str
    user: str = ""
    port: int = 0
    socket: str = ""
    replica_of: str = ""
    log: str = ""


class FlowSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`[flow]`: how to tell the hops apart. Domains and ports as in Postfix's maps; see reference of `report`."""

    filter_ports: tuple[int, ...] = (10024, 10026)
    archive_domains: tuple[str, ...] = ("archive.local",)
    ignore_clients: tuple[str, ...] = ()


class DnsSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`[dns]`: what is looked up. `domains`: ours; none: as the Postfix says, where it says them openly.

    `resolver`: its address, as the host reaches it; empty: the host's own. `selectors`: of our DKIM keys.
    `blocklists`: DNSBL zones. `outside`: a name that each container's resolver must find; empty: one of the root's,
    which may not exist on a network without the Internet.
    """

    domains: tuple[str, ...] = ()
    resolver: str = ""
    selectors: tuple[str, ...] = ()
    blocklists: tuple[str, ...] = ()
    outside: str = ""


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """All of config.toml. `history`: seconds of log read back at the start. `keys`: binding id → key.

    `groups`: a name for several hosts. `databases`: what a database is for (`accounts`, `bayes`, `archive`) →
    `service/database`.
    """

    platform: PlatformSettings = PlatformSettings()
    hosts: dict[str, HostSettings] = {}
    groups: dict[str, tuple[str, ...]] = {}
    services: dict[str, ServiceSettings] = {}
    databases: dict[str, str] = {}
    probes: dict[str, ProbeSettings] = {}
    flow: FlowSettings = FlowSettings()
    dns: DnsSettings = DnsSettings()
    interval: float = 1.0
    history: int = 3600
    theme: str = "dark"
    keys: dict[str, str] = {}

    def probe(self, host: str, name: str) -> ProbeSettings:
        """What is set for one probe on one host: the host's own table before the platform's."""
        on_host = self.hosts[host].probes if host in self.hosts else {}
        return on_host.get(name) or self.probes.get(name) or ProbeSettings()
