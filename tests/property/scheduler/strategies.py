"""Random clusters, lines and histories, small enough to shrink and crowded enough to collide."""

from dataclasses import replace

from hypothesis import strategies as st

from gigawatt.model.endpoint import Replica
from gigawatt.model.gang import Isolation, Shape, Window
from gigawatt.model.job import Job
from gigawatt.model.node import Node, NodeState
from gigawatt.model.world import World
from gigawatt.scheduler.decide import decide
from gigawatt.scheduler.encode import encode_cold
from gigawatt.scheduler.policy import Policy
from tests.scenario.build import (
    NOW_MS,
    apply_starts,
    failed_on,
    make_job,
    make_node,
    make_replica,
    make_shape,
    make_world,
)

PLACES = ("", "s/h/p/l1/r1/d1", "s/h/p/l1/r1/d2", "s/h/p/l1/r2", "s/h/p/l2/r1/d1", "s//p//r2")
KINDS = ("a100", "h100")
NODE_IDS = tuple(f"node-{index}" for index in range(8))

policies = st.builds(
    Policy,
    hold_after_ms=st.sampled_from([0, 1_000, 600_000]),
    steps_max=st.sampled_from([1_000] * 8 + [3, 1]),
)
states = st.sampled_from([NodeState.READY] * 16 + list(NodeState))


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    least = draw(st.sampled_from([1, 1, 1, 2, 2, 3]))
    return make_shape(
        (least, least + draw(st.sampled_from([0, 0, 0, 1, 2]))),
        milli_gpu=draw(st.sampled_from([0, 0, 1000, 1000, 300, 400, 700, 700, 2000, 4000])),
        milli_cpu=draw(st.sampled_from([500, 500, 1000, 2000, 4000, 0, 3000, 1000, 500, 9000])),
        memory=draw(st.sampled_from([0, 0, 0, 1, 4, 8, 8, 8, 16, 48])),
        kinds=draw(
            st.sampled_from([()] * 8 + [("a100",), ("h100", "a100"), ("b200", "h100"), ("b200",)])
        ),
        same=draw(st.sampled_from([""] * 8 + ["nvlink", "rack", "leaf", "site"])),
    )


@st.composite
def nodes(draw: st.DrawFn, id: str) -> Node:
    return make_node(
        id,
        gpus=draw(st.sampled_from([4, 4, 2, 2, 1, 0])),
        kind=draw(st.sampled_from(KINDS)),
        cpus=draw(st.sampled_from([8, 8, 4, 4, 2])),
        memory=draw(st.sampled_from([32, 32, 16, 8])),
        place=draw(st.sampled_from(PLACES)),
        state=draw(states),
    )


@st.composite
def clusters(draw: st.DrawFn) -> list[Node]:
    count = draw(st.sampled_from([5, 8, 6, 4, 7, 8, 3, 2, 1, 0]))
    return [draw(nodes(node)) for node in NODE_IDS[:count]]


@st.composite
def waiting_jobs(draw: st.DrawFn, id: str) -> Job:
    job = make_job(
        id,
        draw(shapes()),
        priority=draw(st.sampled_from([0, 0, 0, 10])),
        queued_ms=NOW_MS - draw(st.sampled_from([0, 1, 5_000, 700_000])),
        isolation=draw(st.sampled_from([Isolation.PROCESS] * 4 + [Isolation.NODE])),
        windows=draw(st.sampled_from([()] * 7 + [(Window(start_ms=NOW_MS + 1),)])),
        project=draw(st.sampled_from(["one", "two"])),
    )
    suspects = draw(st.sampled_from([[], [], [], ["node-0"], ["node-0", "node-1"], ["node-9"]]))
    return failed_on(job, suspects) if suspects else job


@st.composite
def waiting_replicas(draw: st.DrawFn, id: str) -> Replica:
    return make_replica(id, draw(shapes()), queued_ms=NOW_MS - draw(st.integers(0, 5)))


@st.composite
def lines(draw: st.DrawFn, prefix: str) -> list[Job | Replica]:
    jobs = [
        draw(waiting_jobs(f"{prefix}-{index}"))
        for index in range(draw(st.sampled_from([4, 2, 6, 1, 0])))
    ]
    replicas = [
        draw(waiting_replicas(f"rep-{prefix}-{index}")) for index in range(draw(st.integers(0, 2)))
    ]
    return [*jobs, *replicas]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A cluster on which some gangs already run, some nodes have changed since, and others wait."""
    world = make_world(draw(clusters()), draw(lines("old")))
    apply_starts(world, decide(encode_cold(world, NOW_MS), Policy()))
    for node in list(world.nodes.values()):
        world.put(replace(node, state=draw(states)))
    for work in draw(lines("new")):
        world.put(work)
    return world
