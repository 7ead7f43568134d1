"""A node that is lost under a gang of two, until the gang runs whole on other nodes: on this machine, and on Slurm.

The Slurm part needs root and Debian's slurm-wlm and munge; without them there is the local part alone. On Ray it is measured by `ray_engine`.
"""

import os
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.figures import Figure, median
from benchmarks.http import Api
from benchmarks.instance import running, start, stop
from tests.slurm_cluster import SLURMD_TIMEOUT_S, SlurmCluster, running_slurm

LOSSES = 5
LOSSES_OF_SLURM = 3
LOCAL_S = 2.0
SLURM_S = 2 * SLURMD_TIMEOUT_S + 5.0
WAIT_S = 180.0

Lose = Callable[[str, int], None]  # a node, and the pid of a rank there


def run() -> list[Figure]:
    with running(nodes=4) as instance:
        api = Api(instance)
        local = [_lost(api, _kill_supervisor, lambda _node: None) for _ in range(LOSSES)]
        api.close()
    figures = [_figure("local: supervisor killed", local, LOCAL_S, "nodes of one machine")]
    try:
        return figures + _of_slurm()
    except pytest.skip.Exception as skipped:
        print(f"without Slurm: {skipped}")
        return figures


def _of_slurm() -> list[Figure]:
    note = f"4 slurmd of one machine, SlurmdTimeout {SLURMD_TIMEOUT_S} s"
    with running_slurm() as cluster, tempfile.TemporaryDirectory(prefix="gigawatt-") as folder:
        os.environ.update({**cluster.environ, "GIGAWATT_ENGINE": "slurm"})
        data = Path(folder) / "data"
        api = Api(start(data))
        try:
            gone = [
                _lost(api, _powered_off(cluster), cluster.start) for _ in range(LOSSES_OF_SLURM)
            ]
            alone = [_lost(api, _slurmd_alone(cluster), cluster.start)]
        finally:
            api.close()
            stop(data)
    return [
        _figure("Slurm: node with all that runs there killed", gone, SLURM_S, note),
        _figure("Slurm: slurmd alone killed, its ranks run on", alone, SLURM_S, note),
    ]


def _figure(what: str, times: list[float], goal: float, note: str) -> Figure:
    return Figure(
        what=f"{what}, to its gang running on other nodes, p50",
        value=median(times),
        unit="s",
        goal=goal,
        note=f"{len(times)} gangs of 2 nodes, slowest {max(times):.2f} s; {note}; wall clock",
    )


def _lost(api: Api, lose: Lose, restore: Callable[[str], None]) -> float:
    """From the loss of the second rank's node to the next attempt, whole, without that node."""
    job = _submitted(api)
    rank = _until(lambda: _whole(api, job, 1), "two ranks")[1]
    began = time.monotonic()
    lose(rank["node"], rank["pid"])
    ranks = _until(lambda: _whole(api, job, 2), "two ranks of the next attempt")
    took_s = time.monotonic() - began
    assert rank["node"] not in {each["node"] for each in ranks}, ranks
    restore(rank["node"])
    api.call("POST", f"/v1/jobs/{job}/cancel")
    _until(lambda: _view(api, job)["phase"] == "cancelled", "its end")
    _until(lambda: _all_ready(api), "every node to be back")
    return took_s


def _kill_supervisor(_node: str, pid: int) -> None:
    os.kill(_parent(pid), signal.SIGKILL)


def _powered_off(cluster: SlurmCluster) -> Lose:
    """Every process of the node ends at once: its slurmd, and of the job each up to Slurm's own."""

    def lose(node: str, pid: int) -> None:
        chain = [pid]
        while chain[-1] > 1 and _name(chain[-1]) not in {"slurmstepd", "slurmd"}:
            chain.append(_parent(chain[-1]))
        cluster.kill(node)
        for each in reversed(chain):
            if each > 1:
                os.kill(each, signal.SIGKILL)

    return lose


def _slurmd_alone(cluster: SlurmCluster) -> Lose:
    def lose(node: str, _pid: int) -> None:
        cluster.kill(node)

    return lose


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _name(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def _submitted(api: Api) -> str:
    body: dict[str, Any] = {"name": "lost", "command": ["sleep", "600"]}
    body |= {"gang": {"nodes": 2, "cpus": 0.1}, "retries": {"infrastructure": 5}}
    status, job = api.call("POST", "/v1/jobs", body)
    assert status == 201, job
    return job["id"]


def _whole(api: Api, job: str, number: int) -> list[dict[str, Any]]:
    """The ranks of an attempt, once all of them run."""
    attempts = _view(api, job)["attempts"]
    there = len(attempts) >= number and attempts[number - 1]["phase"] == "running"
    return attempts[number - 1]["ranks"] if there else []


def _view(api: Api, job: str) -> dict[str, Any]:
    return api.call("GET", f"/v1/jobs/{job}")[1]


def _all_ready(api: Api) -> bool:
    nodes = api.call("GET", "/v1/nodes")[1]["items"]
    return all(node["state"] == "ready" for node in nodes)


def _until(look: Callable[[], Any], what: str) -> Any:
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        if found := look():
            return found
        time.sleep(0.01)
    raise TimeoutError(f"{what}: not in {WAIT_S:g} s")
