"""Gangs on a Ray cluster of three nodes, each in a network namespace of this machine: how soon they run, and run again.

Needs root and the extra `ray`. Times are wall-clock.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, median
from benchmarks.http import Api
from benchmarks.instance import GW, Instance, found
from tests.ray_cluster import RayCluster, running_ray

SUBMISSIONS = 15
RAY_JOBS = 3
LOSSES = 3
GIVEN_UP_S = 90.0


def run() -> list[Figure]:
    with running_ray("n1", "n2", "n3", dashboard=True) as ray:
        instance = _start(ray)
        try:
            _wait(lambda: _ready(instance) == 3, "three nodes")
            ours = [_submitted(instance, ray) for _ in range(SUBMISSIONS)]
            theirs = [_submitted_to_ray(ray) for _ in range(RAY_JOBS)]
            lost = [_lost(instance, ray) for _ in range(LOSSES)]
        finally:
            subprocess.run([*GW, "down"], env=instance.environ(), capture_output=True, check=False)
    where = "3 nodes in namespaces of one machine, wall-clock"
    return [
        Figure(
            what="Ray: submit to the rank's first line, p50",
            value=median(ours),
            unit="s",
            goal=0.5,
            note=f"{len(ours)} jobs through the API, slowest {max(ours):.2f} s; {where}",
        ),
        Figure(
            what="ray job submit to its first line, p50",
            value=median(theirs),
            unit="s",
            note=f"{len(theirs)} jobs, slowest {max(theirs):.2f} s; same run",
        ),
        Figure(
            what="Ray: network of a node cut to its gang running on other nodes, p50",
            value=median(lost),
            unit="s",
            goal=5.0,
            note=f"{len(lost)} gangs of 2 nodes, slowest {max(lost):.2f} s; {where}",
        ),
    ]


def _start(ray: RayCluster) -> Instance:
    """An instance on the cluster, with the API where its nodes reach it."""
    environ = {
        **os.environ,
        "GIGAWATT_RAY_ADDRESS": ray.cluster.address,
        "GIGAWATT_RAY_TOKEN": str(ray.cluster.token_file),
    }
    command = [*GW, "up", "--detach", "--engine", "ray", "--data", str(ray.data)]
    command += ["--host", ray.address, "--insecure-no-tls", "--port", "0", "--gateway-port", "0"]
    subprocess.run(command, env=environ, check=True, capture_output=True, text=True)
    return found(ray.data)


def _ready(instance: Instance) -> int:
    nodes = json.loads(instance.gw("nodes", "-o", "json"))["items"]
    return sum(1 for node in nodes if node["state"] == "ready")


def _submitted(instance: Instance, ray: RayCluster) -> float:
    flag = ray.data / f"ran-{time.monotonic_ns()}"
    api = Api(instance)
    begun_s = time.monotonic()
    _submit(api, "sh", "-c", f"touch {flag}", nodes=1)
    _wait(flag.exists, "the rank to run")
    took_s = time.monotonic() - begun_s
    api.close()
    return took_s


def _submitted_to_ray(ray: RayCluster) -> float:
    """By a client that has been imported and is connected: the job alone is timed."""
    program = (
        "import sys, time, pathlib\n"
        "from ray.job_submission import JobSubmissionClient\n"
        "client = JobSubmissionClient(sys.argv[1])\n"
        "client.list_jobs()\n"
        "flag = pathlib.Path(sys.argv[2])\n"
        "begun = time.monotonic()\n"
        "client.submit_job(entrypoint=f'touch {flag}')\n"
        "while not flag.exists(): time.sleep(0.005)\n"
        "print(time.monotonic() - begun)\n"
    )
    flag = ray.base / f"ray-{time.monotonic_ns()}"
    command = [sys.executable, "-c", program, ray.dashboard_url, str(flag)]
    done = subprocess.run(
        command, env=ray.environ(), capture_output=True, text=True, check=True, timeout=GIVEN_UP_S
    )
    return float(done.stdout.split()[-1])


def _lost(instance: Instance, ray: RayCluster) -> float:
    """From the cut of a node's network to its gang's next attempt, whole, without that node."""
    api = Api(instance)
    trace = ray.data / f"trace-{time.monotonic_ns()}"
    script = f"echo $GIGAWATT_ATTEMPT $GIGAWATT_NODE >> {trace}; sleep 600"
    job = _submit(api, "sh", "-c", script, nodes=2)
    _wait(lambda: len(_started(trace, 1)) == 2, "two ranks")
    node = _started(trace, 1)[-1]
    begun_s = time.monotonic()
    ray.cut(node)
    _wait(lambda: len(_started(trace, 2)) == 2, "two ranks of the next attempt")
    took_s = time.monotonic() - begun_s
    assert node not in _started(trace, 2)
    ray.cut(node, restore=True)
    api.call("POST", f"/v1/jobs/{job}/cancel")
    api.close()
    _wait(lambda: _ready(instance) == 3, "the node to be back")
    return took_s


def _submit(api: Api, *command: str, nodes: int) -> str:
    body: dict[str, Any] = {"name": "bench", "command": list(command)}
    body["gang"] = {"nodes": nodes, "cpus": 0.1}
    status, job = api.call("POST", "/v1/jobs", {**body, "retries": {"infrastructure": 5}})
    assert status == 201, job
    return job["id"]


def _started(trace: Path, attempt: int) -> list[str]:
    lines = trace.read_text().split("\n") if trace.exists() else []
    pairs = (line.split() for line in lines if line)
    return [node for number, node in pairs if number == str(attempt)]


def _wait(look: Callable[[], bool], what: str) -> None:
    until_s = time.monotonic() + GIVEN_UP_S
    while not look():
        if time.monotonic() > until_s:
            raise TimeoutError(f"{what}: not in {GIVEN_UP_S:g} s")
        time.sleep(0.005)
