"""What a probe or an act needs on its target; found once per connection, and what `doctor` explains."""

from __future__ import annotations

from msgspec import Struct


class Needs(Struct, frozen=True):
    """`binary`: programs in PATH. `socket`: a Unix socket's path. `root`: only root may (else `sudo`, one line of it).
    `engine`: Docker's API, though it is asked of the host.

    >>> Needs(binary=("postqueue",)).binary
    ('postqueue',)
    """

    binary: tuple[str, ...] = ()
    socket: str = ""
    root: bool = False
    sudo: str = ""
    engine: bool = False
