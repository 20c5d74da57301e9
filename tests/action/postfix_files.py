"""A Postfix that is only files: coreutils are the machine's own, postconf knows just enough, postfix only counts."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from mailtop.model.ask import Answer, Command, Engine, Look, PortAsk, Put

Result = TypeVar("Result")

MAIN = (
    b"# as the distribution wrote it\nmyhostname = mx1.example.test\n"
    b"transport_maps =\n   texthash:/etc/postfix/transport\n"
)
MASTER = (
    b"smtp      inet  n  -  n  -  -  smtpd\nsmtp      unix  -  -  n  -  -  smtp\n\t-o smtp_bind_address=192.0.2.7\n"
)
DEFAULTS = {
    "mail_version": "3.7.11",
    "default_transport": "smtp",
    "relay_transport": "relay",
    "local_transport": "local:mx1.example.test",
    "virtual_transport": "virtual",
    "mydestination": "localhost, mx1.example.test",
    "maximal_queue_lifetime": "5d",
    "parent_domain_matches_subdomains": "relay_domains, smtpd_access_maps",
}


class Killed(Exception):  # noqa: N818  (what happens to mailtop here)
    """mailtop was killed before it sent the next changing command."""


@dataclass
class PostfixFiles:
    """`kill_after`: so many changing commands are carried out, then `Killed`. `say_no`: to the one with this number."""

    config: Path
    settings: dict[str, str] = field(default_factory=dict)  # what is asked of Postfix and is in no file
    tables: dict[str, dict[str, str]] = field(default_factory=dict)
    kill_after: int | None = None
    say_no: int | None = None
    put: list[Put] = field(default_factory=list)
    before_put: Callable[[Put], None] = lambda _: None  # what somebody else does meanwhile

    @classmethod
    def made(cls, folder: Path) -> PostfixFiles:
        """A new one."""
        config = folder / "postfix"
        config.mkdir()
        (config / "main.cf").write_bytes(MAIN)
        (config / "master.cf").write_bytes(MASTER)
        return cls(config)

    @property
    def files(self) -> tuple[bytes, bytes]:
        """Both live files."""
        return (self.config / "main.cf").read_bytes(), (self.config / "master.cf").read_bytes()

    @property
    def whole(self) -> bool:
        """Does whatever main.cf leads to exist in master.cf?"""
        main, master = self.files
        return all(
            re.search(rb"^%s unix" % name, master, re.M) for name in re.findall(rb"=(mailtop-[a-z0-9-]+):", main)
        )

    @property
    def clean(self) -> bool:
        """Is nothing left beside the two files?"""
        return {path.name for path in self.config.iterdir()} == {"main.cf", "master.cf"}

    def drive(self, conversation: Generator[Look | Put, Answer, Result]) -> Result:
        """Carry a conversation to its end."""
        try:
            ask = next(conversation)
            while True:
                assert not isinstance(ask, Engine | PortAsk)
                ask = conversation.send(self.ask(ask))
        except StopIteration as end:
            result: Result = end.value
            return result

    def ask(self, ask: Command | Put) -> Answer:
        if isinstance(ask, Put):
            if self.kill_after is not None and len(self.put) >= self.kill_after:
                raise Killed
            self.before_put(ask)
            self.put.append(ask)
            if self.say_no == len(self.put):
                return Answer(b"", b"it says no\n", 1)
        programs: dict[str, Callable[[Command | Put], Answer]] = {
            "postconf": self._postconf,
            "postfix": lambda _: Answer(b""),
            "printf": self._postmap,
        }
        return programs.get(ask.argv[0], _run)(ask)

    def _postmap(self, ask: Command | Put) -> Answer:
        assert isinstance(ask, Command)
        table = self.tables.get(ask.pipe[0][-1], {})
        rows = [f"{key}\t{table[key]}\n" for key in ask.argv[2:] if key in table]
        return Answer("".join(rows).encode(), b"", 0 if rows else 1)

    def _postconf(self, ask: Command | Put) -> Answer:
        words = [*ask.argv[1:]]
        folder = self.config
        if words[0] == "-c":
            folder, words = Path(words[1]), words[2:]
        main, master = folder / "main.cf", folder / "master.cf"
        match words:
            case ["-e", *values]:
                for name, _, value in (one.partition("=") for one in values):
                    _edit(main, name, f"{name} = {value}\n")
            case ["-X", *names]:
                for name in names:
                    _edit(main, name, "")
            case ["-M"]:
                return Answer(b"".join(b" ".join(line.split()) + b"\n" for line in _unfolded(master.read_bytes())))
            case ["-M", edit]:
                _edit_service(master, edit.partition("/")[0], edit.partition("=")[2] + "\n")
            case ["-MX", name]:
                _edit_service(master, name.partition("/")[0], "")
            case ["-n"]:
                return Answer(b"".join(line + b"\n" for line in _unfolded(main.read_bytes())))
            case _:
                known = DEFAULTS | self.settings | dict(_values(main.read_bytes()))
                names = [name for name in words if not name.startswith("-")]
                return Answer("".join(f"{name} = {known.get(name, '')}\n" for name in names).encode())
        return Answer(b"")


def _run(ask: Command | Put) -> Answer:
    stdin = ask.stdin if isinstance(ask, Put) else b""
    done = subprocess.run(
        ask.argv, input=stdin, capture_output=True, check=False, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}
    )
    return Answer(done.stdout, done.stderr, done.returncode)


def _unfolded(text: bytes) -> list[bytes]:
    return [line for line in re.sub(rb"\n[ \t]+", b" ", text).splitlines() if line and not line.startswith(b"#")]


def _values(text: bytes) -> list[tuple[str, str]]:
    pairs = (line.decode().partition("=") for line in _unfolded(text))
    return [(name.strip(), " ".join(value.split())) for name, _, value in pairs]


def _edit(path: Path, name: str, line: str) -> None:
    """As postconf does: the setting's lines become one line, or it joins at the end; all else stays."""
    pattern = rf"^{re.escape(name)}[ \t]*=.*\n(?:[ \t]+.*\n)*"
    text, found = re.subn(pattern, lambda _: line, path.read_text(), flags=re.M)
    path.write_text(text if found else text + line)


def _edit_service(path: Path, name: str, line: str) -> None:
    pattern = rf"^{re.escape(name)}[ \t]+unix.*\n(?:[ \t]+.*\n)*"
    text, found = re.subn(pattern, lambda _: line, path.read_text(), flags=re.M)
    path.write_text(text if found else text + line)
