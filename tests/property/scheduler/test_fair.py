"""What quotas, limits and shares promise, on worlds in which projects have them, checked by sums of their own."""

from collections import Counter
from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from gigawatt.model.decision import Decision
from gigawatt.model.gang import Shape
from gigawatt.model.quota import UNSET
from gigawatt.model.reason import ReasonCode
from gigawatt.model.resources import KINDS
from gigawatt.model.tenant import Project
from gigawatt.model.work import Work
from gigawatt.model.world import World
from gigawatt.scheduler.decide import decide
from gigawatt.scheduler.encode import encode_cold
from gigawatt.scheduler.explain import explain
from gigawatt.scheduler.policy import Line, Order, Policy
from gigawatt.scheduler.record import decision_bytes, dump, load
from tests.property.scheduler.checks import carried_out, faults, missed, started, waiting
from tests.property.scheduler.strategies import crowded_worlds, shared_worlds, sharing
from tests.scenario.build import NOW_MS

OVER = {ReasonCode.LIMIT, ReasonCode.QUOTA_EXCEEDED}
PATIENT = Policy(hold_after_ms=1 << 50, starve_after_ms=0)


@given(world=shared_worlds(), policy=sharing)
def test_nothing_is_started_over_a_limit(world: World, policy: Policy) -> None:
    limits_hold(world, policy)


def limits_hold(world: World, policy: Policy) -> None:
    """What has grown is within what its project may use."""
    before = used(world)
    after = used(carried_out(world, decide(encode_cold(world, NOW_MS), policy)))
    for project in world.projects.values():
        for kind, most in enumerate(bounds(project)):
            grown = after[project.id, kind] > before[project.id, kind]
            assert not (grown and after[project.id, kind] > most), f"{project} {KINDS[kind]}"


@given(world=shared_worlds(), policy=sharing)
def test_a_decision_by_shares_has_no_other_fault(world: World, policy: Policy) -> None:
    decision = decide(encode_cold(world, NOW_MS), policy)
    kept = replace(
        decision, waits=tuple(each for each in decision.waits if each.reason.code not in OVER)
    )
    within = carried_out(world, Decision(starts=(), waits=(), steps=0))
    for wait in decision.waits:
        if wait.reason.code in OVER:
            assert wait.reason.have < wait.reason.need
            within.jobs.pop(wait.gang, None)
            within.replicas.pop(wait.gang, None)
    kept = replace(
        kept,
        waits=tuple(
            replace(wait, position=place) for place, wait in enumerate(kept.waits, start=1)
        ),
    )
    assert faults(within, kept) == []
    if policy.line is not Line.FIFO:
        assert list(missed(within, kept, NOW_MS)) == []


@given(world=shared_worlds())
def test_who_waits_over_a_limit_would_be_over_it(world: World) -> None:
    decision = decide(encode_cold(world, NOW_MS), PATIENT)
    after, gangs = used(carried_out(world, decision)), waiting(world)
    for wait in decision.waits:
        gang = gangs[wait.gang]
        need = gang.shape.per_node.times(gang.shape.nodes_min).vector()
        over = any(
            need[kind] and after[project.id, kind] + need[kind] > most
            for project in chain(world, f"{gang.tenant}/{gang.project}")
            for kind, most in enumerate(bounds(project))
        )
        assert (wait.reason.code in OVER) <= over


@given(world=shared_worlds(flat=True))
def test_who_is_within_its_quota_never_waits_for_what_a_borrower_was_given(world: World) -> None:
    owners_are_first(world)


def owners_are_first(world: World) -> None:
    """Without all that was started beyond quotas, none that is within its own would start."""
    decision = decide(encode_cold(world, NOW_MS), PATIENT)
    after, gangs = used(carried_out(world, decision)), waiting(world)
    owners = [
        wait.gang
        for wait in decision.waits
        if within_quota(world, after, gangs[wait.gang].project, gangs[wait.gang].shape)
    ]
    now = used(world)
    fewer = carried_out(world, Decision(starts=(), waits=(), steps=0))
    for start in decision.starts:
        gang = gangs[start.gang]
        count = sum(start.places) or len(start.nodes)
        for kind, amount in enumerate(gang.shape.per_node.times(count).vector()):
            now[f"default/{gang.project}", kind] += amount
        if not holds_quota(world, now, gang.project):
            fewer.jobs.pop(start.gang, None)
            fewer.replicas.pop(start.gang, None)
    again = started(decide(encode_cold(fewer, NOW_MS), PATIENT))
    assert not again.keys() & set(owners)


@given(world=crowded_worlds())
def test_in_a_crowd_too_a_quota_comes_before_what_others_borrow(world: World) -> None:
    owners_are_first(world)


@given(world=crowded_worlds(), policy=sharing)
def test_in_a_crowd_too_nothing_is_started_over_a_limit(world: World, policy: Policy) -> None:
    limits_hold(world, policy)


@given(world=shared_worlds(), policy=sharing)
def test_an_explanation_is_what_a_decision_by_shares_says(world: World, policy: Policy) -> None:
    snapshot = encode_cold(world, NOW_MS)
    decision = decide(snapshot, policy)
    starts, waits = started(decision), {wait.gang: wait for wait in decision.waits}
    for gang in waiting(world):
        told = explain(snapshot, gang, policy)
        assert told
        assert told.start == starts.get(gang)
        if gang in waits:
            assert (told.position, told.reason) == (waits[gang].position, waits[gang].reason)


@given(world=shared_worlds(), policy=sharing, order=st.integers(0, 1 << 30))
def test_a_decision_by_shares_depends_on_no_order_and_is_recorded_whole(
    world: World, policy: Policy, order: int
) -> None:
    entities = [
        *world.nodes.values(),
        *world.jobs.values(),
        *world.replicas.values(),
        *world.tenants.values(),
        *world.projects.values(),
        *world.uses.values(),
    ]
    Random(order).shuffle(entities)
    shuffled = World(epoch=1)
    for entity in entities:
        shuffled.put(entity)
    shares = policy.needs_shares
    snapshot = encode_cold(world, NOW_MS, shares=shares)
    recorded = dump(snapshot, policy)
    assert recorded == dump(encode_cold(shuffled, NOW_MS, shares=shares), policy)
    said = decision_bytes(decide(snapshot, policy))
    assert said == decision_bytes(decide(*load(recorded)))
    assert dump(snapshot, policy) == recorded


@given(world=shared_worlds())
def test_where_nothing_is_set_the_line_is_by_age(world: World) -> None:
    for project in world.projects.values():
        world.put(Project(id=project.id, tenant="default", name=project.name, created_ms=0))
    snapshot = encode_cold(world, NOW_MS)
    assert snapshot.shares is None
    assert decide(snapshot, Policy()) == decide(snapshot, Policy(order=Order.AGE))


def used(world: World) -> Counter[tuple[str, int]]:
    """What live gangs use, by project with all below it, and kind."""
    sums = Counter[tuple[str, int]]()
    work: list[Work] = [*world.jobs.values(), *world.replicas.values()]
    for each in work:
        attempt = each.attempt
        if attempt is None or not attempt.live:
            continue
        count = sum(attempt.places) or len(attempt.nodes)
        amounts = each.gang().shape.per_node.times(count).vector()
        for project in chain(world, f"{each.tenant}/{each.project}"):
            for kind, amount in enumerate(amounts):
                sums[project.id, kind] += amount
    return sums


def chain(world: World, id: str) -> list[Project]:
    """The project and all that it is part of."""
    found: list[Project] = []
    project = world.projects.get(id)
    while project is not None:
        found.append(project)
        above = project.entitlement.parent
        project = world.projects[f"default/{above}"] if above else None
    return found


def bounds(project: Project) -> list[float]:
    """What a project may use at most of each kind."""
    terms = project.entitlement
    limits = [most if most != UNSET else float("inf") for most in terms.limit.vector()]
    quotas = [most if most != UNSET else float("inf") for most in terms.quota.vector()]
    return limits if terms.borrows else list(map(min, limits, quotas))


def within_quota(world: World, sums: Counter[tuple[str, int]], name: str, shape: Shape) -> bool:
    """Whether one more of this shape leaves its project within its quota."""
    more = Counter(sums)
    for kind, amount in enumerate(shape.per_node.times(shape.nodes_min).vector()):
        more[f"default/{name}", kind] += amount
    return holds_quota(world, more, name)


def holds_quota(world: World, sums: Counter[tuple[str, int]], name: str) -> bool:
    """Whether the project has a quota and uses no more."""
    quota = world.projects[f"default/{name}"].entitlement.quota.vector()
    told = [(kind, most) for kind, most in enumerate(quota) if most != UNSET]
    return bool(told) and all(sums[f"default/{name}", kind] <= most for kind, most in told)
