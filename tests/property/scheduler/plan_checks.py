"""What must hold of every plan, checked in plain Python on the world itself, as `checks` does of starts."""

from collections.abc import Iterator
from dataclasses import replace

from gigawatt.model.attempt import AttemptPhase
from gigawatt.model.decision import Decision, Start
from gigawatt.model.endpoint import Replica
from gigawatt.model.gang import Gang
from gigawatt.model.job import Job, JobPhase
from gigawatt.model.node import NodeState
from gigawatt.model.plan import Claim, Plan, Taking
from gigawatt.model.quota import UNSET
from gigawatt.model.reason import ReasonCode
from gigawatt.model.world import World
from gigawatt.scheduler.policy import Policy
from tests.property.scheduler.checks import (
    carried_out,
    over_capacity,
    over_devices,
    places_now,
    started,
    together,
    waiting,
    wrong_gangs,
    wrong_isolation,
    wrong_nodes,
)
from tests.scenario.build import make_world

STOPPABLE = {AttemptPhase.PLACED, AttemptPhase.STARTING, AttemptPhase.RUNNING}


def plan_faults(world: World, decision: Decision) -> list[str]:
    """All faults of the plans of a decision."""
    return [
        *not_waiting(world, decision),
        *wrong_victims(world, decision),
        *not_proven(world, decision),
        *not_free_now(world, decision),
    ]


def not_waiting(world: World, decision: Decision) -> Iterator[str]:
    """Who is planned for waits, for that reason; nobody is planned for twice."""
    reasons = {wait.gang: wait.reason.code for wait in decision.waits}
    gangs = [plan.gang for plan in decision.plans]
    if len(set(gangs)) != len(gangs):
        yield f"planned twice: {gangs}"
    for gang in gangs:
        if gang not in waiting(world) or reasons.get(gang) is not ReasonCode.BEING_FREED:
            yield f"{gang} is planned for and waits for {reasons.get(gang)}"


def wrong_victims(world: World, decision: Decision) -> Iterator[str]:
    """Victims run, each is taken once, and by the right that the plan says."""
    victims = [victim.gang for plan in decision.plans for victim in plan.victims]
    if len(set(victims)) != len(victims):
        yield f"taken twice: {victims}"
    gangs = waiting(world)
    for plan in decision.plans:
        if not plan.victims:
            yield f"{plan.gang} is planned for and takes nothing"
        for victim in plan.victims:
            work = _work(world, victim.gang)
            attempt = work.attempt
            if attempt is None or attempt.phase not in STOPPABLE or attempt.n != victim.attempt:
                yield f"{victim.gang} does not run"
            claimant, gang = gangs[plan.gang], work.gang()
            same = (claimant.tenant, claimant.project) == (gang.tenant, gang.project)
            if plan.taking is Taking.PREEMPT and not (same and gang.priority < claimant.priority):
                yield f"{plan.gang} preempts {victim.gang}"
            if plan.taking is Taking.CONSOLIDATE and victim.claim is None:
                yield f"{victim.gang} is to move, and has no place to go to"


def wrongly_reclaimed(world: World, decision: Decision) -> Iterator[str]:
    """Reclaimed for who stays within a quota, from others, none of whom is left less than theirs."""
    used = {name: _used(world, name, set()) for name in world.projects}
    gone: set[str] = ending(world)
    for plan in decision.plans:
        gone |= {victim.gang for victim in plan.victims}
        if plan.taking is not Taking.RECLAIM:
            continue
        claimant = waiting(world)[plan.gang]
        need = claimant.shape.per_node.times(claimant.shape.nodes_min).vector()
        quota = world.projects[_project(claimant)].entitlement.quota.vector()
        told = [kind for kind, most in enumerate(quota) if most != UNSET]
        if not told or any(used[_project(claimant)][k] + need[k] > quota[k] for k in told):
            yield f"{plan.gang} is not within {quota}"
        for victim in plan.victims:
            of = _project(_work(world, victim.gang).gang())
            bounds = world.projects[of].entitlement.quota.vector() if of in world.projects else ()
            left = _used(world, of, gone)
            short = [k for k, most in enumerate(bounds) if most != UNSET and left[k] < most]
            takes = _work(world, victim.gang).gang().shape.per_node.vector()
            if of == _project(claimant) or any(takes[k] for k in short):
                yield f"{victim.gang} of {of} is taken, which is left {left} of {bounds}"


def wrongly_yielded(world: World, decision: Decision, policy: Policy, now_ms: int) -> Iterator[str]:
    """Who yields is a job of no higher priority that has run by a level more, of the same project or beyond its quota."""
    for plan in decision.plans:
        if plan.taking is not Taking.YIELD:
            continue
        claimant = waiting(world)[plan.gang]
        for victim in plan.victims:
            work = _work(world, victim.gang)
            gang, attempt = work.gang(), work.attempt
            assert attempt is not None
            ran_ms = gang.attained_ms + now_ms - attempt.placed_ms
            if _level(ran_ms, policy) <= _level(claimant.attained_ms, policy):
                yield f"{victim.gang} has run for {ran_ms}, {plan.gang} for {claimant.attained_ms}"
            if not isinstance(work, Job) or gang.priority > claimant.priority:
                yield f"{victim.gang} yields to {plan.gang}"
            of = _project(gang)
            quota = world.projects[of].entitlement.quota.vector() if of in world.projects else ()
            told = [kind for kind, most in enumerate(quota) if most != UNSET]
            used = _used(world, of, set())
            if told and of != _project(claimant) and all(used[k] <= quota[k] for k in told):
                yield f"{victim.gang} yields, and {of} stays within its quota"


def _level(ran_ms: int, policy: Policy) -> int:
    return sum(ran_ms >= each for each in policy.levels_ms)


def not_proven(world: World, decision: Decision) -> Iterator[str]:
    """Once victims and whatever is being stopped have gone, all that is kept is there, for everybody at once."""
    victims = {victim.gang for plan in decision.plans for victim in plan.victims}
    after = without(world, victims | ending(world))
    claims = [_start(plan.gang, plan.claim) for plan in decision.plans]
    moves = [
        _start(victim.gang, victim.claim)
        for plan in decision.plans
        for victim in plan.victims
        if victim.claim
    ]
    yield from _start_faults(after, (*decision.starts, *claims, *moves))


def not_free_now(world: World, decision: Decision) -> Iterator[str]:
    """What moves has its new place now, beside all that runs and starts."""
    now = make_world(world.nodes.values(), _all(world))
    moves: list[Start] = []
    for plan in decision.plans:
        for victim in plan.victims:
            if victim.claim:
                twin = replace(_ended(_work(world, victim.gang)), id=f"{victim.gang}-again")
                now.put(twin)
                moves.append(_start(twin.id, victim.claim))
    yield from _start_faults(now, (*decision.starts, *moves))


def over_freed(world: World, decision: Decision) -> Iterator[str]:
    """A plan without one of its victims would do as well. Of decisions with one plan."""
    if len(decision.plans) != 1:
        return
    (plan,) = decision.plans
    gang = waiting(world)[plan.gang]
    after = carried_out(world, replace(decision, plans=()))
    for spared in plan.victims:
        others = {victim.gang for victim in plan.victims} - {spared.gang}
        if _fits(without(after, others | ending(world)), gang):
            yield f"{plan.gang} does without {spared.gang}"


def unplanned(world: World, decision: Decision, plan: Plan | None = None) -> Iterator[str]:
    """The gang ahead of all waits although it would fit if all lower ones of its project went, and there is no plan."""
    line = sorted(
        waiting(world).values(), key=lambda each: (-each.priority, each.queued_ms, each.id)
    )
    planned = {plan.gang for plan in decision.plans}
    for gang in line[:1]:
        if gang.id in started(decision) or gang.id in planned or gang.windows or gang.shape.stacked:
            continue
        lower = {
            work.id
            for work in _all(world)
            if (work.tenant, work.project) == (gang.tenant, gang.project)
            and work.gang().priority < gang.priority
            and work.attempt
            and work.attempt.phase in STOPPABLE
        }
        known = not gang.avoid_nodes
        if (
            known
            and not _fits(without(world, ending(world)), gang)
            and _fits(without(world, lower | ending(world)), gang)
        ):
            yield f"{gang.id} waits, and would fit without {sorted(lower)}"


def ending(world: World) -> set[str]:
    """What is being stopped already."""
    return {
        work.id
        for work in _all(world)
        if work.attempt and work.attempt.live and work.attempt.phase not in STOPPABLE
    }


def without(world: World, gangs: set[str]) -> World:
    """The world once the attempts of these have ended; they wait again."""
    work = [_ended(each) if each.id in gangs else each for each in _all(world)]
    return make_world(world.nodes.values(), work)


def _project(gang: Gang) -> str:
    return f"{gang.tenant}/{gang.project}"


def _used(world: World, project: str, gone: set[str]) -> tuple[int, ...]:
    """What the live attempts of a project hold, but for these gangs."""
    held = [
        amounts
        for work in _all(world)
        if work.attempt and work.attempt.live and work.id not in gone
        for amounts in [work.gang().shape.per_node.times(_places(work)).vector()]
        if _project(work.gang()) == project
    ]
    return tuple(map(sum, zip(*held, strict=True))) if held else (0, 0, 0)


def _places(work: Job | Replica) -> int:
    assert work.attempt is not None
    return sum(work.attempt.places) or len(work.attempt.nodes)


def _start_faults(world: World, starts: tuple[Start, ...]) -> Iterator[str]:
    decision = Decision(starts=starts, waits=(), steps=0)
    for check in (wrong_gangs, wrong_nodes, over_capacity, over_devices, wrong_isolation):
        yield from check(world, decision)


def _fits(world: World, gang: Gang) -> bool:
    nodes = [node for node in world.nodes.values() if node.state is NodeState.READY]
    fit = [node for node in nodes for _ in range(places_now(world, node, gang))]
    return together(fit, gang.shape)


def _ended(work: Job | Replica) -> Job | Replica:
    attempt = work.attempt
    if attempt is None or not attempt.live:
        return work
    ended = work.with_attempt(replace(attempt, phase=AttemptPhase.ENDED))
    return replace(ended, phase=JobPhase.QUEUED) if isinstance(ended, Job) else ended


def _start(gang: str, claim: Claim) -> Start:
    return Start(
        gang=gang,
        nodes=claim.nodes,
        gpus=claim.gpus if any(claim.gpus) else (),
        places=claim.places,
    )


def _work(world: World, gang: str) -> Job | Replica:
    return world.jobs.get(gang) or world.replicas[gang]


def _all(world: World) -> list[Job | Replica]:
    return [*world.jobs.values(), *world.replicas.values()]
