"""An array of ten thousand tasks: how long its submission takes, and what the control plane holds more for it."""

import os
import time
from pathlib import Path

from benchmarks.figures import Figure, median
from benchmarks.http import Api
from benchmarks.instance import Instance, running

TASKS = 10_000
RUNS = 5
RUNNING_S = 15.0
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TASK = {"name": "many", "command": ["true"], "gang": {"cpus": 0.05}}


def run() -> list[Figure]:
    with running(nodes=2) as instance:
        api = Api(instance)
        _finish(api, _submit(api, 20))  # everything that is loaded when it is first used
        before = _resident_bytes(instance)
        arrays, calls = zip(*(_timed(api) for _ in range(RUNS)), strict=True)
        for array in arrays[1:]:
            api.call("POST", f"/v1/arrays/{array}/cancel")
        began = time.monotonic()
        instance.gw("run", "--no-bundle", "--name", "cli", "--array", str(TASKS), "--", "true")
        command_s = time.monotonic() - began
        api.call("POST", "/v1/arrays/cli/cancel")
        most = _most_while(instance, RUNNING_S)
        _, view = api.call("GET", f"/v1/arrays/{arrays[0]}")
        api.call("POST", f"/v1/arrays/{arrays[0]}/cancel")
    ended = view["counts"]["succeeded"]
    return [
        Figure(
            what="array of 10,000 tasks: acknowledged, p50",
            value=median(calls),
            unit="s",
            goal=0.5,
            note=f"{RUNS} times, slowest {max(calls):.3f} s",
        ),
        Figure(what="  `gw run --array 10000` as a whole", value=command_s, unit="s", goal=0.5),
        Figure(
            what="  memory of the control plane more",
            value=(most - before) / 1e6,
            unit="MB",
            goal=20,
            note=f"at most in {RUNNING_S:.0f} s, while {ended} tasks ended",
        ),
    ]


def _submit(api: Api, tasks: int) -> str:
    status, array = api.call("POST", "/v1/arrays", {**TASK, "array": tasks})
    assert status == 201, array
    return array["id"]


def _timed(api: Api) -> tuple[str, float]:
    began = time.monotonic()
    array = _submit(api, TASKS)
    return array, time.monotonic() - began


def _finish(api: Api, array: str) -> None:
    while True:
        status, view = api.call("GET", f"/v1/arrays/{array}")
        assert status == 200, view
        if view["ended_ms"]:
            return
        time.sleep(0.1)


def _most_while(instance: Instance, seconds: float) -> int:
    until, most = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        most = max(most, _resident_bytes(instance))
        time.sleep(0.2)
    return most


def _resident_bytes(instance: Instance) -> int:
    return int(Path(f"/proc/{instance.pid}/statm").read_text().split()[1]) * PAGE_BYTES
