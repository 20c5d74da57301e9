"""The command line: what may be said, and how it is read. Without argparse where nothing needs explaining."""

from __future__ import annotations

from types import SimpleNamespace

from mailtop import __version__

TYPE_CHECKING = False  # typing's own costs 5 ms, a third of what `--version` may take
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

COMMANDS = ("dashboard", "demo", "init", "doctor", "snapshot", "queue", "act", "audit", "record", "replay")
_WITH_VALUE = ("--config", "--interval", "--theme", "--log-file", "--record")
_SWITCHES = ("--read-only", "--ascii", "--verbose")


def parsed(argv: list[str]) -> Namespace:
    """The options that `argv` spells; ends the process, as argparse does, for help and for what is wrong."""
    words = command_first(argv)
    return plain(words) or parser().parse_args(words)


def command_first(argv: list[str]) -> list[str]:
    """Put the command first, wherever options stand; without one it is the dashboard.

    >>> command_first(["--config", "x", "snapshot", "--json"])
    ['snapshot', '--config', 'x', '--json']
    >>> command_first(["mail1"]), command_first(["--", "demo"])
    (['dashboard', 'mail1'], ['dashboard', '--', 'demo'])
    """
    at = 0
    while at < len(argv) and argv[at].startswith("-") and argv[at] != "--":
        if argv[at] in ("-h", "--help", "--version"):
            return argv
        at += 2 if argv[at] in _WITH_VALUE else 1
    if at < len(argv) and argv[at] in COMMANDS:
        return [argv[at], *argv[:at], *argv[at + 1 :]]
    return ["dashboard", *argv]


def plain(words: list[str]) -> Namespace | None:
    """The options of a dashboard, its command first, as argparse would have them; None where it is needed.

    argparse and its tables of commands cost a twelfth of what a first screen may take.
    """
    command, *rest = words
    if command not in ("dashboard", "demo", "replay"):
        return None
    given: dict[str, object] = dict.fromkeys(("config", "interval", "theme", "log_file"))
    given |= {"command": command, "read_only": False, "ascii": False, "verbose": False}
    given |= {"record": None} if command == "dashboard" else {"speed": 1.0}
    named: list[str] = []
    while rest:
        word, *rest = rest
        if word and not word.startswith("-"):
            named.append(word)
        elif word in _SWITCHES:
            given[_key(word)] = True
        elif (
            word in _WITH_VALUE[:1] + _WITH_VALUE[2:] and _key(word) in given and rest and rest[0][:1] not in ("", "-")
        ):
            given[_key(word)], *rest = rest
        else:
            return None
    if command == "replay" and len(named) == 1:
        given["file"] = named[0]
    elif command == "dashboard":
        given["targets"] = named
    elif named or command == "replay":
        return None
    options: Namespace = SimpleNamespace(**given)  # type: ignore[assignment]  # has all that is asked of one
    return options


def _key(word: str) -> str:
    return word.removeprefix("--").replace("-", "_")


def times(text: str) -> float:
    """How many times as fast; raises ValueError for what a recording cannot be played at.

    >>> times("8")
    8.0
    """
    speed = float(text)
    if not 0.0 < speed < float("inf"):
        raise ValueError(text)
    return speed


def parser() -> ArgumentParser:
    """All commands and their options."""
    from argparse import ArgumentParser, RawDescriptionHelpFormatter

    common = ArgumentParser(add_help=False)
    everywhere = common.add_argument_group("everywhere")
    everywhere.add_argument("--config", metavar="FILE", help="instead of ~/.config/mailtop/config.toml")
    everywhere.add_argument("--read-only", action="store_true", help="no acts, and no way to unlock them")
    everywhere.add_argument("--interval", type=float, metavar="SECONDS", help="pace of the screen (1.0)")
    everywhere.add_argument("--ascii", action="store_true", help="plain ASCII signs and lines")
    everywhere.add_argument("--theme", metavar="NAME", help="dark, light, high-contrast, colour-blind …")
    everywhere.add_argument("--log-file", metavar="FILE", help="where the engine's own complaints go")
    everywhere.add_argument("-v", "--verbose", action="store_true", help="show the traceback of an error")

    whole = ArgumentParser(
        prog="mailtop",
        description="The console an on-call engineer opens when mail breaks.",
        epilog="TARGET: a host of config.toml, user@host, docker, docker+ssh://host, local. `mailtop TARGET …` opens\n"
        "the dashboard; without one: the configured platform, else what this machine runs.\n"
        "A host named like a command is reached by `mailtop -- NAME`.",
        formatter_class=RawDescriptionHelpFormatter,
    )
    whole.add_argument("--version", action="version", version=f"mailtop {__version__}")
    commands = whole.add_subparsers(dest="command", metavar="COMMAND")

    def command(name: str, what: str) -> ArgumentParser:
        return commands.add_parser(name, help=what, description=what, parents=[common])

    dashboard = command("dashboard", "the screen (the default command)")
    dashboard.add_argument("targets", nargs="*", metavar="TARGET")
    dashboard.add_argument("--record", metavar="FILE", help="write a recording while it runs")
    demo = command("demo", "the dashboard on the bundled recording")
    demo.add_argument("--speed", type=times, default=1.0)
    replay = command("replay", "the dashboard on a recording")
    replay.add_argument("file")
    replay.add_argument("--speed", type=times, default=1.0)
    record = command("record", "record what a dashboard would see, without a screen")
    record.add_argument("targets", nargs="*", metavar="TARGET")
    record.add_argument("--to", required=True, metavar="FILE")
    record.add_argument("--seconds", type=float, default=0.0, help="stop after so long (0: at ctrl-c)")
    init = command("init", "look around, write a commented config.toml")
    init.add_argument("targets", nargs="*", metavar="TARGET")
    init.add_argument("--to", default="", metavar="FILE", help="instead of ~/.config/mailtop/config.toml; - for stdout")
    doctor = command("doctor", "what it can read and do per target, versions, and the line that gives what is missing")
    doctor.add_argument("targets", nargs="*", metavar="TARGET")
    doctor.add_argument("--json", action="store_true")
    snapshot = command("snapshot", "one reading of everything, then exit")
    snapshot.add_argument("targets", nargs="*", metavar="TARGET")
    snapshot.add_argument("--json", action="store_true")
    queue = command("queue", "what waits, and for what")
    queue.add_argument("targets", nargs="*", metavar="TARGET")
    queue.add_argument("--by", choices=("cause", "domain", "message"), default="cause")
    queue.add_argument("--where", default="", metavar="EXPR")
    queue.add_argument("--json", action="store_true")
    act = command("act", "carry out an action: plan, preview, approve, receipt")
    act.add_argument("action", metavar="ACTION", help="queue.hold, queue.retry, queue.delete, destination.pause …")
    act.add_argument("--on", required=True, metavar="HOST/CONTAINER")
    act.add_argument("--where", default="", metavar="EXPR")
    act.add_argument("--ids", metavar="FILE", help="queue ids, one a line (- for stdin)")
    act.add_argument("--receipt", default="", metavar="R", help="take back that one: of the act that undoes it")
    act.add_argument("--domain", default="", metavar="DOMAIN", help="of a destination.… act: whose mail")
    act.add_argument("--for", dest="lasting", default="1h", metavar="TIME", help="then overdue: 30m, 1h, 2d, ever")
    act.add_argument("--relay", default="", metavar="NEXTHOP", help="of destination.reroute: [host]:port")
    act.add_argument("--concurrency", type=int, default=1, metavar="N", help="of destination.throttle: at a time")
    act.add_argument("--delay", type=int, default=1, metavar="SECONDS", help="of destination.throttle: between two")
    act.add_argument("--dry-run", action="store_true")
    act.add_argument(
        "--yes-i-mean", metavar="N", default="", help="approve: the count of messages, as previewed, or the host's name"
    )
    act.add_argument("--json", action="store_true")
    audit = command("audit", "what was done, by whom, with what result")
    audit.add_argument("--json", action="store_true")
    return whole
