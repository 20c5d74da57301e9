"""Arguments and wiring: the one place where all parts meet.

`mailtop --version` answers before anything else is imported; every command imports only what it shows.
"""

from __future__ import annotations

import io
import sys

from mailtop import __version__

TYPE_CHECKING = False  # typing's own costs 5 ms, a third of what `--version` may take
if TYPE_CHECKING:
    from argparse import Namespace

    from mailtop.engine.process import EngineProcess, Setup

USAGE, INTERRUPTED = 2, 130


def main(argv: list[str] | None = None) -> int:
    """Run mailtop; return the exit status (0 ok, 1 found something, 2 usage, 3 unreachable, 4 refused)."""
    argv = sys.argv[1:] if argv is None else argv
    if argv == ["--version"]:
        sys.stdout.write(f"mailtop {__version__}\n")
        return 0
    from mailtop.model.errors import MailtopError

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that is not UTF-8 is no reason for a traceback
    from mailtop.arguments import parsed

    options = parsed(argv)
    try:
        return _run(options)
    except MailtopError as error:
        if options.verbose:
            raise
        sys.stderr.write(f"mailtop: {error}\n")
        return _status(error)
    except BrokenPipeError:
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED


def _status(error: Exception) -> int:
    from mailtop.model.errors import AskFailed, Refused, Unreachable

    if isinstance(error, Refused):
        return 4
    return 3 if isinstance(error, Unreachable | AskFailed) else USAGE


def _run(options: Namespace) -> int:
    runners = {
        "audit": _audit,
        "act": _one_shot,
        "init": _one_shot,
        "doctor": _one_shot,
        "snapshot": _one_shot,
        "queue": _one_shot,
        "record": _one_shot,
    }
    return runners.get(options.command, _dashboard)(options)


def _setup(options: Namespace) -> Setup:
    """What the engine is told, from config.toml and the command line."""
    from pathlib import Path

    import msgspec

    from mailtop import config
    from mailtop.engine.process import Setup

    path = Path(options.config).expanduser() if options.config else config.default_path()
    settings = config.load(path) if options.config or path.exists() else config.Settings()
    recording = _recording(options)
    if not recording:
        targets = (options.on.partition("/")[0],) if options.command == "act" else tuple(options.targets)
        settings = config.with_targets(settings, targets)
    if settings.probes or any(host.probes for host in settings.hosts.values()):
        from mailtop.engine.probing import check

        check(settings)
    if options.interval:
        settings = msgspec.structs.replace(settings, interval=options.interval)
    return Setup(
        settings,
        operator=_operator(),
        read_only=options.read_only,
        audit=str(config.state_folder() / "audit.jsonl"),
        recording=recording,
        speed=getattr(options, "speed", 1.0),
        record_to="" if options.command == "init" else _record_to(options),
    )


def _recording(options: Namespace) -> str:
    """The recording that is played, empty for live hosts; its head looked at before a screen opens for it."""
    from importlib.resources import files
    from pathlib import Path

    if options.command == "demo":
        return str(files("mailtop") / "demo.recording")
    if options.command != "replay":
        return ""
    from mailtop.transport.recording import Recording

    Recording.check(Path(options.file))
    return str(options.file)


def _record_to(options: Namespace) -> str:
    """Where a recording is written, empty for none; raises ConfigError where it cannot be."""
    from pathlib import Path

    from mailtop.model.errors import ConfigError

    file = getattr(options, "record", None) or getattr(options, "to", None) or ""
    if file and Path(file).exists():
        raise ConfigError(file, "is there already", "name another file")
    if file and not Path(file).absolute().parent.is_dir():
        raise ConfigError(file, "its folder is not there", "make it, or name another file")
    return str(file)


def _operator() -> str:
    """Who the audit file names: the login, and who stands behind it under sudo."""
    import getpass
    import os

    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # an id without a name
        name = f"uid {os.getuid()}"
    behind = os.environ.get("SUDO_USER", "")
    return f"{name} (sudo by {behind})" if behind and behind != name else name


def _engine(options: Namespace) -> tuple[Setup, EngineProcess]:
    """A process for the engine, begun before all that is imported here: it has as much to import itself."""
    from mailtop.engine.begin import Begun
    from mailtop.model.errors import UsageError

    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    try:
        begun = Begun(options.log_file or "") if terminal else None
    except OSError as error:
        raise UsageError(str(options.log_file or "engine"), error.strerror or str(error)) from error
    try:
        setup = _setup(options)
        if begun is None:
            raise UsageError("dashboard", "stdin and stdout are no terminal", "for scripts: mailtop snapshot --json")
    except BaseException:
        if begun is not None:
            begun.forget()
        raise
    from mailtop.engine.process import EngineProcess

    return setup, EngineProcess(setup, begun)


def _dashboard(options: Namespace) -> int:
    import gc

    gc.disable()  # what is imported stays: looking at it again and again costs a twentieth of the start
    setup, engine = _engine(options)
    try:
        from mailtop.ui.app import MailtopApp  # while the engine connects

        app = MailtopApp(
            engine.console,
            theme=options.theme or setup.settings.theme,
            ascii=options.ascii,
            read_only=options.read_only,
            keys=setup.settings.keys,
            operator=setup.operator,
        )
        gc.freeze()  # nor is it looked at while the first screen is drawn
        gc.enable()
        app.run()
        return app.return_code or 0
    finally:
        still = engine.end()
        if still and sys.stderr.isatty():
            sys.stderr.write(f"mailtop: {still}\n")


def _one_shot(options: Namespace) -> int:
    import asyncio
    from importlib import import_module

    from mailtop.engine.making import engine_of
    from mailtop.report.asking import answer_questions

    face = import_module(f"mailtop.report.{options.command}")
    setup = _setup(options)

    async def run() -> int:
        engine = engine_of(setup)
        await engine.start()
        asking = asyncio.create_task(answer_questions(engine, sys.stderr))
        try:
            status: int = await face.run(engine, options, sys.stdout, sys.stderr)
            return status
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            await engine.close()

    return asyncio.run(run())


def _audit(options: Namespace) -> int:
    from mailtop import config
    from mailtop.report import audit

    return audit.run(config.state_folder() / "audit.jsonl", options.json, sys.stdout)


if __name__ == "__main__":
    sys.exit(main())
