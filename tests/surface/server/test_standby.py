"""`gw up --standby`: a second control plane takes over from the first, and nothing that was said is lost."""

import os
import signal
import subprocess
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from benchmarks.http import Api
from benchmarks.instance import GW, Instance, found, stand_by, start, stop

from tests.postgres import running_postgres
from tests.surface.server.jobs import python, read, submit, wait_phase, wait_running
from tests.waiting import until

pytestmark = pytest.mark.slow

Connect = Callable[..., Api]


@contextmanager
def standing_by(
    data: Path, *, nodes: int = 1, store: str = ""
) -> Generator["subprocess.Popen[str]"]:
    process = stand_by(data, nodes=nodes, store=store)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)
        assert process.stderr is not None
        process.stderr.close()


def taken_over(data: Path, process: "subprocess.Popen[str]") -> Instance:
    def look() -> Instance | None:
        told = data / "instance.json"
        return found(data) if told.exists() and str(process.pid) in told.read_text() else None

    return until(look, what="the standby leading")


def test_a_standby_takes_over_from_one_that_was_killed(own_data: Path, connect: Connect) -> None:
    first = start(own_data, nodes=2)
    api = connect(first)
    runs = submit(api, ["sleep", "300"])
    before = wait_running(api, runs)
    with standing_by(own_data, nodes=2) as process:
        waits = submit(api, ["true"])  # acknowledged, whatever becomes of who said so
        first.kill()
        second = connect(taken_over(own_data, process))
        assert wait_phase(second, waits, "succeeded")
        assert read(second, runs)["attempts"] == [before]
        second.call("POST", f"/v1/jobs/{runs['id']}/cancel")
        wait_phase(second, runs, "cancelled")


def test_a_standby_that_is_told_to_end_leaves_the_leader_alone(
    own_data: Path, connect: Connect
) -> None:
    first = start(own_data)
    with standing_by(own_data) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) in {0, -signal.SIGTERM}
    assert wait_phase(connect(first), submit(connect(first), python("print(1)")), "succeeded")
    assert found(own_data).pid == first.pid


@pytest.mark.postgres
def test_on_one_database_the_other_machine_leads_when_the_lease_is_over(
    tmp_path: Path, connect: Connect
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    with running_postgres() as server:
        store = server.url(server.create_database())
        first = start(one, store=store)
        try:
            with standing_by(two, store=store) as process:
                acknowledged = submit(connect(first), ["sleep", "0.01"])
                os.kill(first.pid, signal.SIGSTOP)  # it is not gone, and will find out
                second = connect(taken_over(two, process))
                assert read(second, acknowledged)["id"] == acknowledged["id"]
                os.kill(first.pid, signal.SIGCONT)
                until(lambda: not (one / "instance.json").exists(), what="the deposed one's end")
                assert wait_phase(second, submit(second, ["true"]), "succeeded")
        finally:
            stop(one)


def test_a_standby_is_not_detached(own_data: Path) -> None:
    command = [*GW, "up", "--standby", "--detach", "--data", str(own_data)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "foreground" in done.stderr
