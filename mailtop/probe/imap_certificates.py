"""The certificates that a Dovecot serves: for IMAP, POP3, and ManageSieve."""

from __future__ import annotations

from mailtop.model.topology import Role
from mailtop.probe.certificates import certificates

PROBE = certificates("imap_certificates", Role.IMAP, {143: "imap", 993: "", 995: "", 4190: "sieve"})
