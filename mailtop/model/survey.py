"""What is found when mailtop looks around: hosts, what runs there, and what may be read and done."""

from __future__ import annotations

from msgspec import Struct

from mailtop.model.snapshot import Health, Link
from mailtop.model.topology import Role


class Right(Struct, frozen=True):
    """One thing that is asked, or an act. `what`: a probe's or an act's name, `docker` or `log`. `act`: it changes.

    `note`: how it is had, or why it is not. `gives`: the line that gives it, empty where nothing is missing or no line
    would help.
    """

    what: str
    health: Health
    note: str = ""
    gives: str = ""
    act: bool = False


class Surveyed(Struct, frozen=True):
    """One target. `state`: Docker's word. `versions`: of what runs there, (program, version)."""

    target: str
    roles: tuple[Role, ...] = ()
    state: str = ""
    user: str = ""
    versions: tuple[tuple[str, str], ...] = ()
    rights: tuple[Right, ...] = ()


class Survey(Struct, frozen=True):
    """One host, the host itself among its targets. `note`: why it is not reached, or that it is shown elsewhere.

    `same`: the host that is the same machine; `engine_of`: the host whose Docker Engine is the same. The others are as
    the settings have them.
    """

    host: str
    link: Link
    note: str = ""
    user: str = ""
    docker_version: str = ""
    same: str = ""
    engine_of: str = ""
    targets: tuple[Surveyed, ...] = ()
    ssh: str = ""
    ssh_config: str = ""
    docker: bool = True
    docker_socket: str = ""
    shell: bool = True
