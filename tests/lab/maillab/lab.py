"""The lab as tests and the command line use it."""

from maillab import bringup
from maillab.bringup import Say
from maillab.faults import Faults


class Lab(Faults):
    """The whole lab: scenarios that send, faults that break, and ways to see what is true.

    >>> sent = Lab().deferred(200, domain="bigmail.test", text="451 4.7.650 rate limited")  # doctest: +SKIP
    """

    def up(self, say: Say = print) -> None:
        """Bring everything up; at once when it is up already."""
        bringup.up(self, say)

    def down(self, say: Say = print) -> None:
        bringup.down(self, say)

    def status(self) -> list[str]:
        return list(bringup.status(self))

    def answers(self) -> bool:
        """Whether there is a Docker Engine at all."""
        return self.engine.answers()
