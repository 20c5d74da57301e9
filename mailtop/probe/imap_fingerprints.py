"""Fingerprints of a Dovecot's settings and certificates."""

from __future__ import annotations

from mailtop.model.topology import Role
from mailtop.probe.fingerprints import fingerprints

# Comments tell the kernel and the host's name; the other node's name stands in mail_replica, a different one on each.
CONFIGURATION = r"""
conf=$(doveconf -n) || exit
printf '%s\n' "$conf" | grep -Ev '^#|^ *(hostname|mail_replica|listen|instance_name|replication_dsync_parameters) =' |
    say settings
"""

PROBE = fingerprints("imap_fingerprints", Role.IMAP, CONFIGURATION, "doveconf")
