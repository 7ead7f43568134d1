"""What make and CI run: the guard against leftover processes, and the choice of a Python."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.files import ROOT

LEAVES_ONE = "(setsid env -i sleep 60 &) ; exit 0"


@pytest.mark.slow
def test_a_command_that_leaves_nothing_keeps_its_exit_status() -> None:
    assert reaped("1", "true").returncode == 0
    assert reaped("1", "sh", "-c", "exit 3").returncode == 3
    assert reaped("1", "sh", "-c", "kill -9 $$").returncode == 137


@pytest.mark.slow
def test_a_process_left_behind_in_a_session_of_its_own_is_named_and_killed() -> None:
    done = reaped("1", "sh", "-c", LEAVES_ONE)
    assert done.returncode == 1
    assert done.stderr.startswith("reaped: left behind: ")
    assert done.stderr.endswith(" sleep 60\n")
    assert not Path(f"/proc/{done.stderr.split()[3]}").exists()


@pytest.mark.slow
def test_a_command_over_its_time_is_stopped_with_all_that_it_started() -> None:
    done = reaped("0.005", "sh", "-c", "sleep 60 & sleep 60")
    assert done.returncode == 124
    assert done.stderr == "reaped: stopped at the limit of 0.005 minutes\n"


def test_a_python_that_is_too_old_is_told_in_one_line(tmp_path: Path) -> None:
    done = made_by(tmp_path, "exit 1")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "Python 3.11 or newer" in done.stderr


def test_a_python_without_venv_is_told_what_to_install(tmp_path: Path) -> None:
    done = made_by(tmp_path, 'case "$2" in *ensurepip*) exit 1;; *print*) echo 3.12;; esac')
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith("sudo apt-get install python3.12-venv\n")


def reaped(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, ROOT / "tools" / "reaped.py", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def made_by(directory: Path, script: str) -> "subprocess.CompletedProcess[str]":
    """tools/venv.sh with a Python that is a shell script."""
    python = directory / "python-of-ours"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    return subprocess.run(
        ["sh", ROOT / "tools" / "venv.sh", directory / "venv"],
        env={"PATH": "/usr/bin:/bin", "PYTHON": str(python)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_secret_in_a_file_is_found_and_not_repeated(tmp_path: Path) -> None:
    token = "hf_" + "abcdefghijklmnopqrstuvwxyzABCDEFGH"
    file = tmp_path / "notes.md"
    file.write_text(f"fine\n\ntoken: {token}\nalso {token}  # not a secret\n")
    scan = [sys.executable, str(ROOT / "tools" / "secret_scan.py"), str(file)]
    done = subprocess.run(scan, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stdout.splitlines()[1:]) == (
        1,
        [f"{file}:3: Hugging Face token"],
    )
    assert token not in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("package", "said"),
    [
        ({"skip_reason": "not found"}, "whether any of them has a known fault was not found out"),
        (
            {"version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}]},
            "six 1.0: PYSEC-1, fixed in 1.1",
        ),
    ],
)
def test_an_audit_that_nobody_answered_is_not_told_as_well(
    tmp_path: Path, package: dict[str, object], said: str
) -> None:
    answer = json.dumps({"dependencies": [{"name": "six", **package}]})
    fake = tmp_path / "pip-audit"
    fake.write_text(f"#!/bin/sh\ncat <<'END'\n{answer}\nEND\n")
    fake.chmod(0o755)
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "audit.py")],
        env={**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said in done.stdout.splitlines()
    assert done.returncode != 0
