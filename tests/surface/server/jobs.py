"""Jobs for tests of real instances, and waiting for what becomes of them."""

import sys
from typing import Any

from benchmarks.http import Api

from tests.waiting import until

View = dict[str, Any]


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def submit(api: Api, command: list[str], **fields: Any) -> View:
    body = {"name": "test", "command": command, "gang": {"cpus": 0.1}, **fields}
    status, job = api.call("POST", "/v1/jobs", body)
    assert status == 201, job
    return job


def read(api: Api, job: View) -> View:
    status, view = api.call("GET", f"/v1/jobs/{job['id']}")
    assert status == 200, view
    return view


def wait_phase(api: Api, job: View, *phases: str, timeout_s: float = 30.0) -> View:
    def look() -> View | None:
        view = read(api, job)
        return view if view["phase"] in phases else None

    return until(look, timeout_s=timeout_s, what=f"{job['id']} in {phases}: {read(api, job)}")


def wait_running(api: Api, job: View, *, attempt: int = 1) -> View:
    """The attempt, once all its ranks run."""

    def look() -> View | None:
        attempts = read(api, job)["attempts"]
        there = len(attempts) >= attempt and attempts[attempt - 1]["phase"] == "running"
        return attempts[attempt - 1] if there else None

    return until(look, what=f"attempt {attempt} of {job['id']} running: {read(api, job)}")
