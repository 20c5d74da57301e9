"""Wait for a condition, never for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

from maillab.errors import LabError

T = TypeVar("T")


class NotInTimeError(LabError):
    """A condition did not come true within its time."""


def wait_until(condition: Callable[[], T], timeout: float, what: str, every: float = 0.1) -> T:
    """Ask until the answer is true, and return that answer; NotInTimeError says what was waited for.

    An answer that cannot be had yet (LabError, OSError) counts as not true, and is part of the message in the end.
    """
    deadline = time.monotonic() + timeout
    while True:
        trouble = ""
        try:
            answer = condition()
        except (LabError, OSError) as error:
            trouble = f" (last: {error})"
        else:
            if answer:
                return answer
        if time.monotonic() > deadline:
            raise NotInTimeError(f"not within {timeout:g} s: {what}{trouble}")
        time.sleep(every)
