"""What is measured: samples, facts, events."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Kind(StrEnum):
    """How a value behaves over time."""

    GAUGE = "gauge"  # rises and falls
    COUNT = "count"  # what happened since the last sample: summed over a window
    TOTAL = "total"  # only rises, until its daemon restarts: rates come from differences


Labels = tuple[tuple[str, str], ...]


class Sample(Struct, frozen=True):
    """One number. `name` as Prometheus would name it, unit at the end; `labels` sorted; `at` set by the engine.

    >>> str(Sample("postfix_queue_messages", 3, (("queue", "deferred"),)))
    'postfix_queue_messages{queue=deferred} 3'
    """

    name: str
    value: float
    labels: Labels = ()
    kind: Kind = Kind.GAUGE
    at: float = 0.0

    @property
    def key(self) -> str:
        """`name{label=value,…}`: how series, readings and cases name it."""
        return series_key(self.name, self.labels)

    def __str__(self) -> str:
        return f"{self.key} {self.value:g}"


class Fact(Struct, frozen=True):
    """One piece of text about a target that is ours to draw: a version, a mode, a path."""

    name: str
    value: str
    at: float = 0.0


class Event(Struct, frozen=True):
    """Something that happened once: a restart, a reconnect, a gap in a log."""

    kind: str
    text: str
    at: float = 0.0


def series_key(name: str, labels: Labels = ()) -> str:
    """Return the one spelling of a series' name.

    >>> series_key("up"), series_key("disk_bytes", (("mount", "/var"),))
    ('up', 'disk_bytes{mount=/var}')
    """
    return f"{name}{{{','.join(f'{key}={value}' for key, value in labels)}}}" if labels else name
