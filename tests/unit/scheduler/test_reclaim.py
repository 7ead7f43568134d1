"""Who gives back what is borrowed, and how much of it."""

from dataclasses import replace
from typing import Any

from gigawatt.model.job import Job
from gigawatt.model.plan import Plan, Taking
from gigawatt.model.quota import Bounds, Entitlement
from gigawatt.model.tenant import Project, Tenant
from gigawatt.model.world import World
from gigawatt.scheduler.decide import decide
from gigawatt.scheduler.encode import encode_cold
from gigawatt.scheduler.policy import Policy
from tests.scenario.build import (
    NOW_MS,
    apply_starts,
    make_job,
    make_node,
    make_shape,
    make_world,
)

RECLAIM = Policy(reclaim=True, min_run_ms=0)
NODES, GPUS = 4, 4


def gpus(amount: int, **more: Any) -> Entitlement:
    return Entitlement(quota=Bounds(milli_gpu=1000 * amount), **more)


def site(running: list[Job], waiting: list[Job], **projects: Entitlement) -> World:
    """Sixteen GPUs; what is to run runs before anybody has a quota."""
    nodes = [make_node(f"n{n}", gpus=GPUS, cpus=64) for n in range(NODES)]
    world = make_world(nodes, running)
    apply_starts(world, decide(encode_cold(world, NOW_MS), Policy()))
    world.put(Tenant(id="default", created_ms=0))
    for name, entitlement in projects.items():
        project = Project(id=f"default/{name}", tenant="default", name=name, created_ms=0)
        world.put(replace(project, entitlement=entitlement))
    for job in waiting:
        world.put(job)
    return world


def jobs(project: str, count: int, nodes: int = 1, gpus: int = 1, **more: Any) -> list[Job]:
    shape = make_shape(nodes, milli_gpu=1000 * gpus)
    return [make_job(f"{project}-{n:02}", shape, project=project, **more) for n in range(count)]


def plans(world: World, policy: Policy = RECLAIM) -> tuple[Plan, ...]:
    return decide(encode_cold(world, NOW_MS + 1, plans=True), policy).plans


def test_the_owner_of_a_quota_gets_back_all_of_it_and_no_more() -> None:
    world = site(jobs("b", 16), jobs("a", 1, nodes=2, gpus=4), a=gpus(8), b=gpus(8))
    (plan,) = plans(world)
    assert (plan.taking, len(plan.victims)) == (Taking.RECLAIM, 8)
    assert {victim.gang.partition("-")[0] for victim in plan.victims} == {"b"}


def test_who_is_within_the_quota_gives_nothing() -> None:
    world = site(jobs("b", 16), jobs("a", 1, nodes=2, gpus=4), a=gpus(8), b=gpus(16))
    assert plans(world) == ()
    world = site(jobs("b", 16), jobs("a", 1, nodes=2, gpus=4), a=gpus(8), b=gpus(9))
    assert plans(world) == (), "seven are borrowed, and eight are asked for"


def test_who_would_borrow_takes_nothing() -> None:
    world = site(jobs("b", 16), jobs("a", 1, nodes=2, gpus=4), a=gpus(7), b=gpus(8))
    assert plans(world) == ()


def test_nothing_is_taken_where_the_policy_does_not_reclaim() -> None:
    world = site(jobs("b", 16), jobs("a", 1, nodes=2, gpus=4), a=gpus(8), b=gpus(8))
    assert plans(world, replace(RECLAIM, reclaim=False, preempt=True)) == ()


def test_the_lowest_priority_gives_first_and_a_project_without_a_quota_all_that_is_needed() -> None:
    low = jobs("c", 8, priority=0)
    high = jobs("b", 8, priority=5)
    world = site([*low, *high], jobs("a", 1, nodes=1, gpus=4), a=gpus(4), b=gpus(4))
    (plan,) = plans(world)
    assert len(plan.victims) == 4
    assert {victim.gang.partition("-")[0] for victim in plan.victims} <= {"b", "c"}


def test_within_one_parent_its_children_settle_it_and_others_are_left_alone() -> None:
    teams = {
        "top": gpus(12),
        "a": gpus(4, parent="top"),
        "b": gpus(4, parent="top"),
        "other": gpus(4),
    }
    world = site([*jobs("b", 12), *jobs("other", 4)], jobs("a", 1, gpus=4), **teams)
    (plan,) = plans(world)
    assert {victim.gang.partition("-")[0] for victim in plan.victims} == {"b"}


def test_what_is_planned_for_one_gang_counts_when_the_next_is_looked_at() -> None:
    world = site(jobs("b", 16), jobs("a", 2, nodes=2, gpus=4), a=gpus(8), b=gpus(0))
    assert [plan.gang for plan in plans(world)] == ["a-00"]
