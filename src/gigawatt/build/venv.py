"""One virtual environment made by uv in a scratch directory: resolved, installed, sealed, moved to its place."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from gigawatt.build.contents import contents_digest
from gigawatt.build.environment_spec import HASH, canonical, is_option, lock_lines
from gigawatt.build.interpreters import Interpreter
from gigawatt.build.uv import Uv
from gigawatt.model.environment import EnvironmentSpec

RECORD = "gigawatt.json"  # written last; a directory under an environment's id always has it
VENV, REQUIREMENTS, LOCK = "venv", "requirements.txt", "lock.txt"
PYTHON = f"{VENV}/bin/python"
PROGRESS = ("Resolved", "Downloading", "Downloaded", "Building", "Built", "Prepared", "Installed")

Tell = Callable[[str, str], None]  # (stage, what uv said)


async def make_venv(uv: Uv, spec: EnvironmentSpec, interpreter: Interpreter, tell: Tell) -> str:
    """Make `venv` in uv's directory and install what `spec` asks for; the lock. Raises UvFailedError."""
    tell("resolving", "")
    # Relocatable: it is made in the scratch directory and used elsewhere.
    await _run(uv, ("venv", "--relocatable", "--python", interpreter.path, VENV), tell, "resolving")
    lock = spec.lock or await _resolve(uv, spec, tell)
    await _install(uv, lock, tell, exact=bool(spec.lock))
    return lock


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


async def _resolve(uv: Uv, spec: EnvironmentSpec, tell: Tell) -> str:
    wanted = [line for line in canonical(spec.requirements) if not is_option(line)]
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
