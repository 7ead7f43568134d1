"""`gw sim replay`: a recorded cycle, decided again."""

import json
from dataclasses import asdict
from pathlib import Path

from gigawatt.scheduler.decide import decide
from gigawatt.scheduler.encode import encode_cold
from gigawatt.scheduler.policy import Policy
from gigawatt.scheduler.record import decision_sha256, dump
from tests.scenario.build import NOW_MS, make_job, make_node, make_shape, make_world
from tests.surface.cli.conftest import Gw

POLICY = Policy()


def a_cycle() -> bytes:
    nodes = [make_node(f"n{index}", gpus=2, place="s/h/p/l/r0") for index in range(2)]
    jobs = [make_job("small", make_shape()), make_job("wide", make_shape(9))]
    return dump(encode_cold(make_world(nodes, jobs), NOW_MS), POLICY)


def test_a_recorded_cycle_is_decided_to_the_same_digest(gw: Gw) -> None:
    Path("a.cycle").write_bytes(a_cycle())
    nodes = [make_node(f"n{index}", gpus=2, place="s/h/p/l/r0") for index in range(2)]
    jobs = [make_job("small", make_shape()), make_job("wide", make_shape(9))]
    decision = decide(encode_cold(make_world(nodes, jobs), NOW_MS), POLICY)
    shown = json.loads(gw("sim", "replay", "a.cycle", "-o", "json").stdout)
    assert shown["decision_sha256"] == decision_sha256(decision)
    assert shown["decision"] == json.loads(json.dumps(asdict(decision)))


def test_a_decision_is_shown_as_what_starts_and_what_waits(gw: Gw) -> None:
    Path("a.cycle").write_bytes(a_cycle())
    lines = gw("sim", "replay", "a.cycle").stdout.splitlines()
    assert lines[:3] == ["gangs   2 on 2 nodes", "starts  1", "waits   1"]
    assert any(line.startswith("small  ") for line in lines)
    assert any("wide  impossible" in line for line in lines)


def test_a_file_that_was_changed_is_refused(gw: Gw) -> None:
    cycle = a_cycle()
    Path("a.cycle").write_bytes(cycle[:-40] + bytes([cycle[-40] ^ 1]) + cycle[-39:])
    result = gw("sim", "replay", "a.cycle")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert "Traceback" not in result.stderr
