"""Runs that survive on a real instance of eight nodes: a rank that freezes, a node that fails whatever runs on it."""

import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.http import Api
from benchmarks.instance import Instance, start, stop

from tests.surface.server.daily import gw
from tests.surface.server.jobs import View, python, read, submit, wait_phase, wait_running
from tests.waiting import until

pytestmark = pytest.mark.slow

STEPS = """
import os, time
import gigawatt as gw
for step in range(1, 1_000_000):
    time.sleep(0.2)
    gw.report(step=step)
"""
HANG_STEPS = 10
STEP_S = 0.2

# Fails on one node after a while; elsewhere it runs for longer than that.
POISON = """
import os, sys, time
time.sleep(0.4)
if os.environ["GIGAWATT_NODE"] == "node-5":
    print("loss is nan", file=sys.stderr)
    sys.exit(1)
time.sleep(0.4)
"""
JOBS = 50


@pytest.fixture
def eight(tmp_path: Path) -> Iterator[Instance]:
    data = tmp_path / "data"
    try:
        yield start(data, nodes=8)
    finally:
        stop(data)


@pytest.fixture
def nodes(eight: Instance) -> Iterator[Api]:
    client = Api(eight)
    yield client
    client.close()


def test_a_frozen_rank_is_found_with_its_stack_and_the_job_goes_on_elsewhere(
    instance: Instance, api: Api
) -> None:
    gang = {"nodes": 2, "cpus": 0.1}
    job = submit(api, python(STEPS), gang=gang, hang=HANG_STEPS)
    attempt = wait_running(api, job)
    until(lambda: step_of(api, job) >= HANG_STEPS, what="some steps")
    frozen = attempt["ranks"][1]
    began = time.monotonic()
    os.kill(frozen["pid"], signal.SIGSTOP)
    wait_running(api, job, attempt=2)
    took_s = time.monotonic() - began
    first = read(api, job)["attempts"][0]
    assert (first["verdict"], first["charged_to"]) == ("hang", "infrastructure")
    facts = {fact["what"]: fact for fact in first["evidence"]}
    assert (facts["hang"]["rank"], facts["hang"]["node"]) == (1, frozen["node"])
    assert "is stopped, as by SIGSTOP" in facts["stacks"]["detail"]
    assert "<string>" in facts["stacks"]["detail"], "no Python stack"
    assert took_s <= HANG_STEPS * STEP_S + 10
    told = json.loads(gw(instance, "explain", job["id"], "-o", "json").stdout)
    assert (told["attempt"], told["verdict"]) == (1, "hang")
    shown = gw(instance, "explain", job["id"]).stdout
    assert all(word in shown for word in ("hang (attempt 1)", "no progress after step", "<string>"))
    api.call("POST", f"/v1/jobs/{job['id']}/cancel")
    wait_phase(api, job, "cancelled")


def test_a_poisoned_node_is_cordoned_with_the_proof_and_no_job_pays(nodes: Api) -> None:
    gang = {"cpus": 0.2}
    programs = [[*python(POISON), "--seed", f"seed-{n}"] for n in range(JOBS)]
    jobs = [submit(nodes, each, gang=gang, name=f"job-{n}") for n, each in enumerate(programs)]
    ended = [wait_phase(nodes, job, "succeeded", "failed", timeout_s=120) for job in jobs]
    assert Counter(job["phase"] for job in ended) == {"succeeded": JOBS}
    charged = Counter(each["charged_to"] for job in ended for each in job["attempts"])
    assert charged["user"] == 0
    node = find(nodes, "node-5")
    assert node["state"] == "cordoned"
    assert "attempts of" in node["reason"]
    assert len(node["marks"]) >= 3
    others = [find(nodes, f"node-{n}")["state"] for n in range(8) if n != 5]
    assert set(others) == {"ready"}


def test_a_script_that_always_fails_is_its_users_and_cordons_nothing(nodes: Api) -> None:
    gang = {"cpus": 0.2}
    jobs = [submit(nodes, python("exit(1)"), gang=gang, name=f"job-{n}") for n in range(24)]
    ended = [wait_phase(nodes, job, "succeeded", "failed", timeout_s=120) for job in jobs]
    assert {job["phase"] for job in ended} == {"failed"}
    assert {each["charged_to"] for job in ended for each in job["attempts"]} == {"user"}
    assert {find(nodes, f"node-{n}")["state"] for n in range(8)} == {"ready"}


def step_of(api: Api, job: View) -> int:
    progress: View | None = read(api, job)["progress"]
    return progress["step"] if progress else 0


def find(api: Api, node: str) -> View:
    status, view = api.call("GET", f"/v1/nodes/{node}")
    assert status == 200, view
    return view


def test_every_pair_of_nodes_is_measured_by_one_gang(instance: Instance) -> None:
    program = [sys.executable, "-m", "gigawatt.engine.checks.pairs"]
    options = ("--nodes", "3", "--cpus", "0.1", "--priority", "-1000", "--no-bundle", "--wait")
    done = gw(instance, "run", *options, "--", *program)
    shown = gw(instance, "logs", done.stdout.strip()).stdout
    assert "3 links" in shown or "between node-" in shown, shown
