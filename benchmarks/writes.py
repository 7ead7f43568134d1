"""Acknowledged submissions a second by sixteen clients, and the first page of a long list."""

import multiprocessing
import time
from typing import Any

from benchmarks.figures import Figure, percentile
from benchmarks.http import Api
from benchmarks.instance import Instance, running

CLIENTS = 16
CLIENT_PROCESSES = 2
SECONDS = 8.0
JOBS = 10_000
PAGES = 100

JOB = {
    "name": "bench",
    "command": ["true"],
    "gang": {"cpus": 0.1},
    "after": [],
}


def run() -> list[Figure]:
    with running() as instance:
        api = Api(instance)
        blocker = _blocker(api)
        rate, p99, count = _submissions(instance, blocker)
        figures = [
            Figure(
                what="acknowledged submissions, 16 clients, SQLite",
                value=rate,
                unit="/s",
                goal=500,
                at_least=True,
                note=f"{count} in {SECONDS:.0f} s",
            ),
            Figure(what="  p99 of an acknowledgement", value=p99, unit="ms", goal=100),
        ]
        _fill(instance, blocker, JOBS - count)
        figures.append(_first_page(api))
        api.call("POST", f"/v1/jobs/{blocker}/cancel")
    return figures


def _blocker(api: Api) -> str:
    """A job that the others come after, so that what is measured is taking in, not running."""
    body = {"name": "blocker", "command": ["sleep", "3600"], "gang": {"cpus": 0.1}}
    status, job = api.call("POST", "/v1/jobs", body)
    assert status == 201, job
    return job["id"]


def _submissions(instance: Instance, blocker: str) -> tuple[float, float, int]:
    results: Any = multiprocessing.Queue()
    each = CLIENTS // CLIENT_PROCESSES
    processes = [
        multiprocessing.Process(target=_clients, args=(instance, blocker, each, number, results))
        for number in range(CLIENT_PROCESSES)
    ]
    for process in processes:
        process.start()
    latencies = [latency for _ in processes for latency in results.get()]
    for process in processes:
        process.join()
    return len(latencies) / SECONDS, percentile(latencies, 99) * 1000, len(latencies)


def _clients(instance: Instance, blocker: str, count: int, number: int, results: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    until = time.monotonic() + SECONDS

    def client(index: int) -> list[float]:
        api = Api(instance)
        latencies: list[float] = []
        while (began := time.monotonic()) < until:
            key = f"{number}-{index}-{len(latencies)}"
            status, reply = api.call("POST", "/v1/jobs", {**JOB, "after": [blocker]}, key=key)
            assert status == 201, reply
            latencies.append(time.monotonic() - began)
        return latencies

    with ThreadPoolExecutor(count) as pool:
        results.put([latency for part in pool.map(client, range(count)) for latency in part])


def _fill(instance: Instance, blocker: str, count: int) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def fill(share: int) -> None:
        api = Api(instance)
        for _ in range(share):
            api.call("POST", "/v1/jobs", {**JOB, "after": [blocker]})

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(fill, [max(count, 0) // CLIENTS + 1] * CLIENTS))


def _first_page(api: Api) -> Figure:
    times: list[float] = []
    for _ in range(PAGES):
        began = time.monotonic()
        status, page = api.call("GET", "/v1/jobs?limit=50")
        times.append(time.monotonic() - began)
        assert status == 200
        assert len(page["items"]) == 50
    return Figure(
        what="first page of 10,000 jobs, p50",
        value=percentile(times, 50) * 1000,
        unit="ms",
        goal=20,
        note=f"p99 {percentile(times, 99) * 1000:.1f} ms",
    )
