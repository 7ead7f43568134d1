"""A recorded cycle is exact, checks itself, and is decided to the same bytes anywhere."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gigawatt.model.decision import Decision, Start, Wait
from gigawatt.model.gang import Window
from gigawatt.model.reason import Reason, ReasonCode
from gigawatt.model.refusal import RefusalError
from gigawatt.scheduler.decide import decide
from gigawatt.scheduler.encode import encode_cold
from gigawatt.scheduler.policy import Policy
from gigawatt.scheduler.record import MAGIC, decision_bytes, decision_sha256, dump, load
from gigawatt.scheduler.snapshot import Snapshot
from tests.scenario.build import NOW_MS, failed_on, make_job, make_node, make_shape, make_world

POLICY = Policy(hold_after_ms=7, steps_max=99)
REPLAY = """
import sys
from gigawatt.scheduler.decide import decide
from gigawatt.scheduler.record import decision_sha256, load
print(decision_sha256(decide(*load(sys.stdin.buffer.read()))))
"""


def a_snapshot() -> Snapshot:
    nodes = [make_node(f"n{index}", gpus=2, place=f"s/h/p/l/r{index % 3}") for index in range(9)]
    jobs = [
        make_job("wide", make_shape(4, milli_gpu=2000, same="leaf", kinds=["h100", "a100"])),
        make_job("later", make_shape(), windows=(Window(start_ms=NOW_MS + 5),)),
        failed_on(make_job("again", make_shape(2, milli_gpu=500)), ["n1", "n2"]),
        make_job("huge", make_shape(100), project="other"),
    ]
    return encode_cold(make_world(nodes, jobs), NOW_MS, resume="wide")


def test_what_is_loaded_is_what_was_dumped() -> None:
    recorded = dump(a_snapshot(), POLICY)
    snapshot, policy = load(recorded)
    assert policy == POLICY
    assert snapshot.resume == "wide"
    assert snapshot.gangs.kind_lists == ((), ("h100", "a100"))
    assert snapshot.nodes.domains == a_snapshot().nodes.domains
    assert np.array_equal(snapshot.nodes.free_NK, a_snapshot().nodes.free_NK)
    assert dump(snapshot, policy) == recorded
    assert decide(snapshot, policy) == decide(a_snapshot(), POLICY)


def test_an_empty_cluster_is_recorded_too() -> None:
    recorded = dump(encode_cold(make_world(), NOW_MS), POLICY)
    assert dump(*load(recorded)) == recorded
    assert decide(*load(recorded)) == Decision(starts=(), waits=(), steps=0)


SPOILT: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda recorded: recorded[:0], "not a recorded cycle"),
    "another format": (lambda recorded: b"PK" + recorded, "not a recorded cycle"),
    "another version": (
        lambda recorded: recorded.replace(MAGIC, b"gigawatt cycle 1\n"),
        "of this version",
    ),
    "cut short": (lambda recorded: recorded[:-1], "cut short or changed"),
    "nothing but magic": (lambda recorded: recorded[: len(MAGIC)], "cut short or changed"),
    "changed": (lambda recorded: recorded[:100] + b"!" + recorded[101:], "cut short or changed"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_what_is_no_recorded_cycle_is_refused(name: str) -> None:
    spoil, finding = SPOILT[name]
    with pytest.raises(RefusalError, match=finding):
        load(spoil(dump(a_snapshot(), POLICY)))


def test_a_record_whose_columns_are_not_ours_is_refused() -> None:
    recorded = dump(a_snapshot(), POLICY).replace(
        b'"name":"nodes.free_NK"', b'"name":"nodes.eerf_NK"'
    )
    body = recorded[:-32]
    with pytest.raises(RefusalError, match="columns"):
        load(body + hashlib.sha256(body).digest())


def test_the_bytes_of_a_decision_are_canonical_json() -> None:
    reason = Reason(code=ReasonCode.RESOURCES_BUSY, resource="nodes", need=2, have=1)
    decision = Decision(
        starts=(Start(gang="a", nodes=("n1",), gpus=((0, 1),)),),
        waits=(Wait(gang="b", position=1, reason=reason),),
        steps=2,
    )
    assert decision_bytes(decision) == (
        b'{"again_ms":0,"growth":null,"hold":null,"lapses":[],"plans":[],"resume":"","starts":[{"borrows":"","gang":"a",'
        b'"gpus":[[0,1]],"nodes":["n1"],"places":[],"spares":[]}],"steps":2,'
        b'"waits":[{"gang":"b","position":1,"reason":{"code":"resources_busy","detail":"",'
        b'"have":1,"need":2,"resource":"nodes"}}]}'
    )
    assert decision_sha256(decision) == hashlib.sha256(decision_bytes(decision)).hexdigest()
    assert decision_sha256(decision) != decision_sha256(replace(decision, steps=3))


@pytest.mark.slow
def test_another_process_with_another_hash_seed_decides_the_same_bytes(tmp_path: Path) -> None:
    recorded = dump(a_snapshot(), POLICY)
    told = {
        subprocess.run(
            [sys.executable, "-c", REPLAY],
            input=recorded,
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=tmp_path,
            check=True,
            capture_output=True,
        ).stdout.decode()
        for seed in ("0", "1", "4242")
    }
    assert told == {decision_sha256(decide(*load(recorded))) + "\n"}
