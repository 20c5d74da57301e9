"""What threads read at the same moment: msgspec crashes where two of them are the first to look at one Struct."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
AT_ONCE = """
import sys, threading
sys.setswitchinterval(1e-6)
from mailtop.client.docker import _inspected
from mailtop.parse.postqueue import ListingReader
body = b'{"Id":"x","Created":"2026-11-24T02:46:39.5Z","State":{"Running":true,"StartedAt":"x"},"Config":{"Tty":false}}'
entry = b'{"queue_name":"hold","queue_id":"E9D0B208259","arrival_time":1,"message_size":8,"sender":"","recipients":[]}'
start = threading.Barrier(16)
def read(number):
    start.wait()
    _inspected.decode(body)
    reader = ListingReader()
    reader.feed(entry + b"\\n")
    assert len(reader.finish(2.0)) == 1
threads = [threading.Thread(target=read, args=(number,)) for number in range(16)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
THREADED = ("client", "transport", "parse")


@pytest.mark.parametrize("attempt", range(4))
def test_many_threads_may_be_the_first_to_read(attempt: int) -> None:
    ended = subprocess.run([sys.executable, "-c", AT_ONCE], cwd=ROOT, capture_output=True, timeout=60)

    assert ended.returncode == 0, f"attempt {attempt}: {ended.stderr.decode()[-500:]}"


def test_no_room_that_works_in_threads_lets_msgspec_look_at_a_struct_when_it_reads() -> None:
    """Their decoders are made at import, which one thread does alone."""
    at_reading = re.compile(r"decode\([^)]*type=(?!dict\[str, str\])|^[ \t]+.*Decoder\(", re.MULTILINE)
    found = {
        str(file.relative_to(ROOT)): match[0].strip()
        for room in THREADED
        for file in (ROOT / "mailtop" / room).rglob("*.py")
        for match in at_reading.finditer(file.read_text("utf-8"))
    }

    assert set(found) <= {
        "mailtop/transport/recording.py"
    }  # a recording is read by one thread, before any other is there
