"""`gw up` and `gw down` as people meet them: ready, refused with one line, killed, started again, gone."""

import json
import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks.http import Api
from benchmarks.instance import GW, start, stop
from benchmarks.startup import processes_of

from tests.surface.server.jobs import submit, wait_phase, wait_running
from tests.waiting import until

pytestmark = pytest.mark.slow

Connect = Callable[..., Api]


def gw(*args: str, data: Path | None = None) -> "subprocess.CompletedProcess[str]":
    environ = {**os.environ, **({"GIGAWATT_DATA": str(data)} if data else {})}
    return subprocess.run([*GW, *args], env=environ, capture_output=True, text=True, check=False)


def up(data: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    return gw("up", "--detach", "--data", str(data), "--port", "0", "--gateway-port", "0", *more)


def test_up_is_ready_when_it_returns_and_down_leaves_nothing(
    own_data: Path, connect: Connect
) -> None:
    instance = start(own_data, nodes=2)
    status, _ = connect(instance).call("GET", "/readyz")
    assert status == 200
    told = json.loads((own_data / "instance.json").read_text())
    assert set(told) == {"pid", "api_url", "gateway_url", "token_path", "ca_path"}
    assert Path(told["token_path"]).stat().st_mode & 0o777 == 0o600
    job = submit(connect(instance), ["sleep", "600"])
    wait_running(connect(instance), job)
    pids = processes_of(instance)
    assert len(pids) >= 4
    stop(own_data)
    assert not (own_data / "instance.json").exists()
    assert [pid for pid in pids if alive(pid)] == []


def alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    try:
        return "\nState:\tZ" not in status.read_text()
    except OSError:
        return False


def test_a_second_instance_on_the_same_directory_is_refused_in_one_line(own_data: Path) -> None:
    instance = start(own_data)
    done = up(own_data)
    assert done.returncode == 2
    assert f"another gigawatt (pid {instance.pid}) already runs on {own_data}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_refused_before_any_work(own_data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = gw("up", "--detach", "--data", str(own_data), "--port", str(port))
    assert done.returncode == 2
    assert f"port {port} on 127.0.0.1 is taken" in done.stderr
    assert not (own_data / "gigawatt.db").exists()


def test_a_directory_that_cannot_be_used_is_refused_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    done = up(file / "data")
    assert done.returncode == 2
    assert "cannot be used" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_disk_without_room_is_refused_before_any_work(own_data: Path) -> None:
    environ = {**os.environ, "GIGAWATT_DISK_FREE_MIN": str(1 << 60)}
    command = [*GW, "up", "--detach", "--data", str(own_data), "--port", "0"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 1  # the request was right; the machine has no room
    assert "MiB free" in done.stderr


def test_down_of_what_was_never_started_says_so(tmp_path: Path) -> None:
    done = gw("down", "--data", str(tmp_path / "nothing"))
    assert done.returncode == 2
    assert "no gigawatt was ever started" in done.stderr


def test_a_killed_control_plane_comes_back_and_adopts_what_runs(
    own_data: Path, connect: Connect
) -> None:
    instance = start(own_data, nodes=2)
    job = submit(connect(instance), ["sleep", "600"], gang={"nodes": 2, "cpus": 0.1})
    before = [rank["pid"] for rank in wait_running(connect(instance), job)["ranks"]]
    instance.kill()
    assert all(alive(pid) for pid in before)
    again = start(own_data, nodes=2)
    assert again.pid != instance.pid
    attempt = wait_running(connect(again), job)
    assert [rank["pid"] for rank in attempt["ranks"]] == before


def test_what_ended_while_the_control_plane_was_away_is_told(
    own_data: Path, connect: Connect, tmp_path: Path
) -> None:
    instance = start(own_data)
    flag = tmp_path / "flag"
    script = f"while [ ! -e {flag} ]; do sleep 0.02; done"
    job = submit(connect(instance), ["sh", "-c", script])
    pid = wait_running(connect(instance), job)["ranks"][0]["pid"]
    instance.kill()
    flag.touch()
    until(lambda: not alive(pid), what="the rank's end")
    again = start(own_data)
    assert wait_phase(connect(again), job, "succeeded")["attempts"][0]["verdict"] == "success"


def test_down_can_leave_gangs_running_for_the_next_start(own_data: Path, connect: Connect) -> None:
    instance = start(own_data)
    job = submit(connect(instance), ["sleep", "600"])
    (rank,) = wait_running(connect(instance), job)["ranks"]
    done = gw("down", "--data", str(own_data), "--keep-running")
    assert done.returncode == 0, done.stderr
    assert alive(rank["pid"])
    again = start(own_data)
    (adopted,) = wait_running(connect(again), job)["ranks"]
    assert adopted["pid"] == rank["pid"]


def test_jobs_that_down_stopped_go_on_at_the_next_start_at_nobodys_cost(
    own_data: Path, connect: Connect
) -> None:
    instance = start(own_data)
    job = submit(connect(instance), ["sleep", "600"])
    wait_running(connect(instance), job)
    stop(own_data)
    again = start(own_data)
    wait_running(connect(again), job, attempt=2)
    first, _second = connect(again).call("GET", f"/v1/jobs/{job['id']}")[1]["attempts"]
    assert (first["verdict"], first["charged_to"]) == ("preemption", "")


def test_down_after_a_crash_clears_what_was_left(own_data: Path, connect: Connect) -> None:
    instance = start(own_data, nodes=2)
    job = submit(connect(instance), ["sleep", "600"])
    wait_running(connect(instance), job)
    pids = processes_of(instance)
    instance.kill()
    stop(own_data)
    until(lambda: not any(alive(pid) for pid in pids), what="every process gone")
