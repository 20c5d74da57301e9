"""Fingerprints of what must be equal on two nodes: settings, the files that they name, certificates, DKIM keys.

Made on the target: only checksums leave it, never a key or a password. What belongs to one host alone (its name, its
addresses) is left out before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailtop.model.ask import Answer, Command
from mailtop.model.errors import ParseError
from mailtop.model.sample import Fact
from mailtop.model.text import Foreign, shown
from mailtop.model.topology import Role
from mailtop.probe import Board, Found, Needs, Poll

KINDS = ("settings", "maps", "certificates", "DKIM")

_LINE = re.compile(rb"(%s) ([0-9a-f]{64}|denied)(?:  ?-)?" % "|".join(KINDS).encode())

# Of the configuration in $conf: the certificates that it names, and those of certbot, without their keys.
_CERTIFICATES = r"""
found=
for one in $(printf '%s\n' "$conf" | grep -oE '/[^][ ,<>"]+\.(pem|crt|cer)' | sort -u) /etc/letsencrypt/live/*/cert.pem
do
    case $one in *key*) continue; esac
    if [ -r "$one" ]; then found="$found $one"; elif [ -e "$one" ]; then found=denied; break; fi
done
if [ "$found" = denied ]; then echo 'certificates denied'
elif [ -n "$found" ]; then
    texts=$(sed -n '/-BEGIN CERTIFICATE-/,/-END CERTIFICATE-/p' $found)
    if [ -n "$texts" ]; then printf '%s\n' "$texts" | say certificates; fi
fi
"""
_SAY = r"""
say() { sum=$(sha256sum) && echo "$1 ${sum%% *}"; }
"""


def script(configuration: str) -> str:
    """Return the whole script: `configuration` prints its own lines, and leaves all settings in $conf."""
    return f"{_SAY}{configuration}{_CERTIFICATES}echo end\n"


def fingerprints(name: str, role: Role, configuration: str, binary: str) -> Poll:
    """The probe of one role. `configuration`: see `script`; `binary`: whose configuration it is."""

    def read(answer: Answer) -> Iterator[Found]:
        lines = answer.ok(binary).splitlines()
        if not lines or lines[-1] != b"end":
            raise ParseError(binary, f"broke off: {shown(Foreign(answer.stdout[-80:]), 80)!r}")
        for line in lines[:-1]:
            match = _LINE.fullmatch(line)
            if match is None:
                raise ParseError(binary, f"not a fingerprint: {shown(Foreign(line), 80)!r}")
            yield Fact(match[1].decode(), match[2][:16].decode())

    return Poll(
        name,
        role,
        Command(("sh", "-c", script(configuration)), large=True),
        read,
        every=300.0,
        needs=Needs(binary=("sh", "sha256sum", binary)),
        board=Board("replication", "fingerprints", order=60),
    )
