"""The lab's images: minimal Debians made by debootstrap, and the Dockerfiles on top of them.

Each image is tagged with a hash of what builds it, so a changed Dockerfile rebuilds and nothing else does. The mirror
is the one this machine's own apt uses; where apt names none, each Dockerfile's default base is pulled instead.
"""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from maillab.engine import Engine
from maillab.errors import LabError

DOCKERFILES = Path(__file__).parent.parent / "images"
PARENTS = {
    "mta": "bookworm",
    "host": "mta",
    "platform": "mta",
    "plain": "mta",
    "strange": "host",
    "dovecot24": "trixie",
}
SUITES = ("bookworm", "trixie")
DEBOOTSTRAP = ("debootstrap", "--variant=minbase", "--include=ca-certificates")
APT = Path("/etc/apt")
# The images' apt runs once, at build: a clock that is off, or a frozen mirror, must not stop it.
APT_CONF = 'Acquire::Check-Valid-Until "false";\nAcquire::Check-Date "false";\nAcquire::Languages "none";\n'

Say = Callable[[str], None]


@dataclass(frozen=True)
class AptSource:
    """One archive of this machine's apt: its address and the suite there, such as ``bookworm-security``."""

    uri: str
    suite: str


def tag(image: str) -> str:
    """The full name of an image, ending in a hash of everything that it is built from."""
    if image in SUITES:
        made_from = f"{DEBOOTSTRAP} {APT_CONF} {image}".encode()
    else:
        made_from = _dockerfile(image) + tag(PARENTS[image]).encode()
    return f"mailtop-lab/{image}:{hashlib.sha256(made_from).hexdigest()[:12]}"


def build_missing(engine: Engine, say: Say) -> None:
    """Make whichever images the Engine does not hold, each as soon as its parent is there."""
    # Two at a time: dpkg keeps a core busy, and the build machine has two.
    with ThreadPoolExecutor(max_workers=2) as pool:
        chains = [pool.submit(_build_chain, engine, say, "mta"), pool.submit(_build_chain, engine, say, "dovecot24")]
        _raise_first(chains)
        _raise_first([pool.submit(_build_chain, engine, say, image) for image in ("platform", "host")])


def build(engine: Engine, image: str, say: Say) -> None:
    """Make one image that not every lab needs, when a test first wants it."""
    _build_chain(engine, say, image)


def _raise_first(futures: list[Future[None]]) -> None:
    for future in futures:
        future.result()


def _build_chain(engine: Engine, say: Say, image: str) -> None:
    """Make an image, and before it those that it stands on."""
    if engine.inspect("image", tag(image)) is not None:
        return
    parent = PARENTS.get(image)
    if parent is not None:
        _build_chain(engine, say, parent)
    began = time.monotonic()
    if parent is None:
        _debootstrap(engine, image)
    else:
        _docker_build(engine, image, parent)
    say(f"image {image} made in {time.monotonic() - began:.0f} s")


def _docker_build(engine: Engine, image: str, parent: str) -> None:
    base = () if parent in SUITES and not _mirrors() else ("--build-arg", f"BASE={tag(parent)}")
    command = engine.argv("build", "--network", "host", "--tag", tag(image), *base, "-")
    # The legacy builder wants neither a registry nor a plugin.
    environment = {**os.environ, "DOCKER_BUILDKIT": "0"}
    built = subprocess.run(command, input=_dockerfile(image), env=environment, capture_output=True, check=False)
    if built.returncode:
        last_lines = (built.stdout + built.stderr).decode(errors="replace").splitlines()[-15:]
        raise LabError(f"image {image}: docker build failed:\n" + "\n".join(last_lines))


def _debootstrap(engine: Engine, suite: str) -> None:
    """Import a minimal Debian without its package archives and lists: about 120 MB."""
    sources = _mirrors()
    if not sources:
        return  # nothing to bootstrap from: the Dockerfile's default base is pulled
    if shutil.which("debootstrap") is None:
        raise LabError("debootstrap is not installed; apt-get install debootstrap")
    with tempfile.TemporaryDirectory(prefix="mailtop-lab-") as folder:
        root = Path(folder, suite)
        mirror = next(source.uri for source in sources if not source.suite.endswith("-security"))
        made = subprocess.run(
            [*DEBOOTSTRAP, suite, str(root), mirror],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if made.returncode:
            raise LabError(f"debootstrap {suite} from {mirror} failed:\n" + "\n".join(made.stdout.splitlines()[-10:]))
        (root / "etc/apt/sources.list").write_text("".join(_sources_list(suite, sources)))
        (root / "etc/apt/apt.conf.d/90lab").write_text(APT_CONF)
        unwanted = ("./var/cache/apt/archives/*.deb", "./var/lib/apt/lists/*", "./proc/*", "./sys/*")
        tar = ["tar", "--create", f"--directory={root}", *(f"--exclude={path}" for path in unwanted), "."]
        with subprocess.Popen(tar, stdout=subprocess.PIPE) as packed:
            subprocess.run(
                engine.argv("import", "-", tag(suite)), stdin=packed.stdout, stdout=subprocess.DEVNULL, check=True
            )


def _sources_list(suite: str, sources: list[AptSource]) -> Iterator[str]:
    """The same archives for another release: its updates and security suites with it."""
    for source in sources:
        pocket = source.suite.partition("-")[2]
        yield f"deb {source.uri} {suite}{'-' if pocket else ''}{pocket} main\n"


def _mirrors() -> list[AptSource]:
    """What this machine's apt reads for its own release: the release, its updates and its security fixes."""
    found = [*_deb822_sources(), *_one_line_sources()]
    own_release = re.compile(r"^[a-z]+(-updates|-security)?$")
    return list(dict.fromkeys(source for source in found if own_release.match(source.suite)))


def _deb822_sources() -> Iterator[AptSource]:
    for path in sorted(APT.glob("sources.list.d/*.sources")):
        for stanza in re.split(r"\n\s*\n", path.read_text()):
            lines = (line.partition(":") for line in stanza.splitlines() if not line.startswith(("#", " ")))
            fields = {name.strip().lower(): value.split() for name, _, value in lines}
            if "deb" in fields.get("types", ()) and "main" in fields.get("components", ()):
                for uri in fields.get("uris", ()):
                    yield from (AptSource(uri, suite) for suite in fields.get("suites", ()))


def _one_line_sources() -> Iterator[AptSource]:
    for path in [APT / "sources.list", *sorted(APT.glob("sources.list.d/*.list"))]:
        for line in path.read_text().splitlines() if path.exists() else ():
            words = re.sub(r"\[.*?\]", "", line.partition("#")[0]).split()
            if len(words) > 3 and words[0] == "deb" and "main" in words[3:]:
                yield AptSource(words[1], words[2])


def _dockerfile(image: str) -> bytes:
    return (DOCKERFILES / f"{image}.Dockerfile").read_bytes()
