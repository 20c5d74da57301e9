"""Fingerprints of an Amavis's settings and of the DKIM keys that it signs with."""

from __future__ import annotations

from mailtop.model.topology import Role
from mailtop.probe.fingerprints import fingerprints

# Files as Debian, Red Hat and upstream place them. Of a key only its checksum is told, together with all others'.
CONFIGURATION = r"""
command -v amavisd >/dev/null || command -v amavisd-new >/dev/null || { echo 'amavisd: not found' >&2; exit 127; }
conf=$(cat /etc/amavis/conf.d/* /etc/amavisd/amavisd.conf /etc/amavisd.conf 2>/dev/null | sed -e 's/^[[:space:]]*#.*//')
[ -n "$conf" ] || { echo 'amavisd: no configuration is readable' >&2; exit 1; }
printf '%s\n' "$conf" | grep -Ev 'myhostname|^[[:space:]]*$' | say settings
keys=$(printf '%s\n' "$conf" | grep -oE 'dkim_key[[:space:]]*\([^)]*' | grep -oE '/[^,"'\'' ]+' | sort -u)
if [ -n "$keys" ]; then
    if sums=$(sha256sum $keys 2>/dev/null); then printf '%s\n' "$sums" | say DKIM; else echo 'DKIM denied'; fi
fi
"""

PROBE = fingerprints("filter_fingerprints", Role.FILTER, CONFIGURATION, "sh")
