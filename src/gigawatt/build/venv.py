"""One virtual environment made by uv in a scratch directory: resolved, installed, sealed, moved to its place."""

import json
import os
import re
import shutil
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gigawatt.build.contents import contents_digest
from gigawatt.build.digest import digest_of
from gigawatt.build.environment_spec import HASH, canonical, is_option, lock_lines
from gigawatt.build.indexes import without_indexes
from gigawatt.build.interpreters import Interpreter
from gigawatt.build.uv import Uv, UvFailedError
from gigawatt.model.environment import EnvironmentSpec, LocalPackage

RECORD = "gigawatt.json"  # written last; a directory under an environment's id always has it
VENV, REQUIREMENTS, LOCK = "venv", "requirements.txt", "lock.txt"
BUNDLES, WHEELS = "bundles", "wheels"
PYTHON = f"{VENV}/bin/python"
PROGRESS = ("Resolved", "Downloading", "Downloaded", "Building", "Built", "Prepared", "Installed")

SAID_LINES_MAX = 40
Tell = Callable[[str, str], None]  # (stage, what uv said)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A local package and where its files are."""

    package: LocalPackage
    directory: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wheel:
    """A local package that was built; `file` is relative to uv's directory."""

    package: LocalPackage
    file: str
    name: str
    version: str

    @property
    def pin(self) -> str:
        """Its line in the lock that is kept."""
        return f"{self.name}=={self.version}  # {self.package.path} {self.package.digest}"


async def make_venv(
    uv: Uv, spec: EnvironmentSpec, interpreter: Interpreter, sources: tuple[Source, ...], tell: Tell
) -> str:
    """Make `venv` in uv's directory and install what `spec` asks for; the lock. Raises UvFailedError."""
    tell("resolving", "")
    # Relocatable: it is made in the scratch directory and used elsewhere.
    await _run(uv, ("venv", "--relocatable", "--python", interpreter.path, VENV), tell, "resolving")
    wheels = [await _build_wheel(uv, source, tell) for source in sources]
    if spec.lock:
        lock = "\n".join(
            [spec.lock.rstrip(), *(_exact(uv, wheel, spec.lock) for wheel in wheels), ""]
        )
    else:
        lock = await _resolve(uv, spec, wheels, tell)
    await _install(uv, lock, tell, exact=bool(spec.lock))
    return _told(lock, wheels) if wheels else lock


def seal(venv: Path, place: Path, *, lock: str, build_ms: int) -> None:
    """Record what was built and move `venv` to its place, in that order."""
    record = {
        "lock": lock,
        "size_bytes": size_of(venv),
        "build_ms": build_ms,
        "digest": contents_digest(venv),
    }
    with (venv / RECORD).open("w") as file:
        json.dump(record, file)
        file.flush()
        os.fsync(file.fileno())
    venv.rename(place)


def delete(place: Path, removed: Path) -> None:
    """Take `place` away in one step, then delete what it held."""
    shutil.rmtree(removed, ignore_errors=True)
    if place.exists():
        place.rename(removed)
        shutil.rmtree(removed, ignore_errors=True)


def size_of(directory: Path) -> int:
    """Bytes of all files, as if none were shared."""
    return sum(
        os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118  # tens of thousands of files
        for parent, _, names in os.walk(directory)
        for name in names
    )


async def _build_wheel(uv: Uv, source: Source, tell: Tell) -> _Wheel:
    """Build a local package as a wheel, in isolation, with what its own project file asks for."""
    place = f"{WHEELS}/{source.package.digest[-16:]}"
    directory = str(source.directory.relative_to(uv.cwd))
    options = ("--python", PYTHON, *(each for each in uv.arguments if each == "--no-index"))
    command = ("build", "--wheel", "--out-dir", place, *options, directory)
    tell("building", source.package.path)
    said: deque[str] = deque(maxlen=SAID_LINES_MAX)
    try:
        open_environ = without_indexes(dict(uv.environ))
        await replace(uv, environ=tuple(sorted(open_environ.items()))).run(command, said.append)
    except UvFailedError as error:
        # The backend's own words come before uv's error, and hold the reason.
        words = "\n".join(said).replace(str(uv.cwd / directory), source.package.path)
        raise UvFailedError(f"{source.package.path} could not be built:\n{words}") from error
    files = sorted((uv.cwd / place).glob("*.whl"))
    if len(files) != 1:
        raise UvFailedError(f"{source.package.path} made {len(files)} wheels instead of one")
    name, version, *_ = files[0].name.split("-")
    return _Wheel(
        package=source.package,
        file=f"{place}/{files[0].name}",
        name=name.replace("_", "-").lower(),
        version=version,
    )


def _exact(uv: Uv, wheel: _Wheel, lock: str) -> str:
    """Its line in a lock that is installed as it stands; with a hash where the others have one."""
    line = f"{wheel.name} @ {(uv.cwd / wheel.file).as_uri()}"
    hashed = any(HASH.search(each) for each in lock_lines(lock))
    return f"{line} --hash={digest_of(uv.cwd / wheel.file)}" if hashed else line


def _told(lock: str, wheels: Sequence[_Wheel]) -> str:
    """The lock as it is kept: a local package by its version and the digest of its files, not by a scratch directory."""
    pins = {wheel.name: wheel.pin for wheel in wheels}
    kept: list[str] = []
    skipping = False
    for line in lock.splitlines():
        if line.startswith((" ", "\t")):
            if not skipping:
                kept.append(line)
            continue
        name = re.sub(r"[-_.]+", "-", re.split(r"[\s=@\[]", line, maxsplit=1)[0]).lower()
        local = next((wheel for wheel in wheels if wheel.file.rpartition("/")[2] in line), None)
        skipping = local is not None or name in pins
        kept.append(pins[local.name if local else name] if skipping else line)
    return "\n".join([*kept, ""])


async def _resolve(uv: Uv, spec: EnvironmentSpec, wheels: Sequence[_Wheel], tell: Tell) -> str:
    wanted = [line for line in canonical(spec.requirements) if not is_option(line)]
    wanted += [f"{wheel.name} @ {(uv.cwd / wheel.file).as_uri()}" for wheel in wheels]
    if not wanted:
        return ""
    (uv.cwd / REQUIREMENTS).write_text("\n".join(wanted) + "\n")
    options = ("--python", PYTHON, "--generate-hashes", "--no-header", "--no-annotate")
    command = ("pip", "compile", REQUIREMENTS, "-o", LOCK, *options, *uv.arguments)
    await _run(uv, command, tell, "resolving")
    return (uv.cwd / LOCK).read_text()


async def _install(uv: Uv, lock: str, tell: Tell, *, exact: bool) -> None:
    lines = [line for line in lock_lines(lock) if not is_option(line)]
    tell("installing", f"{len(lines)} packages")
    if not lines:
        return
    (uv.cwd / LOCK).write_text("\n".join(lines) + "\n")
    # As in pip: a lock of which one line has a hash must have one on each.
    hashed = exact and any(HASH.search(line) for line in lines)
    options = ("--python", PYTHON, *(("--require-hashes",) if hashed else ()))
    # The machine's constraints shaped the resolution; a lock is installed as it stands.
    kept = tuple(pair for pair in uv.environ if pair[0] != "UV_CONSTRAINT")
    command = ("pip", "sync", LOCK, *options, *uv.arguments)
    await _run(replace(uv, environ=kept), command, tell, "installing")


async def _run(uv: Uv, command: tuple[str, ...], tell: Tell, stage: str) -> None:
    def on_line(line: str) -> None:
        if line.startswith(PROGRESS):
            tell(stage, line)

    await uv.run(command, on_line)
