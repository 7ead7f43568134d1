"""A place to build in: small local packages, an own cache, and nothing of the machine's own configuration."""

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from gigawatt.build.environments import Built, EnvironmentBuilder
from gigawatt.build.interpreters import Machine, this_machine
from gigawatt.model.environment import EnvironmentKind, EnvironmentSpec
from tests.contract.build.packages import make_wheel
from tests.waiting import until

WAIT_S_MAX = 60


@dataclass(slots=True, kw_only=True)
class Site:
    """Where builds of a test happen, and with what configuration."""

    place: Path
    environ: dict[str, str]
    stages: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    @property
    def root(self) -> Path:
        return self.place / "environments"

    @property
    def wheels(self) -> Path:
        return self.place / "wheels"

    @property
    def cache(self) -> Path:
        return self.place / "cache"

    def builder(self, **variables: str) -> EnvironmentBuilder:
        return EnvironmentBuilder(
            self.root, cache=self.cache, environ=self.environ | variables, machine=this_machine()
        )

    def hear(self, stage: str, said: str) -> None:
        self.stages.append((stage, said))

    def left(self) -> list[str]:
        """What stands in the root besides locks."""
        return sorted(path.name for path in self.root.iterdir() if path.suffix != ".lock")


@pytest.fixture(scope="session")
def machine() -> Machine:
    return this_machine()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    for name, version in (("beta", "0.5"), ("beta", "1.0"), ("gamma", "1.0")):
        make_wheel(tmp_path / "wheels", name, version)
    make_wheel(tmp_path / "wheels", "alpha", "1.0", requires=("beta>=1",))
    environ = {
        "HOME": str(tmp_path / "home"),
        "PATH": os.environ["PATH"],
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(tmp_path / "wheels"),
    }
    return Site(place=tmp_path, environ=environ)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 KiB."""
    place = tmp_path / "tiny"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(place)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip("a small file system can only be mounted by root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def wanting(*requirements: str) -> EnvironmentSpec:
    return EnvironmentSpec(kind=EnvironmentKind.UV, requirements=requirements)


def locked(lock: str) -> EnvironmentSpec:
    return replace(wanting(), lock=lock)


def output_of(built: Built, code: str) -> str:
    """What a line of Python prints in the environment."""
    command = [str(built.path / "bin" / "python"), "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def wait_until(happened: Callable[[], bool]) -> None:
    until(happened, timeout_s=WAIT_S_MAX)
