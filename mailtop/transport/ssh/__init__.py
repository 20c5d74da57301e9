"""One SSH connection a host, with channels of every kind on it. The only room that knows paramiko.

paramiko is imported when the first connection is made. It waits without limits in places, so limits are put around it:
a watched socket ends a connection that is silent or stuck, and its own requests are sent here with deadlines.
"""

from __future__ import annotations

from mailtop.transport.ssh.channel import SshChannel
from mailtop.transport.ssh.connection import Ssh
from mailtop.transport.ssh.options import SshOptions
from mailtop.transport.ssh.resolving import resolve

__all__ = ["Ssh", "SshChannel", "SshOptions", "resolve"]
