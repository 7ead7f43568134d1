"""Holds with a date: by when what a gang needs will be free, if everything that runs ends when it must."""

from collections.abc import Sequence

from gigawatt.model.decision import Hold
from gigawatt.scheduler.ask import Ask
from gigawatt.scheduler.later import Given, first_fit
from gigawatt.scheduler.place import Spot, choose
from gigawatt.scheduler.policy import Line, Policy
from gigawatt.scheduler.room import Room
from gigawatt.scheduler.snapshot import NONE, Flags, Snapshot


def dated(
    room: Room, ask: Ask, allowed_N: Flags, *, now_ms: int, given: Sequence[Given], policy: Policy
) -> tuple[int, Room | None] | None:
    """When enough will have ended for the ask; and if the policy holds what it needs then, what is left beside that."""

    def spot(after: Room) -> Spot | None:
        return choose(after, ask, allowed_N & after.fits_N(ask.demand), fit=policy.fit)

    found = first_fit(room, now_ms, given, lambda after: spot(after) is not None)
    if found is None:
        return None
    at_ms, after = found
    if policy.line is not Line.EASY:
        return at_ms, None
    taken = spot(after)
    assert taken is not None
    after.take(ask.demand, taken.rows, taken.places)
    return at_ms, after


def still_held(snapshot: Snapshot, policy: Policy) -> Hold | None:
    """The hold of the last cycle, where the policy keeps it and its gang still waits."""
    hold = snapshot.hold
    if hold is None or policy.line is not Line.EASY_DATED:
        return None
    return None if snapshot.gangs.row(hold.gang) == NONE else hold
