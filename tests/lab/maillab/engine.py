"""One Docker Engine, spoken to by the docker command: this machine's, or the one inside ``mail2``."""

import json
import subprocess
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from maillab.errors import LabError, NoEngineError

LAB = "mailtop.lab"  # label: this container belongs to the lab
FINGERPRINT = "mailtop.lab.fingerprint"  # label: hash of all that the container was made from

WAKING = {"paused": "unpause", "exited": "start", "created": "start"}


@dataclass(frozen=True)
class Found:
    """A container as the Engine lists it."""

    name: str
    state: str  # created, running, paused, restarting, exited, dead
    labels: Mapping[str, str]

    @property
    def fingerprint(self) -> str:
        return self.labels.get(FINGERPRINT, "")


@dataclass(frozen=True)
class Engine:
    """Runs docker commands; ``through`` leads the way to an Engine that is not this machine's."""

    through: tuple[str, ...] = ()
    name: str = field(default="this machine", compare=False)

    def argv(self, *arguments: str) -> list[str]:
        return [*self.through, "docker", *arguments]

    def try_run(
        self, *arguments: str, stdin: str | None = None, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run one docker command and return whatever came of it; only a timeout raises."""
        try:
            return subprocess.run(
                self.argv(*arguments),
                input=stdin,
                stdin=subprocess.DEVNULL if stdin is None else None,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise LabError(f"docker {' '.join(arguments[:3])}: no answer within {timeout:.0f} s") from error
        except FileNotFoundError as error:
            raise NoEngineError(f"{error.filename} is not installed; apt-get install docker.io") from error

    def run(self, *arguments: str, stdin: str | None = None, timeout: float = 120) -> str:
        """Run one docker command and return its standard output; LabError when it fails."""
        done = self.try_run(*arguments, stdin=stdin, timeout=timeout)
        if done.returncode:
            reason = done.stderr.strip() or done.stdout.strip() or f"exit {done.returncode}"
            raise LabError(f"docker {' '.join(arguments[:4])} on {self.name}: {reason}")
        return done.stdout

    def answers(self) -> bool:
        try:
            return self.try_run("version", "--format", "{{.Server.Version}}", timeout=10).returncode == 0
        except LabError:
            return False

    def execute(self, container: str, *command: str, stdin: str | None = None, timeout: float = 120) -> str:
        """Run a command inside a container and return its standard output; LabError when it fails."""
        interactive = ("-i",) if stdin is not None else ()
        return self.run("exec", *interactive, container, *command, stdin=stdin, timeout=timeout)

    def containers(self) -> dict[str, Found]:
        """The lab's containers in every state, by name."""
        listing = self.run("ps", "--all", "--no-trunc", "--filter", f"label={LAB}", "--format", "{{json .}}")
        return {found.name: found for found in map(_found, listing.splitlines())}

    def starts(self) -> str:
        """When each of the lab's containers was started, a line each: what changes whenever one restarts."""
        names = sorted(self.containers())
        return self.run("inspect", "--format", "{{.Name}} {{.State.StartedAt}}", *names) if names else ""

    def inspect(self, kind: str, name: str) -> dict[str, Any] | None:
        """What the Engine knows of a container, image, network or volume; None if there is none."""
        done = self.try_run(kind, "inspect", name)
        if done.returncode:
            return None
        answer: list[dict[str, Any]] = json.loads(done.stdout)
        return answer[0]

    def wake(self, besides: Collection[str] = ()) -> list[str]:
        """Start or unpause the lab's containers that do not run, besides some; the names of those woken."""
        asleep = [found for name, found in self.containers().items() if found.state in WAKING and name not in besides]
        for found in asleep:
            self.run(WAKING[found.state], found.name)
        return [found.name for found in asleep]

    def remove(self, containers: Iterable[str]) -> None:
        names = list(containers)
        if names:
            self.run("rm", "--force", "--volumes", *names)


def _found(line: str) -> Found:
    row: dict[str, str] = json.loads(line)
    labels = dict(pair.partition("=")[::2] for pair in row["Labels"].split(","))
    return Found(row["Names"], row["State"], labels)
