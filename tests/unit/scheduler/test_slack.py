"""Deadlines order a project's own equals, and move nothing past another project."""

from dataclasses import replace
from typing import Any

import pytest

from gigawatt.model.job import Job
from gigawatt.model.quota import Entitlement
from gigawatt.model.tenant import Project, Tenant
from gigawatt.scheduler.decide import decide
from gigawatt.scheduler.encode import encode_cold
from gigawatt.scheduler.policy import POLICIES, Policy
from tests.scenario.build import NOW_MS, make_job, make_node, make_shape, make_world

HOUR_MS = 3_600_000


def job(name: str, waited_h: int, *, in_h: int = 0, **more: Any) -> Job:
    """One that takes the whole node."""
    return make_job(
        name,
        make_shape(milli_cpu=8000),
        queued_ms=NOW_MS - waited_h * HOUR_MS,
        deadline_ms=NOW_MS + in_h * HOUR_MS if in_h else 0,
        **more,
    )


def line(jobs: list[Job], policy: str = "default", *, shared: bool = False) -> list[str]:
    """Who waits, in order, where nothing is free."""
    world = make_world([make_node("n", cpus=4), make_node("m", cpus=8)], jobs)
    busy = make_job("busy", make_shape(milli_cpu=8000), queued_ms=0, priority=999)
    world.put(busy)
    if shared:
        world.put(Tenant(id="default", created_ms=0))
        for name in ("one", "two"):
            project = Project(id=f"default/{name}", tenant="default", name=name, created_ms=0)
            world.put(replace(project, entitlement=Entitlement(weight=2)))
    return [wait.gang for wait in decide(encode_cold(world, NOW_MS), POLICIES[policy]).waits]


def test_who_must_start_soonest_comes_first_among_equals() -> None:
    long = replace(job("long", 1, in_h=9, project="one"), expected_ms=8 * HOUR_MS)
    jobs = [job("plain", 3, project="one"), job("short", 1, in_h=5, project="one"), long]
    assert line(jobs) == line(jobs, shared=True) == ["long", "short", "plain"]


def test_the_limit_counts_where_nothing_is_known_and_what_was_missed_does_not() -> None:
    limited = job("limited", 1, in_h=9, timeout_s=8 * 3600)
    missed = replace(job("missed", 1, in_h=1), deadline_told="missed")
    assert line([job("short", 1, in_h=5), limited, missed]) == ["limited", "short", "missed"]


def test_a_higher_priority_comes_first_whatever_the_deadline() -> None:
    jobs = [job("a", 1, in_h=1), job("b", 0, priority=5)]
    assert line(jobs) == line(jobs, shared=True) == ["b", "a"]


@pytest.mark.parametrize("policy", sorted(set(POLICIES) - {"sjf", "las"}))
@pytest.mark.parametrize("shared", [False, True])
def test_a_deadline_moves_nothing_past_another_project(policy: str, *, shared: bool) -> None:
    one = [job(f"one-{n}", 2 * n, project="one") for n in range(3)]
    two = [job(f"two-{n}", 2 * n + 1, project="two") for n in range(3)]
    before = line([*one, *two], policy, shared=shared)
    hurried = [replace(each, deadline_ms=NOW_MS + HOUR_MS - n) for n, each in enumerate(one)]
    after = line([*hurried, *two], policy, shared=shared)
    assert [each[:3] for each in before] == [each[:3] for each in after]
    own = [each for each in after if each.startswith("one")]
    assert own == ["one-2", "one-1", "one-0"]
    assert [each for each in after if each.startswith("two")] == ["two-2", "two-1", "two-0"]


def test_without_deadlines_nothing_is_looked_at() -> None:
    world = make_world([make_node("n")], [job("a", 1), job("b", 2)])
    gangs = encode_cold(world, NOW_MS).gangs
    assert not gangs.latest_ms_G.any()
    assert [each.gang for each in decide(encode_cold(world, NOW_MS), Policy()).starts] == ["b"]
