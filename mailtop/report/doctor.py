"""`mailtop doctor`: what can be read and done per target, versions, and the line that gives what is missing."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterator
from typing import TextIO

from mailtop.engine.console import Console
from mailtop.model.snapshot import Health, Link
from mailtop.model.survey import Right, Survey, Surveyed
from mailtop.report.looking import looked

SCHEMA = "mailtop.doctor/1"
FOUND, UNREACHABLE = 1, 3
_SIGNS = {Health.OK: "ok", Health.DENIED: "denied"}


async def run(console: Console, options: Namespace, out: TextIO, err: TextIO) -> int:
    """Print what was found; 1 where something is missing, 3 where no host was reached."""
    surveys = await looked(console, err)
    if options.json:
        json.dump(as_json(surveys), out, ensure_ascii=False, indent=1)
        out.write("\n")
    else:
        out.writelines(f"{line}\n" for survey in surveys for line in as_text(survey))
    if all(survey.link is not Link.UP for survey in surveys):
        return UNREACHABLE
    return 0 if all(map(_well, surveys)) else FOUND


def _well(survey: Survey) -> bool:
    return survey.link is Link.UP and all(
        right.health is Health.OK for target in survey.targets for right in target.rights
    )


def as_json(surveys: tuple[Survey, ...]) -> dict[str, object]:
    """The stable form."""
    return {"schema": SCHEMA, "hosts": [_host(survey) for survey in surveys]}


def _host(survey: Survey) -> dict[str, object]:
    return {
        "name": survey.host,
        "link": survey.link,
        "note": survey.note,
        "user": survey.user,
        "docker_version": survey.docker_version,
        "same_as": survey.same,
        "engine_of": survey.engine_of,
        "targets": [_target(target) for target in survey.targets],
    }


def _target(target: Surveyed) -> dict[str, object]:
    return {
        "name": target.target,
        "roles": list(target.roles),
        "state": target.state,
        "user": target.user,
        "versions": dict(target.versions),
        "rights": [
            {"what": right.what, "act": right.act, "health": right.health, "note": right.note, "gives": right.gives}
            for right in target.rights
        ],
    }


def as_text(survey: Survey) -> Iterator[str]:
    """The same for people: a host, its targets, then what to add to give what is missing."""
    if survey.link is not Link.UP:
        yield f"{survey.host}: {survey.link}: {survey.note.removeprefix(f'{survey.host}: ')}"
        return
    said = [
        f"as {survey.user}" if survey.user else "",
        f"Docker {survey.docker_version}" if survey.docker_version else "",
    ]
    yield ", ".join(filter(None, (f"{survey.host}: up", *said, survey.note)))
    for target in survey.targets:
        yield from _about(target)
    lines = dict.fromkeys(right.gives for target in survey.targets for right in target.rights if right.gives)
    for line in lines:
        where = "in /etc/sudoers.d/mailtop" if " NOPASSWD: " in line else "as root"
        yield f"  to give it, on {survey.host} {where}:  {line}"


def _about(target: Surveyed) -> Iterator[str]:
    versions = ", ".join(f"{program} {version}" for program, version in target.versions)
    roles = " ".join(target.roles) or "no role recognised"
    state = "" if target.state in ("", "running") else f" ({target.state})"
    yield f"  {target.target}{state}: {roles}{f', {versions}' if versions else ''}"
    well = [right for right in target.rights if right.health is Health.OK]
    for word, act in (("reads", False), ("may", True)):
        names = [f"{right.what}{f' ({right.note})' if right.note else ''}" for right in well if right.act is act]
        if names:
            yield f"    {word}: {', '.join(names)}"
    for right in target.rights:
        if right.health is not Health.OK:
            yield f"    {_SIGNS.get(right.health, right.health)}: {_lacking(right)}"


def _lacking(right: Right) -> str:
    return f"{right.what}: {right.note}" if right.note else right.what
