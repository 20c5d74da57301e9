"""Which of several Postfix instances on one machine is meant. Source: postmulti(1), `-c` of its programs."""

from __future__ import annotations

DEFAULT = "/etc/postfix"
"""The config_directory of the instance that a program means when nobody names one."""


def instance_words(config_directory: str) -> tuple[str, ...]:
    """Return what names an instance to Postfix's programs: nothing for the default one.

    >>> instance_words("/etc/postfix-out"), instance_words(DEFAULT), instance_words("")
    (('-c', '/etc/postfix-out'), (), ())
    """
    return () if config_directory in ("", DEFAULT) else ("-c", config_directory)
