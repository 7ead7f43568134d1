"""`gw logs --grep --since`: lines that the server picks, of real ranks."""

import json

import pytest
from benchmarks.http import Api
from benchmarks.instance import Instance

from gigawatt import clock
from tests.surface.server.daily import end, gw, running, strangers_key, wrote
from tests.surface.server.jobs import python, submit, wait_phase

pytestmark = pytest.mark.slow

COUNTS = """
import os, sys
for step in range(50):
    print(f"rank {os.environ['RANK']} step {step} loss {'nan' if step == 7 else 1 / (step + 1)}")
print("to stderr: nan", file=sys.stderr)
"""
LATER = """
import os, pathlib, time
print("first", flush=True)
flag = pathlib.Path("flag")
while not flag.exists():
    time.sleep(0.01)
print("second", flush=True)
time.sleep(600)
"""


def test_lines_are_picked_by_pattern_from_the_ranks_that_are_named(
    instance: Instance, api: Api
) -> None:
    job = submit(api, python(COUNTS), gang={"nodes": 3, "cpus": 0.1})
    wait_phase(api, job, "succeeded")
    done = gw(instance, "logs", job["id"], "--grep", r"loss nan|\bnan$")
    assert done.stdout == "rank 0 step 7 loss nan\n"
    assert done.stderr == "to stderr: nan\n"
    options = ("--rank", "0,2", "--stream", "stdout", "--grep", "step 7 ", "-o", "json")
    picked = gw(instance, "logs", job["id"], *options).stdout.splitlines()
    assert [(each["rank"], each["line"]) for each in map(json.loads, picked)] == [
        (0, "rank 0 step 7 loss nan"),
        (2, "rank 2 step 7 loss nan"),
    ]
    assert (
        gw(instance, "logs", job["id"], "--rank", "all", "--grep", "step 49").stdout.count("│") == 3
    )
    assert (
        gw(instance, "logs", job["id"], "--follow", "--grep", "step 49").stdout.count("step") == 1
    )


def test_what_came_before_a_time_is_left_out(instance: Instance, api: Api) -> None:
    job = running(api, LATER)
    wrote(instance, job, "first")
    path = f"/v1/jobs/{job['id']}/lines?since={clock.now_ms() + 15_000}"
    assert api.call("GET", path) == (200, None)
    assert gw(instance, "logs", job["id"], "--since", "10m").stdout == "first\n"
    assert gw(instance, "logs", job["id"], "--since", "2001-01-31T12:00:00Z").stdout == "first\n"
    end(api, job)


def test_what_is_wrong_is_told_before_anything_is_read(instance: Instance, api: Api) -> None:
    job = running(api)
    bad = gw(instance, "logs", job["id"], "--grep", "loss (nan")
    assert bad.returncode == 2
    assert "the pattern is wrong at character 10: missing )" in bad.stderr
    assert "hint: loss (nan ▸ ; a character meant as itself" in bad.stderr
    for options, said in {
        ("--rank", "7"): "there are ranks 0 to 0, not 7",
        ("--rank", "0,x"): "'x' is neither a rank nor `all`",
        ("--since", "yesterday"): "neither a time nor how long ago",
        ("--since", "1h", "--tail", "3"): "--tail counts all lines",
        ("--grep", "x", "--attempt", "9"): "has 1 attempts, not 9",
    }.items():
        done = gw(instance, "logs", job["id"], "--grep", "x", *options)
        assert (done.returncode, said in done.stderr) == (2, True), done
    end(api, job)


def test_a_pattern_that_would_stop_the_server_is_refused(instance: Instance, api: Api) -> None:
    job = submit(api, python("print('a' * 90 + 'b')"))
    wait_phase(api, job, "succeeded")
    status, problem = api.call("GET", f"/v1/jobs/{job['id']}/lines?grep=(a|aa)%2B$")
    assert (status, problem["field"]) == (422, "grep")


def test_lines_of_another_projects_job_are_not_there(instance: Instance, api: Api) -> None:
    job = submit(api, python("print('secret')"))
    wait_phase(api, job, "succeeded")
    key = strangers_key(api, "lines-other")
    done = gw(instance, "logs", job["id"], "--grep", "secret", key=key)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"there is no job {job['id']}" in done.stderr
    assert gw(instance, "logs", "no-such-job", "--grep", "x").returncode == 1
