"""The lab by hand: ``lab.py up|down|status|reset|send|fault|remote``; ``--help`` says more."""

import argparse
import inspect
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from maillab.bringup import Clock
from maillab.errors import LabError
from maillab.faults import Faults
from maillab.lab import Lab
from maillab.scenarios import Behaviour, Scenarios
from maillab.traffic import Sent

HELD = ("hung_filter", "imap_sessions")  # scenarios that last; here until --for is over
SENDS = (
    "clean",
    "submitted",
    "spam",
    "virus",
    "deferred",
    "bounced",
    "rejected",
    "slow",
    "auth_failure",
    "sasl_burst",
    *HELD,
)
BREAKS = tuple(
    name for name, _ in inspect.getmembers(Faults, inspect.isfunction)
    if not name.startswith("_") and not hasattr(Scenarios, name)
)  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    clock, lab = Clock(), Lab()
    try:
        COMMANDS[options.command](lab, clock, options)
    except LabError as error:
        clock.say(f"failed: {error}")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lab.py", description="A real mail platform on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, meaning in (
        ("up", "bring it up, or repair it"),
        ("down", "remove it; images stay"),
        ("status", "the state of every container"),
        ("reset", "make every fault good and empty the queues"),
    ):
        commands.add_parser(name, help=meaning)
    send = commands.add_parser("send", help="send mail or log in: " + ", ".join(SENDS))
    send.add_argument("scenario", choices=SENDS)
    send.add_argument(
        "settings", nargs="*", metavar="name=value", help="as the parameters of the Lab's methods, such as count=200"
    )
    send.add_argument("--for", dest="seconds", type=float, default=60, help="how long a lasting scenario lasts (60 s)")
    fault = commands.add_parser("fault", help="break or mend something: " + ", ".join(BREAKS))
    fault.add_argument("fault", choices=BREAKS)
    fault.add_argument("arguments", nargs="*", help="as of the Lab's methods, such as a container's name")
    remote = commands.add_parser("remote", help="how the remote treats mail for a domain")
    remote.add_argument("domain")
    remote.add_argument("action", choices=("accept", "defer", "reject", "greylist", "slow"))
    remote.add_argument("text", nargs="?", default="")
    remote.add_argument("--at", choices=("connect", "rcpt", "data"), default="rcpt")
    remote.add_argument("--seconds", type=float, default=0)
    return parser


def _up(lab: Lab, clock: Clock, _: argparse.Namespace) -> None:
    lab.up(clock.say)


def _down(lab: Lab, clock: Clock, _: argparse.Namespace) -> None:
    lab.down(clock.say)


def _status(lab: Lab, _: Clock, __: argparse.Namespace) -> None:
    print("\n".join(lab.status()))


def _reset(lab: Lab, clock: Clock, _: argparse.Namespace) -> None:
    lab.reset()
    clock.say("all is well again")


def _send(lab: Lab, clock: Clock, options: argparse.Namespace) -> None:
    method = getattr(lab, options.scenario)
    settings = dict(setting.partition("=")[::2] for setting in options.settings)
    outcome = method(**{name: _typed(method, name, value) for name, value in settings.items()})
    if isinstance(outcome, AbstractContextManager):
        with outcome:
            clock.say(f"{options.scenario} lasts {options.seconds:g} s")
            time.sleep(options.seconds)
    elif isinstance(outcome, Sent):
        clock.say(f"{outcome.scenario} on {outcome.host}: {len(outcome.messages)} sent, {outcome.attempts} refused")
        for message, queue_id in list(zip(outcome.messages, outcome.queue_ids, strict=True))[:20]:
            print(f"{queue_id:20} {message.message_id} {message.sender} -> {', '.join(message.recipients)}")


def _fault(lab: Lab, clock: Clock, options: argparse.Namespace) -> None:
    answer = getattr(lab, options.fault)(*options.arguments)
    clock.say(f"{options.fault} {' '.join(options.arguments)}" if answer is None else str(answer))


def _remote(lab: Lab, clock: Clock, options: argparse.Namespace) -> None:
    behaviour = Behaviour(options.action, options.at, options.text, options.seconds)
    lab.remote(options.domain, behaviour)
    clock.say(f"{options.domain}: {behaviour}")


def _typed(method: Callable[..., object], name: str, value: str) -> object:
    """A value as the parameter wants it, going by the parameter's default."""
    parameter = inspect.signature(method).parameters.get(name)
    if parameter is None:
        known = ", ".join(inspect.signature(method).parameters)
        raise LabError(f"no setting {name}; there are {known}")
    if isinstance(parameter.default, bool):
        return value.lower() in ("yes", "true", "1")
    return type(parameter.default)(value)


COMMANDS: dict[str, Callable[[Lab, Clock, argparse.Namespace], None]] = {
    "up": _up,
    "down": _down,
    "status": _status,
    "reset": _reset,
    "send": _send,
    "fault": _fault,
    "remote": _remote,
}
