"""Fingerprints of a Postfix's settings, services, maps and certificates."""

from __future__ import annotations

from mailtop.model.topology import Role
from mailtop.probe.fingerprints import fingerprints

# What names the host itself may differ; the maps are the sources of what the settings name, in its order.
CONFIGURATION = r"""
conf=$(postconf -n) && services=$(postconf -M) || exit
printf '%s\n%s\n' "$conf" "$services" | grep -Ev \
    '^(myhostname|mydestination|smtp_helo_name|smtp_bind_address6?|inet_interfaces|proxy_interfaces|smtpd_banner) =' |
    say settings
maps=$(printf '%s\n' "$conf" | grep -oE '(texthash|hash|lmdb|btree|cdb|mysql|pgsql|ldap|pcre|regexp|cidr):/[^ ,}]+' |
    cut -d: -f2 | sort -u)
if [ -n "$maps" ]; then
    if sums=$(sha256sum $maps 2>/dev/null); then printf '%s\n' "$sums" | say maps; else echo 'maps denied'; fi
fi
"""

PROBE = fingerprints("mta_fingerprints", Role.MTA, CONFIGURATION, "postconf")
