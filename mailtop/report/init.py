"""`mailtop init`: what was found by looking around, as a commented config.toml that finds the same again."""

from __future__ import annotations

import json
import os
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from mailtop import config
from mailtop.engine.console import Console
from mailtop.model.errors import ConfigError
from mailtop.model.snapshot import Link
from mailtop.model.survey import Survey, Surveyed
from mailtop.report.looking import looked

UNREACHABLE = 3
STDOUT = "-"


async def run(console: Console, options: Namespace, out: TextIO, err: TextIO) -> int:
    """Write the file, never over another; 3 where no host was reached, and then nothing is written."""
    path = where(options.to)
    surveys = await looked(console, err)
    for survey in surveys:
        if survey.link is not Link.UP:
            err.write(f"mailtop: {survey.note}\n")
    if all(survey.link is not Link.UP for survey in surveys):
        return UNREACHABLE
    text = written(surveys)
    config.parse(text, "what init would write")
    if path is None:
        out.write(text)
        return 0
    _write(path, text)
    found = sum(bool(target.roles) for survey in surveys for target in survey.targets)
    err.write(f"mailtop: wrote {path}: {len(surveys)} hosts, {found} services found\n")
    return 0


def where(to: str) -> Path | None:
    """The file to write, None for stdout; raises ConfigError for one that is there already."""
    if to == STDOUT:
        return None
    path = Path(to).expanduser() if to else config.default_path()
    if path.exists() or path.is_symlink():
        raise ConfigError(str(path), "is there already", "move it away, or name another: mailtop init --to FILE")
    if to and not path.absolute().parent.is_dir():
        raise ConfigError(str(path), "its folder is not there", "make it, or name another file")
    return path


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError(
            str(path), error.strerror or "cannot be written", "name another file: mailtop init --to FILE"
        ) from error


def written(surveys: tuple[Survey, ...]) -> str:
    """The file's text. What discovery finds by itself stands in comments."""
    names = ", ".join(survey.host for survey in surveys if not survey.same)
    lines = [
        "# mailtop: what `mailtop init` found. Services are found again at every start, so they stand in comments.",
        "",
        "[platform]",
        f"name = {_quoted(names)}",
        '# colour = "red"        # the top line, so that nobody acts on the wrong platform',
        '# vip = ["192.0.2.10"]  # exactly one host has it; left out: what keepalived.conf says',
    ]
    for survey in surveys:
        lines += ["", *_host(survey)]
    lines += [
        "",
        "# What is not recognised, or not as what it is, is told so:",
        "# [services.NAME]",
        '# role = "mta"           # mta imap filter antispam antivirus database archive search proxy vip dns',
        '# target = "host/container"',
        "",
        "# How the hops of a mail are told apart:",
        "# [flow]",
        "# filter_ports = [10024, 10026]",
        '# archive_domains = ["archive.local"]',
    ]
    return "\n".join(lines) + "\n"


def _host(survey: Survey) -> Iterator[str]:
    if survey.same:
        yield f"# {survey.host} is the same machine as {survey.same} (another name, or the VIP): watched once."
        yield from (f"# {line}" for line in _table(survey))
        return
    yield from _table(survey)
    if survey.link is not Link.UP:
        yield f"# not reached: {survey.note}"
        return
    if survey.docker_version:
        yield f"# Docker {survey.docker_version}"
    for target in survey.targets:
        yield f"#   {_described(target)}".rstrip()


def _table(survey: Survey) -> Iterator[str]:
    yield f"[hosts.{_key(survey.host)}]"
    if survey.ssh:
        yield f"ssh = {_quoted(survey.ssh)}          # as in ~/.ssh/config"
    else:
        yield '# this machine; ssh = "…" for another'
    if survey.ssh_config:
        yield f"ssh_config = {_quoted(survey.ssh_config)}"
    if survey.engine_of:
        yield f"docker = false           # the same Docker Engine as {survey.engine_of}'s: shown there"
    elif not survey.docker:
        yield "docker = false"
    if survey.docker_socket != config.HostSettings().docker_socket:
        yield f"docker_socket = {_quoted(survey.docker_socket)}"
    if not survey.shell:
        yield "shell = false            # only its containers"
    yield "# sudo = false           # never use sudo -n, not even where it would give a missing right"


def _described(target: Surveyed) -> str:
    versions = ", ".join(f"{program} {version}" for program, version in target.versions)
    return f"{target.target:28} {' '.join(target.roles) or 'no role recognised':12} {versions}"


def _key(name: str) -> str:
    return name if name.replace("-", "").replace("_", "").isalnum() else _quoted(name)


def _quoted(text: str) -> str:
    """A basic string of TOML, which JSON's are."""
    return json.dumps(text, ensure_ascii=True)
