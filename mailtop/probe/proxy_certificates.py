"""The certificates that a web proxy serves."""

from __future__ import annotations

from mailtop.model.topology import Role
from mailtop.probe.certificates import certificates

PROBE = certificates("proxy_certificates", Role.PROXY, {443: ""})
