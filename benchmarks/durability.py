"""`kill -9` of the control plane in a burst of submissions, again and again: what was acknowledged must be there, once,
and what ran must run on as the same processes.
"""

import http.client
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure
from benchmarks.http import Api
from benchmarks.instance import Instance, start, stop

KILLS = 10
CLIENTS = 8
BURST_S = 0.7

JOB = {"name": "burst", "command": ["true"], "gang": {"cpus": 0.1}}


def run() -> list[Figure]:
    folder = Path(tempfile.mkdtemp(prefix="gigawatt-bench-"))
    data = folder / "data"
    try:
        return _kills(data)
    finally:
        stop(data)
        shutil.rmtree(folder, ignore_errors=True)


def _kills(data: Path) -> list[Figure]:
    instance = start(data, nodes=2)
    api = Api(instance)
    gang, pids = _gang(api)
    acknowledged: dict[str, str] = {}
    lost = doubled = moved = 0
    back: list[float] = []
    for round_number in range(KILLS):
        _burst(instance, gang, round_number, acknowledged)
        began = time.monotonic()
        instance = start(data, nodes=2)
        back.append(time.monotonic() - began)
        api = Api(instance)
        moved += _pids(api, gang) != pids
        lost += sum(api.call("GET", f"/v1/jobs/{job}")[0] != 200 for job in acknowledged.values())
        doubled += sum(_again(api, gang, key) != job for key, job in acknowledged.items())
    named = [job["name"] for job in _all(api) if job["name"].startswith("burst-")]
    doubled += len(named) - len(set(named))
    api.call("POST", f"/v1/jobs/{gang}/cancel")
    note = f"{KILLS} kills, {len(acknowledged)} acknowledged"
    return [
        Figure(what="acknowledged jobs lost", value=lost, unit="jobs", goal=0, note=note),
        Figure(what="jobs there twice", value=doubled, unit="jobs", goal=0),
        Figure(what="running gangs not adopted with the same pids", value=moved, unit="", goal=0),
        Figure(what="  kill to ready again, slowest", value=max(back), unit="s"),
    ]


def _gang(api: Api) -> tuple[str, list[int]]:
    body = {"name": "steady", "command": ["sleep", "3600"], "gang": {"nodes": 2, "cpus": 0.1}}
    status, job = api.call("POST", "/v1/jobs", body)
    assert status == 201, job
    until = time.monotonic() + 30
    while time.monotonic() < until:
        pids = _pids(api, job["id"])
        if len(pids) == 2:
            return job["id"], pids
        time.sleep(0.02)
    raise TimeoutError("the gang does not run")


def _pids(api: Api, job: str) -> list[int]:
    view = api.call("GET", f"/v1/jobs/{job}")[1]
    if view["phase"] != "running":
        return []
    return [rank["pid"] for rank in view["attempts"][-1]["ranks"] if rank["pid"]]


def _burst(instance: Instance, after: str, number: int, acknowledged: dict[str, str]) -> None:
    """Clients submit until the control plane is killed under them; only what was answered counts."""

    def client(index: int) -> None:
        api = Api(instance)
        for count in range(1_000_000):
            key = f"burst-{number}-{index}-{count}"
            try:
                status, job = api.call(
                    "POST", "/v1/jobs", {**JOB, "name": key, "after": [after]}, key=key
                )
            except (OSError, ValueError, http.client.HTTPException):
                return
            if status != 201:
                return
            acknowledged[key] = job["id"]

    threads = [threading.Thread(target=client, args=(index,)) for index in range(CLIENTS)]
    for thread in threads:
        thread.start()
    time.sleep(BURST_S)
    instance.kill()
    for thread in threads:
        thread.join()


def _again(api: Api, after: str, key: str) -> str:
    """The id that the same key gives when it is submitted again."""
    body = {**JOB, "name": key, "after": [after]}
    status, job = api.call("POST", "/v1/jobs", body, key=key)
    return job["id"] if status in {200, 201} else f"status {status}"


def _all(api: Api) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = api.call("GET", f"/v1/jobs?limit=500&cursor={cursor}")[1]
        items += page["items"]
        cursor = page["next"]
        if not cursor:
            return items
