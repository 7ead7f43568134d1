"""The rank module where ranks find it: beside any Python from 3.9 on, without anything else of gigawatt."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from gigawatt.engine.supervisor.rank_module import PACKAGE, PUT_BESIDE_RANKS

pytestmark = pytest.mark.slow

VERSIONS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")

SCRIPT = """
import gigawatt as gw
gw.report(step=1, loss=2.5, tokens=3)
gw.checkpoint(step=1, path="/")
assert gw.checkpoint_requested() is False
print(gw.resume_step(), gw.checkpoint_dir(), gw.__version__)
try:
    gw.Client
except ImportError as error:
    print(error)
"""


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    for name in PUT_BESIDE_RANKS:
        path = tmp_path / "python" / "gigawatt" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PACKAGE / name, path)
    return tmp_path / "python"


def _python(version: str) -> str:
    found = shutil.which(f"python{version}")
    if (
        found is None
        or subprocess.run([found, "-c", ""], check=False, capture_output=True).returncode
    ):
        pytest.skip(f"no python{version} here")
    return found


def _run(python: str, beside: Path, script: str, **variables: str) -> str:
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(beside), **variables}
    done = subprocess.run(
        [python, "-W", "error", "-c", script],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("version", VERSIONS)
def test_it_runs_under_every_python_from_3_9_on(version: str, beside: Path, tmp_path: Path) -> None:
    report = tmp_path / "report"
    report.mkdir()
    printed = _run(
        _python(version),
        beside,
        SCRIPT,
        GIGAWATT_REPORT_DIR=str(report),
        GIGAWATT_RANK="2",
        GIGAWATT_RESUME_STEP="7",
        GIGAWATT_CHECKPOINT_DIR="/c",
    ).splitlines()
    assert printed[0].startswith("7 /c 0.")
    assert "add gigawatt to the environment's requirements" in printed[1] or len(printed) == 1
    names = {path.name.split("-")[0] for path in report.iterdir()}
    assert names == {"rank", "stacks"}
    assert '"loss":2.5' in (report / "rank-2.progress").read_text()
    assert '"path":"/"' in (report / "rank-2.checkpoints").read_text()


@pytest.mark.parametrize("version", VERSIONS)
def test_it_loads_little(version: str, beside: Path) -> None:
    script = (
        "import sys; before = set(sys.modules); import gigawatt as gw; gw.report(step=1);"
        "print(*sorted(set(sys.modules) - before))"
    )
    loaded = set(_run(_python(version), beside, script).split())
    assert loaded <= {
        "__future__",
        "_thread",
        "atexit",
        "gigawatt",
        "gigawatt.rank",
        "gigawatt.version",
    }


MODULE = """
import gigawatt as gw

@gw.job(gpus=1)
def twice(x, y=0):
    return 2 * x + y

@gw.job
class Work:
    def run(self):
        return (twice(2), twice.options(gpus=3)(1))
"""
CALLED = """
import base64, os, pathlib, pickle
from gigawatt.rank.call import main
def call(name, *args):
    told = {"format": "gigawatt-call-1", "path": ["."], "key": b"k", "arguments": pickle.dumps((args, {}))}
    told["function"] = {"how": "module", "module": "of_user", "name": name}
    os.environ["GW_CALL"] = "inline:" + base64.b64encode(pickle.dumps(told)).decode()
    assert main() == 0
    return pathlib.Path(".results/rank-0").read_bytes().split(b"\\n", 1)[1]
print(call("twice", 5).decode(), pickle.loads(call("Work")))
import of_user
try:
    of_user.twice.submit
except ImportError as error:
    print("needs gigawatt's client" in str(error))
else:
    print(True)
"""


@pytest.mark.parametrize("version", VERSIONS)
def test_functions_run_under_every_python_without_gigawatt_in_it(
    version: str, beside: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "of_user.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    printed = _run(
        _python(version),
        beside,
        CALLED,
        GIGAWATT_CHECKPOINT_DIR=str(tmp_path),
        GIGAWATT_REPORT_DIR=str(tmp_path),
    )
    assert printed == "10 (4, 2)\nTrue\n"
