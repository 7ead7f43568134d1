"""Which Pythons, and so which kinds of environment, this machine has. None is ever downloaded."""

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from uv import find_uv_bin

from gigawatt.model.environment import EnvironmentKind

PYTHON_MIN = (3, 9)  # the oldest that the rank module runs on
PROBE_TIME_S_MAX = 10
PROBES_AT_ONCE_MAX = 4
EXECUTABLE = re.compile(r"python3(\.\d+)?")
QUESTION = (
    "import sys; print(sys.implementation.name, '.'.join(map(str, sys.version_info[:3])),"
    " sys.executable)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """One Python that this machine has."""

    version: str  # "3.11.7"
    path: str

    @property
    def number(self) -> tuple[int, ...]:
        return tuple(int(part) for part in self.version.split("."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What environments can be made of here. The first Python of a version is the one that is taken."""

    kinds: frozenset[EnvironmentKind]
    pythons: tuple[Interpreter, ...]

    def interpreter(self, python: str) -> Interpreter | None:
        """The Python that "3.11" or "3.11.7" means here; None where there is none."""
        number = tuple(int(part) for part in python.split("."))
        for interpreter in self.pythons:
            if interpreter.number[: len(number)] == number:
                return interpreter
        return None

    @property
    def versions(self) -> tuple[str, ...]:
        """Minor versions, lowest first, each once: ("3.11", "3.12")."""
        minors = sorted({interpreter.number[:2] for interpreter in self.pythons})
        return tuple(f"{major}.{minor}" for major, minor in minors)


@cache
def this_machine() -> Machine:
    """The machine this process runs on, looked at once: tens of milliseconds for each Python that is there."""
    return inspect_machine(os.environ)


def inspect_machine(environ: Mapping[str, str]) -> Machine:
    """Pythons of this process, of PATH, of pyenv and of uv, in that order; CPython 3.9 and later that really start."""
    own = Interpreter(version=own_version(patch=True), path=sys.executable)
    found = [own, *_probe_all(_candidates(environ))]
    usable = tuple(each for each in found if each.number >= PYTHON_MIN)
    return Machine(kinds=_kinds(), pythons=usable)


def own_version(*, patch: bool = False) -> str:
    """The version of the Python that runs this: "3.11", or "3.11.7" with its patch level."""
    return ".".join(str(part) for part in sys.version_info[: 3 if patch else 2])


def _kinds() -> frozenset[EnvironmentKind]:
    try:
        find_uv_bin()
    except FileNotFoundError:
        return frozenset({EnvironmentKind.HOST})
    return frozenset(EnvironmentKind)


def _candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    seen = {Path(sys.executable).resolve()}
    for path in _executables(environ):
        real = path.resolve()
        if real not in seen and os.access(real, os.X_OK):
            seen.add(real)
            yield path


def _executables(environ: Mapping[str, str]) -> Iterator[Path]:
    home = Path(environ.get("HOME", "/"))
    pyenv = Path(environ.get("PYENV_ROOT", "") or home / ".pyenv")
    data_home = Path(environ.get("XDG_DATA_HOME", "") or home / ".local" / "share")
    managed = Path(environ.get("UV_PYTHON_INSTALL_DIR", "") or data_home / "uv" / "python")
    for directory in environ.get("PATH", "").split(os.pathsep):
        # A shim starts whatever is configured, or fails; the real ones come below.
        if directory and Path(directory) != pyenv / "shims":
            yield from _pythons_in(Path(directory))
    for versions in (pyenv / "versions", managed):
        for version in _newest_first(versions):
            yield from _pythons_in(version / "bin")


def _newest_first(directory: Path) -> list[Path]:
    def number(path: Path) -> tuple[list[int], str]:
        return [int(part) for part in re.findall(r"\d+", path.name)], path.name

    return sorted(directory.iterdir(), key=number, reverse=True) if directory.is_dir() else []


def _pythons_in(directory: Path) -> list[Path]:
    try:
        names = os.listdir(directory)  # noqa: PTH208  # a fraction of iterdir's time in /usr/bin
    except OSError:  # not there, or not ours to read: then it offers no Python
        return []
    return [directory / name for name in sorted(names) if EXECUTABLE.fullmatch(name)]


def _probe_all(paths: Iterable[Path]) -> list[Interpreter]:
    with ThreadPoolExecutor(max_workers=PROBES_AT_ONCE_MAX) as pool:
        return [found for found in pool.map(_probe, paths) if found is not None]


def _probe(path: Path) -> Interpreter | None:
    try:
        answer = subprocess.run(
            [str(path), "-I", "-S", "-c", QUESTION],
            capture_output=True,
            text=True,
            timeout=PROBE_TIME_S_MAX,
            check=True,
        )
        implementation, version, executable = answer.stdout.strip().split(" ", 2)
    except (OSError, ValueError, subprocess.SubprocessError):  # it does not work: it is not there
        return None
    return Interpreter(version=version, path=executable) if implementation == "cpython" else None
