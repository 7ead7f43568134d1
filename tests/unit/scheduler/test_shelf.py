"""The log of states, and an index of many racks through changes that are too many to be read one by one."""

import random
from dataclasses import replace

import numpy as np
import pytest

from gigawatt.model.attempt import AttemptPhase
from gigawatt.model.job import Job, JobPhase
from gigawatt.model.world import World
from gigawatt.scheduler.decide import decide, finish
from gigawatt.scheduler.encode import Encoder
from gigawatt.scheduler.log import LINES_MAX, Log
from gigawatt.scheduler.policy import Policy
from gigawatt.scheduler.shelf import ONE_BY_ONE_MAX
from tests.scenario.build import (
    NOW_MS,
    apply_starts,
    make_job,
    make_node,
    make_shape,
    make_world,
)

RACK_NODES = 9
RACKS = ONE_BY_ONE_MAX // 4
POLICY = Policy(hold_after_ms=1 << 50)


def site() -> World:
    nodes = [
        make_node(f"n{rack:03}-{place}", gpus=4, cpus=16, place=f"s/h/p/l{rack // 8}/r{rack:03}/d")
        for rack in range(RACKS)
        for place in range(RACK_NODES)
    ]
    return make_world(nodes, [])


def gang(chance: random.Random, name: str) -> Job:
    nodes = chance.choice((1, 1, 2, 4, 8, RACK_NODES, RACK_NODES + 1))
    milli_gpu = 4000 if nodes > 1 else chance.choice((500, 1000, 2000, 4000))
    same = chance.choice(("", "rack"))
    return make_job(name, make_shape(nodes, milli_gpu=milli_gpu, same=same))


@pytest.mark.parametrize("seed", range(3))
def test_many_racks_are_filled_as_without_an_index(seed: int) -> None:
    chance, world, encoder = random.Random(seed), site(), Encoder(indexed_from=1)
    for node in world.nodes.values():
        encoder.apply(node)
    for cycle in range(4):
        for index in range(150):
            job = gang(chance, f"job-{cycle}-{index:03}")
            world.put(job)
            encoder.apply(job)
        snapshot = encoder.snapshot(NOW_MS + cycle)
        decision = finish(snapshot, POLICY, encoder.memo).decision()
        assert decision == decide(snapshot, POLICY)
        for work in apply_starts(world, decision):
            encoder.apply(work)
        for job in list(world.jobs.values()):
            if job.attempt and job.attempt.live and chance.random() < 0.7:
                over = job.with_attempt(job.attempt.moved(AttemptPhase.ENDED))
                done = replace(over, phase=JobPhase.SUCCEEDED, ended_ms=NOW_MS)
                world.put(done)
                encoder.apply(done)


def test_a_log_tells_lines_moves_and_states() -> None:
    log = Log(np.array([1, 1, 1, 2], dtype=np.int32), [0, 0, 0, 1])
    log.put([0, 1], [5, 5])
    log.put([2, 3], [5, 6])
    assert log.moves_since(0) == [(0, 1, 5, 2), (0, 1, 5, 1), (1, 2, 6, 1)]
    assert [each.tolist() for each in log.since(2)] == [[2, 3], [1, 2], [5, 6]]
    assert log.codes.tolist() == [*log.code] == [5, 5, 5, 6, 0]


def test_a_log_lets_old_lines_go_and_says_so() -> None:
    log = Log(np.zeros(1, dtype=np.int32), [0])
    for state in range(1, LINES_MAX + 3):
        log.put([0], [state])
    seen = log.count
    log.trim()
    assert log.lost(seen - 1)
    assert not log.lost(seen)
    log.put([0], [7])
    assert log.codes.tolist() == [7, 0]
    assert log.moves_since(log.moves - 1) == [(0, LINES_MAX + 2, 7, 1)]
