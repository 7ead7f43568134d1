"""How fast a gang runs again after one of its ranks was killed."""

import os
import signal
import time
from typing import Any

from benchmarks.figures import Figure, percentile
from benchmarks.http import Api
from benchmarks.instance import running

RUNS = 10


def run() -> list[Figure]:
    with running(nodes=3) as instance:
        api = Api(instance)
        times = [_one(api) for _ in range(RUNS)]
    return [
        Figure(
            what="rank crash to the next attempt's ranks running, p50",
            value=percentile(times, 50),
            unit="s",
            goal=1.5,
            note=f"{RUNS} times, 2 nodes, SIGKILL; slowest {max(times):.2f} s",
        )
    ]


def _one(api: Api) -> float:
    body = {
        "name": "crash",
        "command": ["sleep", "600"],
        "gang": {"nodes": 2, "cpus": 0.1},
        "retries": {"infrastructure": 3},
    }
    status, job = api.call("POST", "/v1/jobs", body)
    assert status == 201, job
    first = _running(api, job["id"], attempt=1)
    began = time.monotonic()
    os.kill(first["ranks"][1]["pid"], signal.SIGKILL)
    _running(api, job["id"], attempt=2)
    took = time.monotonic() - began
    api.call("POST", f"/v1/jobs/{job['id']}/cancel")
    return took


def _running(api: Api, job: str, *, attempt: int) -> dict[str, Any]:
    """The attempt, once all of its ranks run."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        _status, view = api.call("GET", f"/v1/jobs/{job}")
        attempts = view["attempts"]
        if len(attempts) >= attempt and attempts[attempt - 1]["phase"] == "running":
            return attempts[attempt - 1]
        time.sleep(0.01)
    raise TimeoutError(f"{job}: attempt {attempt} does not run: {view}")
