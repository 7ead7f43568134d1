"""Quotas and limits of single kinds of GPU."""

from dataclasses import replace
from typing import Any

import pytest

from gigawatt.model.job import Job
from gigawatt.model.quota import Bounds, Entitlement, ProjectUse
from gigawatt.model.reason import ReasonCode
from gigawatt.model.resources import Resources
from gigawatt.model.tenant import Project, Tenant
from gigawatt.model.world import World
from gigawatt.scheduler.decide import decide
from gigawatt.scheduler.dry_run import feasible
from gigawatt.scheduler.encode import encode_cold
from gigawatt.scheduler.explain import explain
from gigawatt.scheduler.owed import owed
from gigawatt.scheduler.policy import Policy
from tests.scenario.build import NOW_MS, apply_starts, make_job, make_node, make_shape, make_world

HOUR_MS = 3_600_000


def of(**kinds: int) -> Bounds:
    return Bounds(kinds=tuple(sorted((kind, 1000 * count) for kind, count in kinds.items())))


def site(jobs: list[Job], *, h100: int = 2, b200: int = 2, **projects: Entitlement) -> World:
    """So many nodes of each kind, with four GPUs each."""
    nodes = [make_node(f"b{n}", gpus=4, kind="b200", cpus=64) for n in range(b200)]
    nodes += [make_node(f"h{n}", gpus=4, kind="h100", cpus=64) for n in range(h100)]
    world = make_world(nodes, jobs)
    world.put(Tenant(id="default", created_ms=0))
    for name, terms in projects.items():
        project = Project(id=f"default/{name}", tenant="default", name=name, created_ms=0)
        world.put(replace(project, entitlement=terms))
    return world


def jobs(
    project: str, count: int, *kinds: str, nodes: Any = 1, gpus: int = 4, **more: Any
) -> list[Job]:
    shape = make_shape(nodes, milli_gpu=1000 * gpus, kinds=kinds)
    return [make_job(f"{project}-{n}", shape, project=project, **more) for n in range(count)]


def on(world: World, policy: Policy | None = None) -> dict[str, list[str]]:
    found = decide(encode_cold(world, NOW_MS), policy or Policy())
    return {start.gang: sorted(start.nodes) for start in found.starts}


def test_a_limit_of_a_kind_leaves_other_kinds_alone() -> None:
    terms = Entitlement(limit=of(h100=4))
    world = site([*jobs("a", 2, "h100"), *jobs("b", 1, "b200")], a=terms, b=Entitlement())
    assert on(world).keys() == {"a-0", "b-0"}
    (wait,) = decide(encode_cold(world, NOW_MS), Policy()).waits
    assert (wait.reason.code, wait.reason.need, wait.reason.have) == (ReasonCode.LIMIT, 4000, 0)
    assert wait.reason.detail == "h100 left of the limit of default/a"


def test_the_next_alternative_is_taken_where_a_limit_leaves_no_room_on_the_first() -> None:
    terms = Entitlement(limit=of(h100=4))
    assert on(site(jobs("a", 3, "h100", "b200"), a=terms)) == {
        "a-0": ["h0"],
        "a-1": ["b0"],
        "a-2": ["b1"],
    }
    assert on(site(jobs("a", 4), a=terms)).keys() == {"a-0", "a-1", "a-2"}


def test_what_waits_for_both_alternatives_is_told_of_its_limit() -> None:
    terms = Entitlement(limit=of(h100=4, b200=0))
    world = site(jobs("a", 2, "b200", "h100"), a=terms)
    assert on(world) == {"a-0": ["h0"]}
    (wait,) = decide(encode_cold(world, NOW_MS), Policy()).waits
    assert wait.reason.code is ReasonCode.LIMIT
    assert wait.reason.detail.startswith("b200 left of the limit of default/a")


def test_a_kind_that_is_busy_is_told_and_not_the_limit_of_the_other() -> None:
    other = jobs("b", 1, "b200", nodes=2, queued_ms=NOW_MS - HOUR_MS)
    mine = jobs("a", 1, "h100", "b200")
    world = site([*other, *mine], a=Entitlement(limit=of(h100=0)), b=Entitlement())
    (wait,) = decide(encode_cold(world, NOW_MS), Policy()).waits
    assert (wait.gang, wait.reason.code) == ("a-0", ReasonCode.RESOURCES_BUSY)


def test_a_limit_of_one_project_is_not_that_of_another_that_asks_the_same() -> None:
    work = [*jobs("a", 2, "h100", "b200"), *jobs("b", 2, "h100", "b200")]
    found = on(site(work, a=Entitlement(limit=of(h100=0, b200=4)), b=Entitlement()))
    assert found.keys() == {"a-0", "b-0", "b-1"}


def test_a_limit_of_a_parent_holds_for_all_below_it() -> None:
    child = Entitlement(parent="team")
    work = [*jobs("one", 1, "h100"), *jobs("two", 1, "h100")]
    world = site(work, team=Entitlement(limit=of(h100=4)), one=child, two=child)
    assert on(world).keys() == {"one-0"}


def test_an_elastic_gang_takes_no_more_of_a_kind_than_the_limit_leaves() -> None:
    terms = Entitlement(limit=of(h100=8))
    found = on(site(jobs("a", 1, "h100", nodes=(1, 4)), h100=4, a=terms))
    assert found == {"a-0": ["h0", "h1"]}


def test_who_has_a_quota_of_a_kind_comes_first_there_and_nowhere_else() -> None:
    old = NOW_MS - HOUR_MS
    world = site(
        [
            *jobs("b", 2, "h100", queued_ms=old),
            *jobs("c", 2, "b200", queued_ms=old),
            *jobs("a", 2, "h100"),
            *[replace(job, id=f"{job.id}-b") for job in jobs("a", 2, "b200")],
        ],
        a=Entitlement(quota=of(h100=8)),
        b=Entitlement(),
        c=Entitlement(),
    )
    assert on(world).keys() == {"a-0", "a-1", "c-0", "a-0-b"}  # of b200 all borrow, in turns


def test_gpus_of_no_kind_in_particular_are_no_part_of_a_quota_by_kind() -> None:
    work = [*jobs("a", 2), *jobs("b", 2, queued_ms=NOW_MS - HOUR_MS)]
    world = site(work, h100=1, b200=1, a=Entitlement(quota=of(h100=4)), b=Entitlement())
    assert on(world).keys() == {"a-0", "b-0"}  # both borrow, in turns
    both = Entitlement(quota=Bounds(milli_gpu=8000, kinds=(("h100", 4000),)))
    world = site(work, h100=1, b200=1, a=both, b=Entitlement())
    assert on(world).keys() == {"a-0", "a-1"}


def test_who_does_not_borrow_has_no_other_kind_than_those_of_its_quota() -> None:
    terms = Entitlement(quota=of(h100=4), borrows=False)
    world = site([*jobs("a", 1, "h100"), *jobs("c", 1, "b200", "h100")], a=terms, c=terms)
    assert on(world) == {"a-0": ["h0"], "c-0": ["h1"]}


def test_what_is_guaranteed_by_kind_costs_no_share() -> None:
    world = site(jobs("a", 3, "h100", "b200"), a=Entitlement(quota=of(h100=8)))
    apply_starts(world, decide(encode_cold(world, NOW_MS), Policy()))
    (tenant, project) = owed(encode_cold(world, NOW_MS), Policy())
    assert tenant.share == project.share == pytest.approx(4 / 16)
    used = dict(zip(project.kinds, project.used[3:], strict=True))
    assert used == {"b200": 4000, "h100": 8000}
    past = Resources(milli_gpu=8000)
    world = site([], a=Entitlement(quota=of(h100=8)))
    world.put(
        ProjectUse(
            id="default/a",
            tenant="default",
            project="a",
            at_ms=NOW_MS,
            used=Resources(),
            average=past,
        )
    )
    assert [each.share for each in owed(encode_cold(world, NOW_MS), Policy())] == [0.0, 0.0]


def test_a_parent_is_guaranteed_what_its_children_are_by_kind_or_of_any() -> None:
    def guaranteed(**terms: Entitlement) -> tuple[int, ...]:
        snapshot = encode_cold(site([], h100=2, b200=2, team=Entitlement(), **terms), NOW_MS)
        found = {each.id: each.quota for each in owed(snapshot, Policy())}
        return found["default/team"]

    one = Entitlement(parent="team", quota=of(h100=4))
    two = Entitlement(parent="team", quota=of(b200=8))
    assert guaranteed(one=one, two=two) == (-1, -1, -1, 8000, 4000)
    any_kind = Entitlement(parent="team", quota=Bounds(milli_gpu=2000))
    assert guaranteed(one=one, two=any_kind) == (6000, -1, -1, -1, -1)


@pytest.mark.parametrize(
    ("kinds", "code"),
    [(("h100",), ReasonCode.LIMIT), (("h100", "b200"), None), ((), None)],
)
def test_what_no_kind_would_ever_allow_is_known_at_submit(
    kinds: tuple[str, ...], code: ReasonCode | None
) -> None:
    world = site([], a=Entitlement(limit=of(h100=4)))
    (job,) = jobs("a", 1, *kinds, nodes=2)
    told = feasible(encode_cold(world, NOW_MS), job.gang())
    assert (told and told.code) == code
    if told is not None:
        assert (told.need, told.have) == (8000, 4000)
        assert told.detail == "it is more h100 than all that the limit of default/a allows"
    world = site([], a=Entitlement(limit=of(h100=4, b200=4)))
    assert feasible(encode_cold(world, NOW_MS), job.gang()) is not None


def test_another_kind_is_offered_where_a_limit_keeps_a_gang_waiting() -> None:
    world = site(jobs("a", 2, "h100"), a=Entitlement(limit=of(h100=4)))
    told = explain(encode_cold(world, NOW_MS), "a-1", Policy())
    assert told is not None
    assert told.cheapest_change is not None
    assert told.cheapest_change.after == ("h100", "b200")


def reclaiming(quota_b: Bounds, *kinds: str) -> tuple[str, ...]:
    """Those who stop for the first of `a`, whose quota is of h100."""
    world = site(jobs("b", 4))
    apply_starts(world, decide(encode_cold(world, NOW_MS), Policy()))
    for name, terms in {
        "a": Entitlement(quota=of(h100=8)),
        "b": Entitlement(quota=quota_b),
    }.items():
        project = Project(id=f"default/{name}", tenant="default", name=name, created_ms=0)
        world.put(replace(project, entitlement=terms))
    (job,) = jobs("a", 1, *kinds)
    world.put(job)
    policy = Policy(reclaim=True, min_run_ms=0)
    plans = decide(encode_cold(world, NOW_MS + 1, plans=True), policy).plans
    return tuple(node for plan in plans for node in plan.claim.nodes)


def test_an_owner_takes_back_its_own_kind_and_leaves_others_theirs() -> None:
    assert reclaiming(of(b200=8), "h100") == ("h0",)
    assert reclaiming(of(b200=8), "h100", "b200") == ("h0",)
    assert reclaiming(of(b200=8), "b200") == ()
    assert reclaiming(of(h100=8), "h100") == ()
    assert reclaiming(of(h100=4), "h100") == ("h0",)
