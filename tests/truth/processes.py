"""Which processes a run of mailtop has left, told by the folder that its environment names."""

from __future__ import annotations

from pathlib import Path


def living(mark: Path) -> dict[int, str]:
    """Processes whose environment names a folder, by number, with their command lines; the dead that nobody has
    buried yet are none."""
    found: dict[int, str] = {}
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            environment = (process / "environ").read_bytes().split(b"\0")
            state = (process / "stat").read_text().rpartition(") ")[2][:1]
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has ended meanwhile
            continue
        if state not in "ZX" and any(str(mark).encode() in pair for pair in environment):
            found[int(process.name)] = words.strip()
    return found
