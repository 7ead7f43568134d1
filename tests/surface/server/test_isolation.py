"""Classes of isolation as those who submit meet them: what a job reads, what is refused, and when others may come."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks.http import Api
from benchmarks.instance import GW, Instance, found

from gigawatt.engine.local.walls import probe_walls
from gigawatt.model.gang import Isolation
from tests.surface.server.jobs import python, submit, wait_phase

pytestmark = pytest.mark.slow

Connect = Callable[..., Api]
RULES = probe_walls()
READ = "import sys; print(open(sys.argv[1]).read())"
FREE = ("--port", "0", "--gateway-port", "0")


def up(data: Path, isolation: str, **more: str) -> "subprocess.CompletedProcess[str]":
    command = [*GW, "up", "--detach", "--data", str(data), *FREE, "--isolation", isolation]
    environ = {**os.environ, "GIGAWATT_WORKSPACE_PORT": "0", **more}
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


def able(kind: Isolation) -> None:
    if kind not in RULES.classes:
        pytest.skip(f"no isolation {kind} on this machine: {RULES.lacks or 'it takes root'}")


def reads_token(api: Api, instance: Instance, **fields: str) -> str:
    """How a job ends that prints the operator's token."""
    job = submit(api, [*python(READ), str(instance.data / "token")], **fields)
    return wait_phase(api, job, "succeeded", "failed", timeout_s=60.0)["phase"]


def test_the_operators_token_is_unreadable_in_each_class_above_none(
    own_data: Path, connect: Connect
) -> None:
    able(Isolation.PROCESS)
    assert "for jobs that ask" in up(own_data, "auto").stderr
    instance = found(own_data)
    api = connect(instance)
    asked = {
        kind.value: reads_token(api, instance, isolation=kind.value)
        for kind in Isolation
        if kind is Isolation.NONE or kind in RULES.classes
    }
    assert asked == {kind: "succeeded" if kind == "none" else "failed" for kind in asked}


def test_a_second_tenant_is_refused_until_every_gang_is_isolated(
    own_data: Path, connect: Connect
) -> None:
    able(Isolation.PROCESS)
    up(own_data, "auto")
    status, problem = connect(found(own_data)).call("POST", "/v1/tenants", {"id": "acme"})
    assert status == 422
    assert "once gigawatt is started with isolation process" in problem["detail"]
    subprocess.run([*GW, "down", "--data", str(own_data)], check=True, capture_output=True)
    assert "process for all" in up(own_data, "process").stderr
    instance = found(own_data)
    api = connect(instance)
    assert api.call("POST", "/v1/tenants", {"id": "acme"})[0] == 201
    assert reads_token(api, instance) == "failed"


def test_without_walls_a_job_that_asks_for_them_is_refused_and_up_says_so(
    own_data: Path, connect: Connect
) -> None:
    assert "none: ranks can read what this user can" in up(own_data, "none").stderr
    api = connect(found(own_data))
    body = {"name": "j", "command": ["true"], "gang": {"cpus": 0.1}, "isolation": "process"}
    status, problem = api.call("POST", "/v1/jobs", body)
    assert (status, problem["field"]) == (422, "isolation")
    assert api.call("POST", "/v1/tenants", {"id": "acme"})[0] == 422


def test_where_the_machine_cannot_what_is_asked_for_by_name_is_refused_at_the_start(
    own_data: Path, tmp_path: Path
) -> None:
    done = up(own_data, "process", PATH=str(tmp_path))
    assert (done.returncode != 0, "bubblewrap is not installed" in done.stderr) == (True, True)
    done = up(own_data, "auto", PATH=str(tmp_path))
    assert "none (bubblewrap is not installed (bwrap))" in done.stderr
