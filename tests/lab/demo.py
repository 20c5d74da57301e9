"""Make the demo's recording: an afternoon's traffic in three minutes, with an outburst and a fault, seen by mailtop.

`python tests/lab/demo.py FILE` needs the lab up, and mailtop installed beside it.
"""

import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from maillab.containers import STATE
from maillab.lab import Lab
from maillab.scenarios import Behaviour

CONFIG = """
history = 120
[platform]
name = "example.test mail"
colour = "cyan"
[hosts.mail1]
ssh = "mail1"
ssh_config = "{config}"
[hosts.mail2]
ssh = "mail2"
ssh_config = "{config}"
"""
SECONDS = 200
LIMITED = "451 4.7.650 The mail server has been temporarily rate limited due to IP reputation (S775)"
BLOCKED = "550 5.7.1 Unfortunately, messages from your network are on our block list (S3150)"


def steps(lab: Lab) -> list[tuple[float, Callable[[], object]]]:
    """What happens when, in seconds from the start."""
    return [
        (20, lambda: lab.remote("outlook.test", Behaviour("defer", "rcpt", LIMITED))),
        (22, lambda: lab.deferred(60, "outlook.test", "news@shop.example", wait=False)),
        (40, lambda: lab.deferred(120, "outlook.test", "news@shop.example", wait=False)),
        (55, lambda: lab.spam(2)),
        (65, lambda: lab.virus(1)),
        (70, lambda: lab.deferred(90, "outlook.test", "news@shop.example", wait=False)),
        (80, lambda: lab.bounced(6, "blocked.test", "alice@example.test", BLOCKED)),
        (95, lambda: lab.deferred(12, "refused.test", "bob@example.test", wait=False)),
        (100, lambda: lab.stop("piler")),
        (110, lambda: lab.deferred(30, "gmail.test", "carol@example.test", "450 4.2.1 Greylisted", "mail2", False)),
        (120, lambda: lab.deferred(130, "outlook.test", "news@shop.example", wait=False)),
        (145, lambda: lab.start("piler")),
        (150, lambda: lab.pause("postfix")),
        (165, lambda: lab.unpause("postfix")),
    ]


def main(file: str) -> int:
    """Record."""
    lab = Lab()
    lab.reset()
    ended = threading.Event()
    users = [f"user{number:02}@example.test" for number in range(1, 21)]

    def traffic() -> None:
        number = 0
        while not ended.wait(0.9):
            number += 1
            if 148 < number < 170:
                continue
            lab.clean(1, users[number % 20], "friend@remote.test")
            if number % 3 == 0:
                lab.submitted(1, "alice@example.test", f"someone{number}@remote.test")

    with tempfile.NamedTemporaryFile("w", suffix=".toml") as config:
        config.write(CONFIG.format(config=STATE / "ssh" / "config"))
        config.flush()
        argv = ["mailtop", "record", "--config", config.name, "--to", file, "--seconds", str(SECONDS)]
        recording = subprocess.Popen([str(Path(sys.executable).parent / "mailtop"), *argv[1:]])
        timers = [threading.Timer(at, step) for at, step in steps(lab)]
        for thread in (*timers, threading.Thread(target=traffic, daemon=True)):
            thread.start()
        status = recording.wait()
        ended.set()
    lab.reset()
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
