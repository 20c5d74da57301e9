"""The `:` commands: what they are called, what they take, and how a line is completed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mailtop.model.errors import UsageError


class Command(NamedTuple):
    """One command. `do` names the frame's method; `takes` names its argument, with `choices` to complete from."""

    name: str
    help: str
    do: str
    takes: str = ""
    choices: tuple[str, ...] = ()
    argument: str = ""


_PACES = ("0.5", "1", "2", "5", "10", "30")
FIXED = (
    Command("operate", "unlock acts; locks again after 15 idle minutes", "order_operate"),
    Command("observe", "lock acts", "order_observe"),
    Command("undo", "what can be taken back", "do_undo"),
    Command("destinations", "what is paused, throttled or rerouted, until when; restore it", "do_destinations"),
    Command(
        "domain",
        "pause, throttle, reroute, restore, finish a domain",
        "do_domain",
        "an act and a domain",
        ("pause ", "throttle ", "reroute ", "restore ", "finish "),
    ),
    Command("flush", "try all deferred mail now: the preview comes first", "do_whole", argument="queue.flush"),
    Command("purge", "drop what is kept of mail deleted over 7 days ago", "do_whole", argument="queue.purge"),
    Command("purge-all", "drop all that is kept of deleted mail", "do_whole", argument="queue.purge_all"),
    Command("list", "a full listing of the queues now, whatever it costs", "order_list"),
    Command("stop", "end a full listing that runs, here and on its host", "order_stop"),
    Command("refresh", "ask everything now", "order_refresh"),
    Command("pause", "freeze what is shown, or go on", "order_pause"),
    Command(
        "interval", "the pace: 1 is the probes' own", "order_interval", "seconds", ("0.5", "1", "2", "5", "10", "30")
    ),
    Command("reload", "read the theme anew", "do_reload"),
    Command("help", "the keys of this screen", "do_help"),
    Command("q", "quit", "do_leave"),
    Command("quit", "quit", "do_leave"),
)


def parse(line: str, commands: Sequence[Command]) -> tuple[Command, str]:
    """Return the command and its argument; a beginning is enough where it is one command's only.

    Raises UsageError for what is no command.
    """
    name, _, argument = line.strip().lstrip(":").partition(" ")
    argument = argument.strip()
    exact = [command for command in commands if command.name == name]
    found = exact or [command for command in commands if name and command.name.startswith(name)]
    if len(found) != 1:
        names = ", ".join(command.name for command in found)
        reason = f"could be {names}" if found else "there is no such command"
        raise UsageError(f":{name}", reason, "tab completes, ctrl+p lists them all")
    command = found[0]
    if argument and not command.takes:
        raise UsageError(f":{command.name}", "takes nothing behind it")
    if command.takes and not argument:
        raise UsageError(f":{command.name}", f"wants {command.takes}", _example(command))
    return command, argument or command.argument


def complete(line: str, commands: Sequence[Command]) -> list[str]:
    """Return the lines that `line` could become."""
    name, space, argument = line.lstrip().partition(" ")
    if not space:
        return [
            f"{command.name} " if command.takes else command.name
            for command in commands
            if command.name.startswith(name)
        ]
    return [
        f"{command.name} {choice}"
        for command in commands
        if command.name == name
        for choice in command.choices
        if choice.startswith(argument.strip())
    ]


def _example(command: Command) -> str:
    return f"one of {', '.join(command.choices)}" if command.choices else ""
