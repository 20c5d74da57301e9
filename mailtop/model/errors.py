"""The error tree. Every error is one line: what, why, what to do.

MailtopError
├── UsageError            the command line or a typed filter is wrong            exit 2
├── ConfigError           config.toml is wrong                                   exit 2
├── Unreachable           no connection to a host                                exit 3
│   ├── HostKeyRefused
│   └── LoginRefused
│       └── Unanswered    for want of an answer: not tried again by itself
├── AskFailed             a host is there, one ask got no answer
│   ├── Denied            for want of a right: not asked again until reconnect
│   ├── NoSession         sshd opens no further session on this connection
│   ├── Missing           the program, socket or container is not there
│   ├── TimedOut          no answer within the ask's deadline
│   ├── LinkLost          the connection ended under the ask
│   ├── Garbled           an answer that breaks the protocol
│   ├── CommandFailed     the program ran and said no
│   └── NotRecorded       a recording lacks this ask
├── ParseError            an answer arrived and is not in the format
└── Refused               an act that will not be carried out                    exit 4
    └── HalfWay           one that stopped in the middle, and was not put back
"""

from __future__ import annotations

from mailtop.model.text import Foreign, shown


class MailtopError(Exception):
    """Base of all errors that mailtop explains rather than shows a traceback for."""

    def __init__(self, thing: str, reason: str | Foreign, remedy: str = "") -> None:
        self.thing = thing
        self.reason = shown(Foreign(reason), 300) if isinstance(reason, bytes) else reason
        self.remedy = remedy
        super().__init__(thing, self.reason, remedy)

    def __str__(self) -> str:
        line = f"{self.thing}: {self.reason}" if self.thing else self.reason
        return f"{line}; {self.remedy}" if self.remedy else line


class UsageError(MailtopError):
    """What was typed is wrong."""


class ConfigError(MailtopError):
    """A configuration file is wrong; `thing` names file, line (where known) and key."""


class Unreachable(MailtopError):
    """No connection to a host."""


class HostKeyRefused(Unreachable):
    """The host's key is unknown, changed or revoked."""


class LoginRefused(Unreachable):
    """The host accepts none of our keys."""


class Unanswered(LoginRefused):
    """A person was asked and gave no answer, or none that is right: trying again without one would only annoy."""


class AskFailed(MailtopError):
    """The host is there, and one ask got no usable answer."""


class Denied(AskFailed):
    """A right is missing; asking again before a reconnect would only annoy."""


class NoSession(AskFailed):
    """sshd opens no further session on this connection: its MaxSessions."""


class Missing(AskFailed):
    """The program, socket or container is not there."""


class TimedOut(AskFailed):
    """No answer within the ask's deadline."""


class LinkLost(AskFailed):
    """The connection ended under the ask."""


class Garbled(AskFailed):
    """The answer breaks the protocol: marks missing, junk before the frame."""


class CommandFailed(AskFailed):
    """The program ran and reported failure."""


class NotRecorded(AskFailed):
    """A recording does not hold this ask."""


class ParseError(MailtopError):
    """An answer is not in the format its parser knows."""


class Refused(MailtopError):
    """An act that will not be carried out."""


class HalfWay(Refused):
    """An act stopped in the middle, and what it had done was not put back."""
