"""The sharded example on an instance: a rank is killed, the run resumes, and one rank goes on from two's shards."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gigawatt.sdk.client import Client
from gigawatt.sdk.jobs import Job
from tests.waiting import until

GW = Path(sys.executable).with_name("gw")
BUILD_LIMIT_S = 900  # a first run downloads PyTorch
RUN_LIMIT_S = 240
STEPS = 12

pytestmark = [pytest.mark.slow, pytest.mark.demo]


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """Of an instance with three nodes."""
    data = tmp_path / "data"
    up = [GW, "up", "--data", data, "--nodes", "3", "--port", "0", "--gateway-port", "0"]
    subprocess.run([*up, "--detach"], check=True, capture_output=True)
    try:
        with Client(data=data) as client:
            yield client
    finally:
        subprocess.run([GW, "down", "--data", data], check=True, capture_output=True)


@pytest.fixture
def submit(client: Client, example: Path) -> Callable[..., Job]:
    """The example's job with changes."""

    def submitted(steps: int, pause_s: float, **fields: Any) -> Job:
        command = f"python train.py --steps {steps} --every 4 --pause {pause_s}"
        gang = {"cpus": 0.5, "nodes": fields.pop("nodes", 2)}
        path = example.parent / "sharded" / "job.yaml"
        return client.jobs.submit(path, command=command, gang=gang, **fields)

    return submitted


def test_a_killed_run_resumes_and_one_rank_goes_on_from_the_shards_of_two(
    submit: Callable[..., Job],
) -> None:
    job = submit(STEPS, 0.4)
    killed = until(
        lambda: _pid_after(job, step=4), timeout_s=BUILD_LIMIT_S, what="a checkpoint of step 4"
    )
    os.kill(killed, signal.SIGKILL)
    job.wait(timeout_s=RUN_LIMIT_S)
    first, second = job.view["attempts"]
    assert (first["verdict"], second["verdict"]) == ("infrastructure", "success")
    resumed, loss = _said(job)
    assert resumed[0] == 2
    assert resumed[1] in {4, 8}
    saved = {each["step"]: each for each in job.checkpoints()}
    assert {8, 12} <= set(saved)
    assert saved[12]["files"] == 3  # a shard of each rank, and what is in which
    assert all(each["valid"] for each in job.verify_checkpoints())

    again = submit(STEPS, 0, nodes=1, name="on-one", **{"from": f"{job.id}@8"})
    again.wait(timeout_s=RUN_LIMIT_S)
    where, same = _said(again)
    assert where == (1, 8)
    assert same == pytest.approx(loss, rel=1e-3)  # the same sums, in another order


def _pid_after(job: Job, *, step: int) -> int | None:
    """A rank of the first attempt, once that step is saved."""
    view = job.refresh().view
    assert view["phase"] not in {"failed", "succeeded"}, view["message"]
    if not view["checkpoint"] or view["checkpoint"]["step"] < step:
        return None
    return view["attempts"][0]["ranks"][1]["pid"]


def _said(job: Job) -> tuple[tuple[int, int], float]:
    """How many ranks went on from which step, and the loss at the end."""
    text = b"".join(job.logs()).decode()
    began = re.search(r"(\d+) ranks, from step (\d+)", text)
    ended = re.search(rf"done at step {STEPS}: loss ([0-9.]+)", text)
    assert began, text
    assert ended, text
    return (int(began[1]), int(began[2])), float(ended[1])
