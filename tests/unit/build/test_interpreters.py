"""Which Pythons a machine has."""

import stat
import sys
from pathlib import Path

import pytest

from gigawatt.build.interpreters import Interpreter, Machine, inspect_machine, own_version
from gigawatt.model.environment import EnvironmentKind


def fake_python(path: Path, answer: str) -> None:
    """A program that says it is a Python."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{answer}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def machine_of(*versions: str) -> Machine:
    pythons = tuple(Interpreter(version=version, path=f"/p{version}") for version in versions)
    return Machine(kinds=frozenset(EnvironmentKind), pythons=pythons)


def test_the_python_of_this_process_comes_first(tmp_path: Path) -> None:
    machine = inspect_machine({"HOME": str(tmp_path), "PATH": ""})
    own = Interpreter(version=own_version(patch=True), path=sys.executable)
    assert machine == Machine(kinds=frozenset(EnvironmentKind), pythons=(own,))


@pytest.mark.slow
def test_pythons_of_path_and_of_pyenv_are_found(tmp_path: Path) -> None:
    fake_python(tmp_path / "bin" / "python3.12", "echo cpython 3.12.1 $0")
    pyenv = tmp_path / ".pyenv"
    fake_python(pyenv / "versions" / "3.9.18" / "bin" / "python3.9", "echo cpython 3.9.18 $0")
    fake_python(pyenv / "versions" / "3.10.2" / "bin" / "python3", "echo cpython 3.10.2 $0")
    fake_python(pyenv / "shims" / "python3.13", "echo cpython 3.13.0 $0")
    path = f"{tmp_path / 'bin'}:{pyenv / 'shims'}:{tmp_path / 'missing'}:"
    found = inspect_machine({"HOME": str(tmp_path), "PATH": path}).pythons[1:]
    assert [each.version for each in found] == ["3.12.1", "3.10.2", "3.9.18"]
    assert found[0].path == str(tmp_path / "bin" / "python3.12")


@pytest.mark.slow
def test_what_does_not_work_is_too_old_or_no_cpython_is_not_there(tmp_path: Path) -> None:
    fake_python(tmp_path / "python3.8", "echo cpython 3.8.16 $0")
    fake_python(tmp_path / "python3.10", "echo pypy 3.10.14 $0")
    fake_python(tmp_path / "python3.11", "exit 127")
    fake_python(tmp_path / "python3.12", "echo hello")
    fake_python(tmp_path / "python3-config", "echo cpython 3.13.0 $0")
    machine = inspect_machine({"HOME": str(tmp_path / "home"), "PATH": str(tmp_path)})
    assert len(machine.pythons) == 1


@pytest.mark.slow
def test_a_python_reached_by_two_names_is_one(tmp_path: Path) -> None:
    fake_python(tmp_path / "python3.12", "echo cpython 3.12.1 $0")
    (tmp_path / "python3").symlink_to("python3.12")
    machine = inspect_machine({"HOME": str(tmp_path / "home"), "PATH": str(tmp_path)})
    assert len(machine.pythons) == 2


def test_the_first_python_of_a_version_is_taken() -> None:
    machine = machine_of("3.11.7", "3.11.2", "3.12.1")
    found = [machine.interpreter(python) for python in ("3.11", "3.11.2", "3.12", "3.1", "3.13")]
    assert found == [machine.pythons[0], machine.pythons[1], machine.pythons[2], None, None]


def test_versions_are_each_named_once_in_order() -> None:
    assert machine_of("3.12.1", "3.9.18", "3.10.1", "3.12.0").versions == ("3.9", "3.10", "3.12")
