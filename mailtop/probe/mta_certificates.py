"""The certificates that a Postfix serves, to other servers and to its users."""

from __future__ import annotations

from mailtop.model.topology import Role
from mailtop.probe.certificates import certificates

PROBE = certificates("mta_certificates", Role.MTA, {25: "smtp", 465: "", 587: "smtp"})
