"""Random clusters, lines and histories, small enough to shrink and crowded enough to collide."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from math import prod
from typing import Any

from hypothesis import strategies as st

from gigawatt.model.endpoint import Replica
from gigawatt.model.gang import Isolation, Shape, Window
from gigawatt.model.job import Job
from gigawatt.model.node import Node, NodeState
from gigawatt.model.quota import Bounds, Entitlement, ProjectUse
from gigawatt.model.resources import Resources
from gigawatt.model.tenant import Project, Tenant
from gigawatt.model.world import World
from gigawatt.scheduler.decide import decide
from gigawatt.scheduler.encode import encode_cold
from gigawatt.scheduler.policy import Fit, Line, Order, Policy
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

NODE_IDS = tuple(f"node-{index}" for index in range(8))
STATES = [NodeState.READY] * 16 + list(NodeState)
PLACES = ("", "s/h/p/l1/r1/d1", "s/h/p/l1/r1/d2", "s/h/p/l1/r2", "s/h/p/l2/r1/d1", "s//p//r2")
NODE = {
    "gpus": [4, 4, 2, 2, 1, 0],
    "kind": ["h100", "a100"],
    "cpus": [8, 8, 4, 4, 2],
    "memory": [32, 32, 16, 8],
    "place": PLACES,
    "state": STATES,
    "cached": [(), (), ("a",), ("a", "b"), ("c",)],
}
SHAPE = {
    "nodes": [1, 1, 1, 1, 2, 2, 3, (1, 2), (1, 3), (2, 3), (3, 5)],
    "milli_gpu": [0, 0, 1000, 1000, 300, 400, 700, 700, 2000, 4000],
    "milli_cpu": [500, 500, 1000, 2000, 4000, 0, 3000, 1000, 500, 9000],
    "memory": [0, 0, 0, 1, 4, 8, 8, 8, 16, 48],
    "kinds": [()] * 8 + [("a100",), ("h100", "a100"), ("b200", "h100"), ("b200",)],
    "stacked": [False, False, True],
    "same": [""] * 8 + ["nvlink", "rack", "leaf", "site"],
}
CLAIM = {
    "priority": [0, 0, 0, 10],
    "queued_ms": [NOW_MS, NOW_MS - 1, NOW_MS - 5_000, NOW_MS - 700_000],
    "isolation": [Isolation.PROCESS] * 6 + [Isolation.NODE],
    "windows": [()] * 7 + [(Window(start_ms=NOW_MS + 1),)],
    "project": ["one", "two"],
    "data": [(), (), (("a", 5 << 30),), (("a", 1), ("b", 7 << 30))],
    "timeout_s": [0, 60, 600, 601],
    "suspects": [(), (), (), ("node-0", "node-1", "node-2"), NODE_IDS[1:], NODE_IDS[2:]],
}

PROJECTS = ("one", "two", "default")
ENTITLEMENT = {
    "quota": [
        Bounds(),
        Bounds(milli_gpu=2000),
        Bounds(milli_cpu=3000, milli_gpu=0),
        Bounds(milli_gpu=4000, milli_cpu=8000, memory_bytes=32 << 30),
    ],
    "limit": [
        Bounds(),
        Bounds(),
        Bounds(milli_gpu=4000),
        Bounds(milli_cpu=8000, memory_bytes=48 << 30),
        Bounds(milli_gpu=0),
    ],
    "weight": [1, 1, 2, 7],
    "strict": [False, False, True],
}
CROWD_TERMS = {
    "quota": [None, 2000, 4000, 6000],
    "limit": [None, None, None, 8000, 10_000],
    "weight": [1, 1, 5],
    "strict": [False, False, True],
}
CROWD = {
    "nodes": [1, 1, 1, (1, 2)],
    "milli_cpu": [1000, 2000, 3000, 4000, 6000],
    "priority": [0, 0, 10, 100],
    "queued_ms": [NOW_MS, NOW_MS - 1, NOW_MS - 5_000, NOW_MS - 700_000],
    "project": ["one", "two", "default"],
}
USE = {
    "at_ms": [NOW_MS, NOW_MS - 3_600_000, NOW_MS - 30 * 86_400_000],
    "used": [0, 1000, 4000],
    "gpus": [0, 500, 3000],
    "cpus": [0, 100, 7000],
}

policies = st.builds(
    Policy,
    hold_after_ms=st.sampled_from([0, 1_000, 600_000]),
    steps_max=st.sampled_from([1_000] * 8 + [3, 1]),
    line=st.sampled_from([Line.BACKFILL] * 3 + list(Line)),
    fit=st.sampled_from(list(Fit)),
)
sharing = st.builds(
    Policy,
    hold_after_ms=st.sampled_from([1_000, 600_000, 1 << 50]),
    starve_after_ms=st.sampled_from([0, 600_000]),
    steps_max=st.sampled_from([1_000] * 4 + [2]),
    line=st.sampled_from([Line.BACKFILL] * 4 + list(Line)),
    order=st.sampled_from([Order.FAIR] * 4 + list(Order)),
)
states = st.sampled_from(STATES)


def mixtures(choices: Mapping[str, Sequence[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """One of each of the choices, all picked by a single number: many small draws are what takes time."""

    def decoded(number: int) -> dict[str, Any]:
        picked: dict[str, Any] = {}
        for name, options in choices.items():
            number, index = divmod(number, len(options))
            picked[name] = options[index]
        return picked

    return st.integers(0, prod(map(len, choices.values())) - 1).map(decoded)


shapes = mixtures(SHAPE).map(lambda fields: _shape(**fields))
claims = mixtures(CLAIM)


@cache
def nodes(node: str) -> st.SearchStrategy[Node]:
    return mixtures(NODE).map(lambda fields: make_node(node, **fields))


@st.composite
def clusters(draw: st.DrawFn) -> list[Node]:
    count = draw(st.sampled_from([5, 8, 6, 4, 7, 8, 5, 6, 4, 7, 3, 2, 1, 0]))
    return [draw(nodes(node)) for node in NODE_IDS[:count]]


@cache
@st.composite
def waiting_jobs(draw: st.DrawFn, name: str) -> Job:
    claim = draw(claims)
    suspects = claim.pop("suspects")
    job = make_job(name, draw(shapes), **claim)
    return failed_on(job, suspects) if suspects else job


@cache
def waiting_replicas(name: str) -> st.SearchStrategy[Replica]:
    return shapes.map(lambda shape: make_replica(name, shape))


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


@st.composite
def shared_worlds(draw: st.DrawFn, *, flat: bool = False) -> World:
    """A world whose projects have quotas, limits, weights and a past."""
    world = draw(worlds())
    world.put(Tenant(id="default", created_ms=0))
    for name in PROJECTS:
        world.put(draw(entitled(name, flat=flat)))
    for name in draw(st.lists(st.sampled_from(PROJECTS), unique=True)):
        world.put(draw(uses(name)))
    return world


@st.composite
def crowded_worlds(draw: st.DrawFn) -> World:
    """A few nodes that cannot hold all that wants them, and projects side by side that are guaranteed some."""
    world = make_world([make_node(node, cpus=8) for node in NODE_IDS[: draw(st.integers(1, 2))]])
    world.put(Tenant(id="default", created_ms=0))
    for name in PROJECTS:
        world.put(draw(mixtures(CROWD_TERMS).map(partial(_crowded, name))))
    for index in range(draw(st.integers(4, 10))):
        fields = draw(mixtures(CROWD))
        shape = make_shape(fields["nodes"], milli_cpu=fields["milli_cpu"])
        claim = {name: fields[name] for name in ("priority", "queued_ms", "project")}
        world.put(make_job(f"job-{index}", shape, **claim))
    return world


def _crowded(name: str, fields: Mapping[str, Any]) -> Project:
    quota, limit = Bounds(milli_cpu=fields["quota"]), Bounds(milli_cpu=fields["limit"])
    strict = fields["strict"]
    return _project(
        name, quota=quota, limit=limit, strict=strict, weight=fields["weight"], parent=""
    )


@cache
def entitled(name: str, *, flat: bool = False) -> st.SearchStrategy[Project]:
    """A project; unless all are `flat`, one may be part of those before it."""
    above = ("",) if flat else ("", "", *PROJECTS[: PROJECTS.index(name)])
    return mixtures({**ENTITLEMENT, "parent": above}).map(lambda fields: _project(name, **fields))


@cache
def uses(name: str) -> st.SearchStrategy[ProjectUse]:
    return mixtures(USE).map(
        lambda fields: ProjectUse(
            id=f"default/{name}",
            tenant="default",
            project=name,
            at_ms=fields["at_ms"],
            used=Resources(milli_gpu=fields["used"]),
            average=Resources(milli_gpu=fields["gpus"], milli_cpu=fields["cpus"]),
        )
    )


def _project(name: str, *, quota: Bounds, limit: Bounds, strict: bool, **more: Any) -> Project:
    """What has no quota borrows."""
    borrows = not (strict and quota != Bounds())
    terms = Entitlement(quota=quota, limit=limit, borrows=borrows, **more)
    return Project(
        id=f"default/{name}", tenant="default", name=name, created_ms=0, entitlement=terms
    )


def _shape(*, nodes: int | tuple[int, int], milli_gpu: int, stacked: bool, **more: Any) -> Shape:
    """What cannot be stacked is not."""
    whole = milli_gpu % 1000 == 0 and isinstance(nodes, int)
    return make_shape(nodes, milli_gpu=milli_gpu, stacked=stacked and whole, **more)
