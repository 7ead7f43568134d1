"""Runs that survive: a rank that freezes until its job runs again, and a node that fails whatever comes to it among eight."""

import os
import signal
import sys
import time
from typing import Any

from benchmarks.figures import Figure, percentile
from benchmarks.http import Api
from benchmarks.instance import running

RUNS = 3
STEP_S = 0.2
HANG_STEPS = 10
JOBS = 50
POISONED = "node-5"
WAIT_S = 120.0

STEPS = f"""
import time
import gigawatt as gw
for step in range(1, 1_000_000):
    time.sleep({STEP_S})
    gw.report(step=step)
"""
POISON = f"""
import os, sys, time
time.sleep(0.4)
sys.exit(1) if os.environ["GIGAWATT_NODE"] == "{POISONED}" else time.sleep(0.4)
"""


def run() -> list[Figure]:
    with running(nodes=3) as instance:
        api = Api(instance)
        frozen = [_frozen(api) for _ in range(RUNS)]
    poisoned = [_poisoned(POISON) for _ in range(RUNS)]
    broken = _poisoned("import sys; sys.exit(1)")
    gang = _gang_of_eight()
    return [
        Figure(
            what="rank frozen by SIGSTOP to the next attempt's ranks running, p50",
            value=percentile(frozen, 50),
            unit="s",
            goal=HANG_STEPS * STEP_S + 10,
            note=f"{RUNS} times, k = {HANG_STEPS}, steps of {STEP_S} s; slowest {max(frozen):.1f} s",
        ),
        Figure(
            what=f"a poisoned node among 8, {JOBS} jobs: failures until it is cordoned, most",
            value=max(each["failures"] for each in poisoned),
            unit="",
            goal=3,
            note=f"{RUNS} times, exit code 1; cordoned {[each['cordoned'] for each in poisoned]}",
        ),
        Figure(
            what="  attempts charged to users, all",
            value=sum(each["charged"] for each in poisoned),
            unit="",
            goal=0,
        ),
        Figure(
            what=f"{JOBS} jobs that always exit with 1 on 8 nodes: nodes cordoned",
            value=len(broken["cordoned"]),
            unit="",
            goal=0,
            note=f"{broken['charged']} of {broken['failures']} attempts charged to users",
        ),
        Figure(
            what="one gang on all 8 nodes that always exits with 1: nodes cordoned",
            value=len(gang["cordoned"]),
            unit="",
            goal=0,
            note=f"verdict {gang['verdict']}, charged to {gang['charged_to']}, {gang['attempts']} attempts",
        ),
    ]


def _frozen(api: Api) -> float:
    body = {
        "name": "frozen",
        "command": [sys.executable, "-c", STEPS],
        "gang": {"nodes": 2, "cpus": 0.1},
        "hang": HANG_STEPS,
    }
    job = _submitted(api, body)
    first = _until(lambda: _attempt(api, job, 1), "attempt 1")
    _until(lambda: (_read(api, job)["progress"] or {"step": 0})["step"] >= HANG_STEPS, "steps")
    began = time.monotonic()
    os.kill(first["ranks"][1]["pid"], signal.SIGSTOP)
    _until(lambda: _attempt(api, job, 2), "attempt 2")
    took_s = time.monotonic() - began
    ended = _read(api, job)["attempts"][0]
    assert ended["verdict"] == "hang", ended
    assert "stacks" in {fact["what"] for fact in ended["evidence"]}, ended
    api.call("POST", f"/v1/jobs/{job}/cancel")
    _until(lambda: _read(api, job)["phase"] == "cancelled", "its end")
    return took_s


def _poisoned(program: str) -> dict[str, Any]:
    """Failures on the poisoned node, attempts charged to users, and the nodes that were cordoned."""
    with running(nodes=8) as instance:
        api = Api(instance)
        body = {"command": [sys.executable, "-c", program], "gang": {"cpus": 0.2}}
        jobs = [_submitted(api, {**body, "name": f"job-{n}"}) for n in range(JOBS)]
        for job in jobs:
            _until(lambda job=job: _read(api, job)["phase"] in {"succeeded", "failed"}, "its end")
        attempts = [each for job in jobs for each in _read(api, job)["attempts"]]
        failed = [each for each in attempts if each["verdict"] != "success"]
        _status, nodes = api.call("GET", "/v1/nodes")
    cordoned = [node["id"] for node in nodes["items"] if node["state"] == "cordoned"]
    charged = sum(each["charged_to"] == "user" for each in attempts)
    return {"failures": len(failed), "charged": charged, "cordoned": cordoned}


def _gang_of_eight() -> dict[str, Any]:
    """What is said of a gang whose program fails on every one of eight nodes."""
    with running(nodes=8) as instance:
        api = Api(instance)
        body = {
            "name": "broken",
            "command": [sys.executable, "-c", "import sys; sys.exit(1)"],
            "gang": {"nodes": 8, "cpus": 0.1},
        }
        job = _submitted(api, body)
        _until(lambda: _read(api, job)["phase"] == "failed", "its end")
        attempts = _read(api, job)["attempts"]
        _status, nodes = api.call("GET", "/v1/nodes")
    return {
        "verdict": attempts[-1]["verdict"],
        "charged_to": attempts[-1]["charged_to"],
        "attempts": len(attempts),
        "cordoned": [node["id"] for node in nodes["items"] if node["state"] == "cordoned"],
    }


def _submitted(api: Api, body: dict[str, Any]) -> str:
    status, job = api.call("POST", "/v1/jobs", body)
    assert status == 201, job
    return job["id"]


def _read(api: Api, job: str) -> dict[str, Any]:
    _status, view = api.call("GET", f"/v1/jobs/{job}")
    return view


def _attempt(api: Api, job: str, number: int) -> dict[str, Any] | None:
    """The attempt, once all of its ranks run."""
    attempts = _read(api, job)["attempts"]
    there = len(attempts) >= number and attempts[number - 1]["phase"] == "running"
    return attempts[number - 1] if there else None


def _until(look: Any, what: str) -> Any:
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        if found := look():
            return found
        time.sleep(0.02)
    raise TimeoutError(what)
