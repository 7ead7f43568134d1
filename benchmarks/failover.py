"""How soon a standby decides after its leader was killed, and whether anything is lost or started twice meanwhile."""

import json
import os
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.figures import Figure, percentile
from benchmarks.http import Api
from benchmarks.instance import Instance, found, stand_by, start, stop

KILLS = int(os.environ.get("GIGAWATT_BENCH_KILLS", "100"))
JOBS = 4  # acknowledged right before each kill, so that their launches meet it
NODES = 2
GIVEN_UP_S = 60.0
END_S = 300.0  # for all jobs together
ENDED = ("succeeded", "failed", "cancelled")


def run() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="gigawatt-bench-") as folder:
        data, trace = Path(folder) / "data", Path(folder) / "trace"
        leader = start(data, nodes=NODES)
        times: list[float] = []
        jobs: list[str] = []
        standby: subprocess.Popen[str] | None = None
        try:
            for _ in range(KILLS):
                following = stand_by(data, nodes=NODES)
                api = Api(leader)
                jobs += [_submit(api, trace) for _ in range(JOBS)]
                api.close()
                began = time.monotonic()
                leader.kill()
                if standby is not None:
                    _reap(standby)
                standby = following
                leader = _deciding(data, standby)
                times.append(time.monotonic() - began)
            ends = _ends(Api(leader), jobs)
        finally:
            stop(data)
            if standby is not None:
                _reap(standby)
        starts = Counter(trace.read_text().splitlines())
    twice = sum(1 for count in starts.values() if count > 1)
    note = f"{KILLS} kills with SIGKILL, SQLite, {JOBS} jobs acknowledged right before each"
    return [
        Figure(
            what="leader killed to the standby's first decision, p50",
            value=percentile(times, 50),
            unit="s",
            goal=5.0,
            note=f"{note}; slowest {max(times):.2f} s",
        ),
        Figure(
            what="acknowledged jobs lost",
            value=len(jobs) - ends["succeeded"],
            unit="jobs",
            goal=0,
            note=", ".join(f"{count} {end}" for end, count in ends.most_common()),
        ),
        Figure(
            what="ranks of an attempt that started twice",
            value=twice,
            unit="ranks",
            goal=0,
            note=f"of {len(starts)} that started",
        ),
    ]


def _submit(api: Api, trace: Path) -> str:
    script = f"echo $GIGAWATT_JOB $GIGAWATT_ATTEMPT $RANK >> {trace}"
    body = {"name": "failover", "command": ["sh", "-c", script], "gang": {"nodes": 2, "cpus": 0.05}}
    status, job = api.call("POST", "/v1/jobs", {**body, "retries": {"infrastructure": 5}})
    assert status == 201, job
    return job["id"]


def _deciding(data: Path, standby: "subprocess.Popen[str]") -> Instance:
    """The instance of the standby, once a write has gone through its loop."""
    until = time.monotonic() + GIVEN_UP_S
    while time.monotonic() < until:
        told = data / "instance.json"
        if told.exists() and json.loads(told.read_text() or "{}").get("pid") == standby.pid:
            instance = found(data)
            api = Api(instance)
            status, _ = api.call("POST", "/v1/jobs", {"name": "first", "command": ["true"]})
            api.close()
            assert status == 201, status
            return instance
        time.sleep(0.01)
    raise TimeoutError("the standby never led")


def _ends(api: Api, jobs: list[str]) -> Counter[str]:
    """How many came to which end, once none goes on: an unknown one to its status, one that failed to its message."""
    until = time.monotonic() + END_S
    left, ends = set(jobs), dict[str, str]()
    while left and time.monotonic() < until:
        for job in tuple(left):
            status, view = api.call("GET", f"/v1/jobs/{job}")
            ends[job] = view["phase"] if status == 200 else f"status {status}"
            if ends[job] == "failed":
                ends[job] = f"failed: {view['message']}"
            if status != 200 or ends[job].startswith(ENDED):
                left.discard(job)
        time.sleep(0.1)
    return Counter(ends.values())


def _reap(process: "subprocess.Popen[str]") -> None:
    process.wait(GIVEN_UP_S)
    assert process.stderr is not None
    process.stderr.close()
