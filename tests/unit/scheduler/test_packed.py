"""The policies that pack, as the way a place is chosen by the cycle: they agree with what `gw sim pack` compares."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest

from gigawatt.model.world import World
from gigawatt.scheduler.decide import decide
from gigawatt.scheduler.encode import encode_cold
from gigawatt.scheduler.packing.classic import size_of
from gigawatt.scheduler.packing.facts import WHOLE, Node, shapes_of
from gigawatt.scheduler.packing.names import RANDOM
from gigawatt.scheduler.packing.now import asks_of, cluster_of
from gigawatt.scheduler.packing.policies import policy_of
from gigawatt.scheduler.policy import PACKING, POLICIES, Policy
from gigawatt.scheduler.snapshot import CPU, Snapshot
from tests.scenario.build import (
    NOW_MS,
    apply_starts,
    make_job,
    make_node,
    make_shape,
    make_world,
)

SHAPES = [
    make_shape(milli_gpu=300, milli_cpu=4000),
    make_shape(milli_gpu=470, milli_cpu=6000),
    make_shape(milli_gpu=810, milli_cpu=2000),
    make_shape(milli_gpu=1000, milli_cpu=12000),
    make_shape(milli_gpu=1000, milli_cpu=3000, kinds=["a100"]),
    make_shape(milli_gpu=2000, milli_cpu=16000),
    make_shape(milli_gpu=8000, milli_cpu=64000),
    make_shape(milli_cpu=8000),
]


def a_site() -> World:
    """Nodes of two kinds and of none; the largest is as large as packing's scores take the largest to be."""
    return make_world(
        [
            *[make_node(f"a{n}", gpus=4, kind="a100", cpus=64, memory=512) for n in range(3)],
            *[make_node(f"h{n}", gpus=8, cpus=128, memory=512) for n in range(3)],
            make_node("x", cpus=96, memory=512),
        ],
        [],
    )


def rated(snapshot: Snapshot, name: str) -> tuple[str, int]:
    """Where the one gang that waits would go by `packing`: the node, and what is free of the device for a share."""
    asks, nodes, gangs = asks_of(snapshot), snapshot.nodes, snapshot.gangs
    policy, shapes = policy_of(name, cluster_of(nodes), asks), shapes_of(asks)
    milli, cpu, _ = gangs.per_node_GK[0].tolist()
    kinds = gangs.kind_lists[int(gangs.kinds_G[0])]
    shape = next(
        s
        for s in range(1, len(shapes.cpu_S))
        if shapes.cpu_S[s] == cpu and shapes.demand_S[s] == milli
    )
    best = (-np.inf, "", 0)
    for row, name_of_it in enumerate(nodes.ids):
        free: list[int] = nodes.device_free_ND[row, : nodes.device_count_N[row]].tolist()
        kind = nodes.gpu_kinds[int(nodes.gpu_kind_N[row])] if free else ""
        there = milli < WHOLE and milli <= max(free, default=0)
        there |= milli >= WHOLE and free.count(WHOLE) * WHOLE >= milli
        if nodes.free_NK[row, CPU] < cpu or not there or (kinds and kind not in kinds):
            continue
        held = nodes.use_gpu_NU[row, : nodes.gangs_N[row]].tolist()
        sizes = {size_of(each // WHOLE, min(each, WHOLE)) for each in held if each}
        node = Node(
            model=max(int(nodes.gpu_kind_N[row]), 0),
            cpu=int(nodes.free_NK[row, CPU]),
            free=tuple(sorted(free, reverse=True)),
            held=frozenset(sizes) if policy.sees_held else frozenset(),
        )
        rating = policy.rate(node)
        if rating.score_S[shape] > best[0]:
            best = float(rating.score_S[shape]), name_of_it, int(rating.level_S[shape])
    return best[1], best[2]


@pytest.mark.parametrize("name", [fit.value for fit in PACKING if fit != RANDOM])
def test_the_cycle_puts_each_gang_where_packing_rates_a_node_best(name: str) -> None:
    world, chance, placed = a_site(), Random(7), 0
    for number in range(60):
        at_ms = NOW_MS + number
        world.put(make_job(f"j{number:02d}", chance.choice(SHAPES), queued_ms=at_ms))
        snapshot = encode_cold(world, at_ms)
        node, level = rated(snapshot, name)
        decision = decide(snapshot, POLICIES[name])
        assert [start.nodes for start in decision.starts] == ([(node,)] if node else [])
        for start in decision.starts:
            milli = world.jobs[start.gang].spec.shape.per_node.milli_gpu
            devices = snapshot.nodes.device_free_ND[snapshot.nodes.row(node)]
            if 0 < milli < WHOLE:
                assert devices[list(start.gpus[0])].tolist() == [level]
            placed += 1
        apply_starts(world, decision)
        for job in [*world.jobs.values()]:
            if job.attempt is None:
                del world.jobs[job.id]  # what does not fit is gone, as in `gw sim pack`
    assert placed > 20


def test_random_places_are_of_the_seed_and_the_time_and_of_nothing_else() -> None:
    nodes = [make_node(f"n{n:02d}", gpus=8, cpus=128) for n in range(20)]
    jobs = [make_job(f"j{n}", make_shape(milli_gpu=300), queued_ms=NOW_MS - n) for n in range(5)]
    world, drawn = make_world(nodes, jobs), POLICIES[RANDOM]

    def places(policy: Policy, now_ms: int) -> list[tuple[tuple[str, ...], object]]:
        decision = decide(encode_cold(world, now_ms), policy)
        return [(start.nodes, start.gpus) for start in decision.starts]

    assert places(drawn, NOW_MS) == places(drawn, NOW_MS)
    several = [
        places(replace(drawn, seed=seed), NOW_MS + at) for seed in range(24) for at in (0, 1)
    ]
    assert len({str(each) for each in several}) == len(several)
    assert {nodes[0] for each in several for nodes, _ in each} == {node.id for node in nodes}


@pytest.mark.parametrize("name", [fit.value for fit in PACKING])
def test_a_gang_of_several_nodes_still_lies_in_the_tightest_domain(name: str) -> None:
    nodes = [
        make_node(f"n{n}", gpus=4, cpus=16, place=f"s/h/p/l/r{rack}")
        for n, rack in enumerate((0, 1, 0, 1, 1, 0))
    ]
    world = make_world(nodes, [make_job("wide", make_shape(3, milli_gpu=4000))])
    starts = decide(encode_cold(world, NOW_MS), POLICIES[name]).starts
    assert [set(start.nodes) for start in starts] in [[{"n0", "n2", "n5"}], [{"n1", "n3", "n4"}]]
