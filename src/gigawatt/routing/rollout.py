"""What the next step of a rollout is: how many replicas each revision should have, and when the weights move.

The old revision keeps all of its replicas until the new one has proven itself with all requests, so that going back is
a matter of weights. Where there is no room for both and the plan says so, old replicas make room instead.
"""

from dataclasses import dataclass
from enum import StrEnum

from gigawatt.model.endpoint import Rollout
from gigawatt.model.rollout import WHOLE, NoRoom, RolloutPlan, Seen, Strategy
from gigawatt.routing.evidence import fault

MS_PER_S = 1000
FAILURES_MAX = 3  # of new replicas, before the rollout goes back
NO_ROOM_MS = 20_000  # that a new replica waits for a place before old ones make room


class Move(StrEnum):
    STAY = "stay"
    SHIFT = "shift"  # to another weight
    MAKE_ROOM = "make_room"
    DONE = "done"
    BACK = "back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Replicas as they are. `placeless_ms` is since when a new one waits for a place; None where none does."""

    wanted: int  # by the load
    new: int  # ready ones
    old: int
    building: bool = False  # the new environment is
    placeless_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """`weight` is the new revision's from now on; `due_ms` is when the answer may change by time alone."""

    move: Move
    weight: int
    why: str
    due_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many replicas of each revision there should be."""

    new: int
    old: int


def next_weight(rollout: Rollout, plan: RolloutPlan) -> int:
    """Of the new revision, after the one that it has now."""
    if rollout.promoted or plan.strategy is Strategy.ALL_AT_ONCE:
        return WHOLE
    return next((step for step in plan.steps if step > rollout.weight), WHOLE)


def replicas(rollout: Rollout, plan: RolloutPlan, *, wanted: int, now_ms: int) -> Counts:
    """Enough of the new one for the weight that comes next, once that is due; all of the old one."""
    due = now_ms >= _step_ms(rollout, plan) and not (rollout.paused and rollout.weight)
    weight = next_weight(rollout, plan) if due else rollout.weight
    new = share(wanted, weight)
    return Counts(new=new, old=wanted - new if rollout.in_turn else wanted)


def share(wanted: int, weight: int) -> int:
    """The replicas that take `weight` percent of what `wanted` take."""
    return -(-wanted * weight // WHOLE)


def next_step(rollout: Rollout, plan: RolloutPlan, at: Standing, *, now_ms: int) -> Step:
    """Where it goes from here. Nothing is done by it."""
    wrong = _wrong(rollout, plan)
    if wrong:
        return Step(move=Move.BACK, weight=0, why=wrong)
    if rollout.weight == WHOLE:
        return _baking(rollout, plan, at, now_ms)
    weight, from_ms = next_weight(rollout, plan), _step_ms(rollout, plan)
    if rollout.paused:
        return _stay(rollout, "paused by a person")
    if now_ms < from_ms:
        return _stay(rollout, f"{weight} % of the requests come next", from_ms)
    if not at.wanted:
        return Step(move=Move.SHIFT, weight=WHOLE, why="there is no replica, and none is wanted")
    needed = share(at.wanted, weight)
    if at.new >= needed:
        return Step(move=Move.SHIFT, weight=weight, why=f"{at.new} new replicas are ready")
    return _waiting(rollout, plan, at, needed, now_ms)


def reference(rollout: Rollout, plan: RolloutPlan) -> Seen:
    """What the new revision is compared with: the old one's requests of the same time, or from before if they are few."""
    if rollout.old.requests >= plan.requests_min:
        return rollout.old
    return rollout.baseline.plus(rollout.old)


def _wrong(rollout: Rollout, plan: RolloutPlan) -> str:
    if rollout.failures >= FAILURES_MAX:
        return f"{rollout.failures} of its replicas failed"
    if rollout.promoted or not rollout.weight:
        return ""
    return fault(rollout.new, reference(rollout, plan), plan)


def _baking(rollout: Rollout, plan: RolloutPlan, at: Standing, now_ms: int) -> Step:
    if not at.new:
        return _stay(rollout, "it waits for its first start" if not at.wanted else "it starts")
    until_ms = rollout.since_ms + plan.bake_s * MS_PER_S
    if rollout.promoted or (now_ms >= until_ms and not rollout.paused):
        return Step(move=Move.DONE, weight=WHOLE, why="it has proven itself")
    if rollout.paused:
        return _stay(rollout, "paused by a person")
    return _stay(rollout, "it has all requests, and the old revision is kept", until_ms)


def _waiting(rollout: Rollout, plan: RolloutPlan, at: Standing, needed: int, now_ms: int) -> Step:
    """Its replicas are not ready yet."""
    if at.building:
        return _stay(rollout, "its environment is being built")
    told = f"{at.new} of {needed} new replicas are ready"
    due_ms = _step_ms(rollout, plan) + plan.start_s * MS_PER_S
    if now_ms >= due_ms:
        placeless = "; there was no room for more" if at.placeless_ms is not None else ""
        why = f"only {told} after {plan.start_s} s{placeless}"
        return Step(move=Move.BACK, weight=0, why=why)
    if at.placeless_ms is None or rollout.in_turn:
        return _stay(rollout, told, due_ms)
    room_ms = at.placeless_ms + NO_ROOM_MS
    if plan.no_room is NoRoom.IN_TURN and now_ms >= room_ms:
        return Step(move=Move.MAKE_ROOM, weight=rollout.weight, why="old replicas make room")
    told = f"{told}; there is no room for both revisions yet"
    return _stay(rollout, told, min(room_ms, due_ms) if now_ms < room_ms else due_ms)


def _stay(rollout: Rollout, why: str, due_ms: int | None = None) -> Step:
    return Step(move=Move.STAY, weight=rollout.weight, why=why, due_ms=due_ms)


def _step_ms(rollout: Rollout, plan: RolloutPlan) -> int:
    """When the next step may be taken."""
    if rollout.promoted or not rollout.weight:
        return rollout.since_ms
    return rollout.since_ms + plan.pause_s * MS_PER_S
