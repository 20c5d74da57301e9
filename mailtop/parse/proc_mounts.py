"""What is mounted, from /proc/mounts. Source: proc_pid_mounts(5), fstab(5): odd bytes are octal behind a backslash."""

from __future__ import annotations

import re

from msgspec import Struct

from mailtop.model.errors import ParseError
from mailtop.model.text import Foreign, shown

_NETWORK = frozenset({b"nfs", b"nfs4", b"cifs", b"smb3", b"smbfs", b"ceph", b"9p", b"afs", b"glusterfs", b"lustre"})
_LOCAL_FUSE = frozenset({b"fuse.lxcfs", b"fuse.portal", b"fuse.gvfsd-fuse", b"fuse.snapfuse", b"fuse.squashfuse"})
_OCTAL = re.compile(rb"\\([0-3][0-7]{2})")


class Mount(Struct, frozen=True):
    """One mount that another machine or a program serves. `source`: as it was mounted, `nas:/vmail`."""

    path: Foreign
    kind: bytes
    source: Foreign


def shared(octets: bytes) -> list[Mount]:
    r"""Return mounts over the network and of FUSE, each place once, by path; raises ParseError.

    >>> shared(b"nas:/v /srv/my\\040mail nfs4 rw,hard 0 0\nproc /proc proc rw 0 0\n")
    [Mount(path=b'/srv/my mail', kind=b'nfs4', source=b'nas:/v')]
    """
    found: dict[bytes, Mount] = {}
    lines = octets.splitlines()
    for line in lines:
        fields = line.split(b" ")
        if len(fields) < 4:
            raise ParseError("/proc/mounts", f"not a mount: {shown(Foreign(line), 80)!r}")
        source, path, kind = map(_plain, fields[:3])
        found.pop(path, None)  # what is mounted over another hides it
        if kind in _NETWORK or (kind.startswith(b"fuse.") and kind not in _LOCAL_FUSE):
            found[path] = Mount(Foreign(path), kind, Foreign(source))
    if not lines:
        raise ParseError("/proc/mounts", "nothing is mounted")
    return [found[path] for path in sorted(found)]


def _plain(field: bytes) -> bytes:
    return _OCTAL.sub(lambda match: bytes([int(match[1], 8)]), field)
