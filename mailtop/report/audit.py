"""`mailtop audit`: what was done, by whom, with what result."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from mailtop.model.errors import UsageError


def run(path: Path, as_json: bool, out: TextIO) -> int:
    """Print the audit file, oldest first."""
    try:
        lines = path.read_bytes().splitlines() if path.exists() else []
    except OSError as error:
        raise UsageError(str(path), error.strerror or "cannot be read") from error
    for line in lines:
        if as_json:
            out.write(line.decode("ascii", "backslashreplace") + "\n")
            continue
        try:
            fact = json.loads(line)
        except ValueError:
            fact = None
        out.write((told(fact) if isinstance(fact, dict) else "? a line that was cut off") + "\n")
    if not lines and not as_json:
        out.write("nothing was done yet\n")
    return 0


def told(fact: dict[str, Any]) -> str:
    """One line for people."""
    stamp = fact.get("at")
    at = datetime.fromtimestamp(stamp if isinstance(stamp, int | float) else 0.0, UTC).astimezone()
    words = [
        f"{at:%Y-%m-%d %H:%M:%S}",
        f"{fact.get('fact', '?'):9}",
        str(fact.get("by", "")),
        str(fact.get("action", "")),
        str(fact.get("target", "")),
        _what(fact),
        "dry run" if fact.get("dry_run") else "",
        ", ".join(f"{count} {fate}" for fate, count in (fact.get("fates") or {}).items()),
        str(fact.get("error", "")),
        f"plan {fact.get('plan', '')}",
        f"takes back {undoes}" if (undoes := fact.get("undoes")) else "",
    ]
    return "  ".join(word for word in words if word.strip())


def _what(fact: dict[str, Any]) -> str:
    """How many messages it is about, or which destination."""
    if not str(fact.get("action", "")).startswith("destination."):
        return f"{fact.get('count', 0)} messages"
    outcomes = fact.get("outcomes") or [[fact.get("domain", "")]]
    first = outcomes[0] if isinstance(outcomes, list) and isinstance(outcomes[0], list) and outcomes[0] else [""]
    return str(first[0])
