"""Nodes of a real instance: checked, by an operator's own checks too, drained by a time, repaired and retired."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.http import Api
from benchmarks.instance import Instance, start, stop

from tests.surface.server.daily import gw
from tests.surface.server.jobs import View, python, read, submit, wait_phase, wait_running
from tests.waiting import until

pytestmark = pytest.mark.slow

SAVES_WHEN_ASKED = """
import pathlib, time
import gigawatt as gw
for step in range(1, 1_000_000):
    time.sleep(0.1)
    gw.report(step=step)
    if gw.checkpoint_requested():
        path = gw.checkpoint_dir() / f"step-{step}"
        path.write_text("saved")
        gw.checkpoint(step=step, path=path)
"""


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Instance]:
    data = tmp_path / "data"
    try:
        yield start(data, nodes=2)
    finally:
        stop(data)


@pytest.fixture
def nodes(two: Instance) -> Iterator[Api]:
    client = Api(two)
    yield client
    client.close()


def find(api: Api, node: str) -> View:
    status, view = api.call("GET", f"/v1/nodes/{node}")
    assert status == 200, view
    return view


def own_check(instance: Instance, text: str) -> None:
    checks = instance.data / "checks"
    checks.mkdir(exist_ok=True)
    program = checks / "fans"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)


def checked(api: Api, node: str, outcome: str) -> View:
    """The node, once its own check has said this."""

    def look() -> View | None:
        view = find(api, node)
        said = {each["name"]: each["outcome"] for each in view["checks"]}
        return view if said.get("own:fans") == outcome else None

    return until(look, timeout_s=60, what=f"own:fans is {outcome} on {node}: {find(api, node)}")


def test_an_operators_check_cordons_the_node_that_it_fails_on(two: Instance, nodes: Api) -> None:
    own_check(two, 'echo "all fans turn on $GIGAWATT_NODE"; exit 0')
    assert gw(two, "nodes", "check", "node-0", "node-1", "--level", "watch").returncode == 0
    view = checked(nodes, "node-0", "ok")
    names = [each["name"] for each in view["checks"]]
    assert names == sorted(
        ["disk", "memory", "pressure", "clock", "network", "xid", "gpu", "own:fans"]
    )
    own = next(each for each in view["checks"] if each["name"] == "own:fans")
    assert own["detail"] == "all fans turn on node-0"
    own_check(two, 'test $GIGAWATT_NODE = node-0 || exit 0; echo "fan 3 stands still"; exit 2')
    gw(two, "nodes", "check", "node-0", "node-1", "--level", "watch")
    failed = checked(nodes, "node-0", "fail")
    assert failed["state"] == "cordoned"
    assert failed["reason"] == "check own:fans failed: fan 3 stands still"
    assert find(nodes, "node-1")["state"] == "ready"
    shown = gw(two, "nodes", "node-0").stdout
    assert "fan 3 stands still" in shown
    told = json.loads(gw(two, "events", "-o", "json", "--kind", "node.check_failed").stdout)
    own = [event for event in told["items"] if event["data"]["check"] == "own:fans"]
    assert [event["subject"] for event in own] == ["node-0"]


def test_checks_under_load_give_way_to_a_gang(two: Instance, nodes: Api) -> None:
    own_check(two, "sleep 120")
    gw(two, "nodes", "check", "node-0", "node-1", "--level", "full")
    job = submit(nodes, ["true"])
    wait_phase(nodes, job, "succeeded", timeout_s=20)


def test_a_drain_by_a_time_waits_for_the_checkpoint_and_no_longer(
    two: Instance, nodes: Api
) -> None:
    job = submit(nodes, python(SAVES_WHEN_ASKED))
    node = wait_running(nodes, job)["nodes"][0]
    other = next(name for name in ("node-0", "node-1") if name != node)
    assert gw(two, "nodes", "drain", node, "--within", "5m", "--reason", "dust").returncode == 0
    again = wait_running(nodes, job, attempt=2)
    assert again["nodes"] == [other]
    first = read(nodes, job)["attempts"][0]
    assert (first["verdict"], first["charged_to"]) == ("preemption", "")
    assert [fact["what"] for fact in first["evidence"]] == ["drained"]
    assert find(nodes, node)["state"] == "empty"
    assert gw(two, "nodes", "repair", node, "--reason", "new fan").returncode == 0
    assert find(nodes, node)["state"] == "repair"
    assert gw(two, "nodes", "uncordon", node).returncode == 0
    assert find(nodes, node)["state"] == "ready"
    refused = gw(two, "nodes", "retire", other)
    assert refused.returncode != 0
    assert "gangs run on node" in refused.stderr
    nodes.call("POST", f"/v1/jobs/{job['id']}/cancel")
    wait_phase(nodes, job, "cancelled")
    assert gw(two, "nodes", "retire", other).returncode == 0
    assert find(nodes, other)["state"] == "retired"
