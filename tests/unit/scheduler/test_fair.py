"""Whose turn it is: by quota, by what is owed, by wait."""

from dataclasses import replace
from typing import Any

import pytest

from gigawatt.model.attempt import AttemptPhase
from gigawatt.model.job import Job, JobPhase
from gigawatt.model.quota import Bounds, Entitlement, ProjectUse
from gigawatt.model.reason import ReasonCode
from gigawatt.model.resources import Resources
from gigawatt.model.tenant import Project, Tenant
from gigawatt.model.world import World
from gigawatt.scheduler.decide import decide
from gigawatt.scheduler.encode import encode_cold
from gigawatt.scheduler.explain import explain
from gigawatt.scheduler.owed import owed
from gigawatt.scheduler.policy import POLICIES, Line, Order, Policy
from gigawatt.scheduler.usage import brought_up
from tests.scenario.build import (
    GIB,
    NOW_MS,
    apply_starts,
    make_job,
    make_node,
    make_shape,
    make_world,
)

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def site(jobs: list[Job], *, cpus: int = 8, memory: int = 32, **projects: dict[str, Any]) -> World:
    """One node, the jobs, and projects with what they are entitled to."""
    world = make_world([make_node("n1", cpus=cpus, memory=memory)], jobs)
    world.put(Tenant(id="default", created_ms=0))
    for name, terms in projects.items():
        project = Project(id=f"default/{name}", tenant="default", name=name, created_ms=0)
        world.put(replace(project, entitlement=Entitlement(**terms)))
    return world


def line_of(project: str, count: int, cores: int = 1, memory: int = 0, **claim: Any) -> list[Job]:
    shape = make_shape(milli_cpu=1000 * cores, memory=memory)
    return [make_job(f"{project}-{n}", shape, project=project, **claim) for n in range(count)]


def starts(world: World, policy: Policy | None = None) -> list[str]:
    return [start.gang for start in decide(encode_cold(world, NOW_MS), policy or Policy()).starts]


def cores(amount: int) -> Bounds:
    return Bounds(milli_cpu=1000 * amount)


def test_the_example_of_the_paper_on_dominant_resource_fairness() -> None:
    jobs = [*line_of("a", 6, cores=1, memory=4), *line_of("b", 6, cores=3, memory=1)]
    world = site(jobs, cpus=9, memory=18, a={"weight": 2}, b={"weight": 2})
    started = starts(world)
    assert started == ["a-0", "b-0", "a-1", "b-1", "a-2"]
    left = {each.id: each for each in owed(encode_cold(world, NOW_MS), Policy())}
    assert left["default/a"].share == 0.0
    apply_starts(world, decide(encode_cold(world, NOW_MS), Policy()))
    after = {each.id: each for each in owed(encode_cold(world, NOW_MS), Policy())}
    assert after["default/a"].share == pytest.approx(12 / 18 / 2)
    assert after["default/b"].share == pytest.approx(6 / 9 / 2)


def test_weights_divide_what_is_there() -> None:
    jobs = [*line_of("a", 9), *line_of("b", 9)]
    started = starts(site(jobs, cpus=8, a={"weight": 3}, b={"weight": 1}))
    assert sum(gang.startswith("a") for gang in started) == 6


def test_a_project_within_its_quota_comes_before_older_work_that_borrows() -> None:
    old = line_of("a", 8, queued_ms=NOW_MS - HOUR_MS, priority=1000)
    started = starts(site([*old, *line_of("b", 8)], a={}, b={"quota": cores(6)}))
    assert sum(gang.startswith("b") for gang in started) == 6
    assert started[:6] == [f"b-{n}" for n in range(6)]


def test_a_small_gang_within_the_quota_is_not_hidden_by_a_large_one_of_its_project() -> None:
    large = line_of("b", 1, cores=8, priority=10, queued_ms=NOW_MS - HOUR_MS)
    small = make_job("small", make_shape(milli_cpu=4000), project="b")
    busy = line_of("a", 8, queued_ms=NOW_MS - DAY_MS)
    assert starts(site([*large, *busy, small], a={}, b={"quota": cores(4)}))[0] == "small"


def test_a_guarantee_of_a_parent_holds_for_whichever_child_asks() -> None:
    jobs = [*line_of("a", 8, queued_ms=NOW_MS - HOUR_MS), *line_of("child", 8)]
    world = site(jobs, a={}, team={"quota": cores(6)}, child={"parent": "team"})
    assert starts(world)[:6] == [f"child-{n}" for n in range(6)]


def test_a_limit_of_a_parent_holds_for_all_of_its_children_together() -> None:
    jobs = [*line_of("one", 8), *line_of("two", 8)]
    world = site(jobs, team={"limit": cores(5)}, one={"parent": "team"}, two={"parent": "team"})
    decision = decide(encode_cold(world, NOW_MS), Policy())
    assert len(decision.starts) == 5
    reason = decision.waits[0].reason
    assert (reason.code, reason.resource, reason.need, reason.have) == (
        ReasonCode.LIMIT,
        "milli_cpu",
        1000,
        0,
    )
    assert reason.detail == "left of the limit of default/team"


def test_a_project_that_does_not_borrow_waits_though_nodes_are_free() -> None:
    world = site(line_of("a", 4), a={"quota": cores(2), "borrows": False})
    decision = decide(encode_cold(world, NOW_MS), Policy())
    assert len(decision.starts) == 2
    assert {wait.reason.code for wait in decision.waits} == {ReasonCode.QUOTA_EXCEEDED}


def test_who_borrows_is_told_so() -> None:
    decision = decide(encode_cold(site(line_of("a", 2), a={"quota": cores(1)}), NOW_MS), Policy())
    assert [start.borrows for start in decision.starts] == ["", "default"]


def test_an_elastic_gang_is_cut_to_the_limit() -> None:
    nodes = [make_node(f"n{n}", cpus=8) for n in range(4)]
    job = make_job("elastic", make_shape((1, 4), milli_cpu=4000), project="a")
    world = site([job], a={"limit": cores(11)})
    for node in nodes:
        world.put(node)
    decision = decide(encode_cold(world, NOW_MS), Policy())
    assert len(decision.starts[0].nodes) == 2


def test_who_used_much_of_late_is_owed_less() -> None:
    world = site([*line_of("a", 4), *line_of("b", 4)], cpus=4, a={"weight": 2}, b={"weight": 2})
    world.put(
        ProjectUse(
            id="default/a",
            tenant="default",
            project="a",
            at_ms=NOW_MS,
            used=Resources(),
            average=Resources(milli_cpu=2000),
        )
    )
    assert starts(world) == ["b-0", "b-1", "a-0", "b-2"]
    assert starts(world, Policy(history_percent=0)) == ["a-0", "b-0", "a-1", "b-1"]


def test_an_average_halves_in_a_half_life_and_tends_to_what_is_used() -> None:
    use = ProjectUse(
        id="t/p",
        tenant="t",
        project="p",
        at_ms=0,
        used=Resources(milli_gpu=1000),
        average=Resources(milli_gpu=4000, milli_cpu=8000),
    )
    assert brought_up(use, now_ms=DAY_MS, half_life_ms=DAY_MS) == Resources(
        milli_gpu=2500, milli_cpu=4000
    )
    later = brought_up(use, now_ms=100 * DAY_MS, half_life_ms=DAY_MS)
    assert later == Resources(milli_gpu=1000)


def test_a_claim_grows_with_the_wait() -> None:
    running = line_of("a", 3)
    world = site(running, cpus=8, a={"weight": 2}, b={"weight": 2})
    apply_starts(world, decide(encode_cold(world, NOW_MS), Policy()))
    world.put(make_job("b-now", make_shape(milli_cpu=2000), project="b"))
    apply_starts(world, decide(encode_cold(world, NOW_MS), Policy()))
    shape = make_shape(milli_cpu=3000)
    world.put(make_job("b-next", shape, project="b"))
    world.put(make_job("a-next", shape, project="a", queued_ms=NOW_MS))
    assert starts(world) == ["b-next"]
    world.put(make_job("a-next", shape, project="a", queued_ms=NOW_MS - DAY_MS))
    assert starts(world) == ["a-next"]


def test_what_serves_comes_first_among_those_that_borrow() -> None:
    jobs = [*line_of("a", 8), *line_of("b", 8, priority=100)]
    world = site(jobs, a={"weight": 1000}, b={})
    assert all(gang.startswith("b") for gang in starts(world))
    few = Policy(urgent_from=101)
    assert sum(gang.startswith("a") for gang in starts(world, few)) == 7


def test_no_gang_starves_however_much_is_guaranteed_to_others() -> None:
    """The cluster is guaranteed to others, who always ask for more; a gang of all nodes starts all the same."""
    policy = Policy(starve_after_ms=10 * HOUR_MS)
    world = site([], cpus=8, rich={"quota": cores(8), "weight": 1000}, poor={})
    world.put(make_job("poor", make_shape(milli_cpu=8000), project="poor"))
    ended: list[str] = []
    for hour in range(24):
        now_ms = NOW_MS + hour * HOUR_MS
        for n in range(3):
            shape = make_shape(milli_cpu=3000)
            world.put(make_job(f"rich-{hour}-{n}", shape, project="rich", queued_ms=now_ms))
        placed = apply_starts(world, decide(encode_cold(world, now_ms), policy))
        if any(work.id == "poor" for work in placed):
            break
        live = [job for job in world.jobs.values() if job.attempt and job.attempt.live]
        oldest = min(live, key=lambda job: (job.queued_ms, job.id))
        assert oldest.attempt
        done = oldest.with_attempt(oldest.attempt.moved(AttemptPhase.ENDED))
        world.put(replace(done, phase=JobPhase.SUCCEEDED, ended_ms=now_ms))
        ended.append(oldest.id)
    assert world.jobs["poor"].phase is JobPhase.STARTING
    assert len(ended) <= 13


def test_a_strict_line_is_closed_to_those_behind_one_of_their_project_alone() -> None:
    large = line_of("a", 1, cores=4, queued_ms=NOW_MS - 2)
    small = make_job("a-small", make_shape(), project="a", queued_ms=NOW_MS - 1)
    world = site([*large, small, *line_of("b", 2)], a={"limit": cores(3)}, b={})
    policy = Policy(line=Line.FIFO, order=Order.AGE)
    decision = decide(encode_cold(world, NOW_MS), policy)
    assert [start.gang for start in decision.starts] == ["b-0", "b-1"]
    assert [(wait.gang, wait.reason.code) for wait in decision.waits] == [
        ("a-0", ReasonCode.LIMIT),
        ("a-small", ReasonCode.BEHIND_HEAD),
    ]


def test_the_shortest_limit_first_and_those_without_last() -> None:
    limits = {"none": 0, "long": 900, "short": 60}
    jobs = [
        make_job(name, make_shape(milli_cpu=5000), timeout_s=limit)
        for name, limit in limits.items()
    ]
    decision = decide(encode_cold(make_world([make_node("n1")], jobs), NOW_MS), POLICIES["sjf"])
    assert [start.gang for start in decision.starts] == ["short"]
    assert [wait.gang for wait in decision.waits] == ["long", "none"]


def test_the_least_attained_service_needs_no_quota() -> None:
    jobs = [*line_of("a", 3, queued_ms=NOW_MS - 1), *line_of("b", 3)]
    world = site(jobs, cpus=4)
    snapshot = encode_cold(world, NOW_MS, shares=POLICIES["las"].needs_shares)
    started = [start.gang for start in decide(snapshot, POLICIES["las"]).starts]
    assert started == ["a-0", "b-0", "a-1", "b-1"]


def test_cohorts_try_the_oldest_within_quotas_before_the_oldest_that_borrows() -> None:
    jobs = [
        *line_of("a", 5, queued_ms=NOW_MS - 2),
        *line_of("b", 5, queued_ms=NOW_MS - 1),
    ]
    world = site(jobs, a={"quota": cores(2)}, b={"quota": cores(4)})
    started = starts(world, POLICIES["cohorts"])
    assert started == ["a-0", "a-1", "b-0", "b-1", "b-2", "b-3"]


def test_an_explanation_offers_no_change_that_the_limit_forbids() -> None:
    job = make_job("a", make_shape(milli_cpu=6000, memory=8), project="a")
    world = site([job], a={"limit": cores(4)})
    told = explain(encode_cold(world, NOW_MS), "a", Policy())
    assert told is not None
    assert told.reason is not None
    assert told.reason.code is ReasonCode.LIMIT
    assert told.reason.detail.endswith("all of it is less than it asks")


def test_one_byte_less_than_it_asks_is_a_limit_too() -> None:
    world = site(line_of("a", 1, memory=1), memory=32, a={"limit": Bounds(memory_bytes=GIB - 1)})
    assert starts(world) == []
