"""Every check finds the fault that it is for: a sound decision is spoilt in one way, and the check objects."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from gigawatt.model.decision import Decision, Start, Wait
from gigawatt.model.gang import Isolation
from gigawatt.model.node import NodeState
from gigawatt.model.reason import Reason, ReasonCode
from gigawatt.model.world import World
from gigawatt.scheduler.decide import decide
from gigawatt.scheduler.encode import Encoder, encode_cold
from gigawatt.scheduler.policy import Policy
from gigawatt.scheduler.record import dump
from tests.property.scheduler.checks import (
    faults,
    missed,
    not_held,
    over_capacity,
    over_devices,
    started,
    wrong_gangs,
    wrong_isolation,
    wrong_line,
    wrong_never,
    wrong_nodes,
)
from tests.scenario.build import NOW_MS, failed_on, make_job, make_node, make_shape, make_world

HOLD_AFTER_MS = 1_000
Check = Callable[[World, Decision], Iterator[str]]
Spoil = Callable[[Decision], Decision]


def a_world() -> World:
    nodes = [
        make_node("a1", gpus=2, place="s/h/p/l/r1"),
        make_node("a2", gpus=2, place="s/h/p/l/r1"),
        make_node("b1", gpus=2, place="s/h/p/l/r2", kind="a100"),
        make_node("b2", gpus=2, place="s/h/p/l/r2", kind="a100"),
        make_node("c1", cpus=64, state=NodeState.CORDONED),
        make_node("d1", cpus=4),
        make_node("d2", cpus=4),
        make_node("e1", cpus=2),
        make_node("e2", cpus=2),
    ]
    work = [
        make_job("pair", make_shape(2, milli_gpu=1000, kinds=["h100"], same="rack"), priority=5),
        make_job("half", make_shape(milli_gpu=500, kinds=["a100"], milli_cpu=5000), priority=4),
        make_job("alone", make_shape(milli_cpu=3000), isolation=Isolation.NODE, priority=3),
        failed_on(make_job("burnt", make_shape(milli_cpu=2000), priority=2), ["e1"]),
        make_job("late", make_shape(2, milli_gpu=2000, kinds=["h100"]), queued_ms=0, priority=1),
        make_job("small", make_shape(milli_gpu=1000, kinds=["h100"])),
        make_job("huge", make_shape(milli_cpu=99_000)),
    ]
    return make_world(nodes, work)


def a_decision() -> Decision:
    policy = Policy(hold_after_ms=HOLD_AFTER_MS)
    return decide(encode_cold(a_world(), NOW_MS), policy)


def moved(gang: str, **fields: tuple[object, ...]) -> Spoil:
    """The decision with a start of `gang` changed."""

    def spoil(decision: Decision) -> Decision:
        old = started(decision)[gang]
        new = replace(old, **fields)  # pyright: ignore[reportArgumentType]  # fields by name
        starts = tuple(new if start is old else start for start in decision.starts)
        return replace(decision, starts=starts)

    return spoil


def explained(gang: str, reason: Reason) -> Spoil:
    """The decision with another reason for `gang` to wait."""

    def spoil(decision: Decision) -> Decision:
        waits = tuple(
            replace(wait, reason=reason) if wait.gang == gang else wait for wait in decision.waits
        )
        return replace(decision, waits=waits)

    return spoil


def waits_instead(gang: str) -> Spoil:
    """The decision with `gang` left waiting."""

    def spoil(decision: Decision) -> Decision:
        reason = Reason(code=ReasonCode.RESOURCES_BUSY, resource="nodes", need=1)
        waits = (Wait(gang=gang, position=1, reason=reason), *decision.waits)
        renumbered = tuple(replace(w, position=place) for place, w in enumerate(waits, start=1))
        starts = tuple(start for start in decision.starts if start.gang != gang)
        return replace(decision, starts=starts, waits=renumbered)

    return spoil


def starts_too(start: Start) -> Spoil:
    """The decision with a waiting gang started as well."""

    def spoil(decision: Decision) -> Decision:
        left = [wait for wait in decision.waits if wait.gang != start.gang]
        waits = tuple(replace(w, position=place) for place, w in enumerate(left, start=1))
        return replace(decision, starts=(*decision.starts, start), waits=waits)

    return spoil


def without_last_wait(decision: Decision) -> Decision:
    return replace(decision, waits=decision.waits[:-1])


def with_wrong_positions(decision: Decision) -> Decision:
    waits = tuple(replace(wait, position=wait.position + 1) for wait in decision.waits)
    return replace(decision, waits=waits)


def never() -> Reason:
    return Reason(code=ReasonCode.IMPOSSIBLE, resource="nodes", need=2, have=1)


def busy() -> Reason:
    return Reason(code=ReasonCode.RESOURCES_BUSY, resource="nodes", need=2, have=1)


def agreeing() -> Reason:
    return Reason(code=ReasonCode.RESOURCES_BUSY, resource="nodes", need=2, have=2)


def missed_now(world: World, decision: Decision) -> Iterator[str]:
    return missed(world, decision, NOW_MS)


def not_held_now(world: World, decision: Decision) -> Iterator[str]:
    return not_held(world, decision, NOW_MS, HOLD_AFTER_MS)


SPOILT: dict[str, tuple[Check, Spoil, str]] = {
    "a gang without an answer": (wrong_line, without_last_wait, "answers"),
    "positions that do not count from 1": (wrong_line, with_wrong_positions, "positions"),
    "half a gang": (wrong_gangs, moved("pair", nodes=("a1",), gpus=((0,),)), "not 2..2"),
    "a node twice": (wrong_gangs, moved("pair", nodes=("a1", "a1")), "not 2..2"),
    "a kind that is not asked for": (
        wrong_gangs,
        moved("pair", nodes=("b1", "b2")),
        "kinds it does not name",
    ),
    "two kinds": (wrong_gangs, moved("pair", nodes=("a1", "b1")), "several kinds"),
    "two racks": (wrong_gangs, moved("pair", nodes=("a1", "b1")), "not in one rack"),
    "a gang that does not wait": (
        wrong_gangs,
        starts_too(Start(gang="ghost", nodes=("d2",))),
        "without waiting",
    ),
    "a node that takes no gangs": (wrong_nodes, moved("burnt", nodes=("c1",)), "starts on ['c1']"),
    "a suspect": (wrong_nodes, moved("burnt", nodes=("e1",)), "a suspect of its own"),
    "more cores than there are": (
        over_capacity,
        starts_too(Start(gang="huge", nodes=("d2",))),
        "milli_cpu",
    ),
    "a device given twice": (
        over_devices,
        starts_too(Start(gang="small", nodes=("a1",), gpus=((0,),))),
        "thousandth",
    ),
    "no device for a gang that asks one": (
        over_devices,
        moved("half", gpus=()),
        "for 500 milli-GPUs",
    ),
    "a device too many": (over_devices, moved("half", gpus=((0, 1),)), "for 500 milli-GPUs"),
    "a shared node for one to be alone": (
        wrong_isolation,
        moved("alone", nodes=("e2",)),
        "is to be alone",
    ),
    "impossible though it fits": (wrong_never, explained("small", never()), "holds it: True"),
    "possible though it never fits": (wrong_never, explained("huge", busy()), "holds it: False"),
    "numbers that do not disagree": (wrong_never, explained("small", agreeing()), "numbers agree"),
    "a gang that waits though it fits": (missed_now, waits_instead("pair"), "fits and waits"),
    "a gang held from nodes it does not fit": (
        missed_now,
        explained("late", Reason(code=ReasonCode.HELD_FOR_HEAD, need=2, have=1)),
        "does not fit and waits",
    ),
    "a held node given away": (
        not_held_now,
        starts_too(Start(gang="small", nodes=("a1",), gpus=((1,),))),
        "which late waits for",
    ),
}


def test_the_decision_that_is_spoilt_below_is_sound() -> None:
    decision, world = a_decision(), a_world()
    assert faults(world, decision) == []
    assert list(missed_now(world, decision)) == []
    assert list(not_held_now(world, decision)) == []
    assert sorted(started(decision)) == ["alone", "burnt", "half", "pair"]


@pytest.mark.parametrize("name", SPOILT)
def test_a_check_finds(name: str) -> None:
    check, spoil, finding = SPOILT[name]
    assert list(check(a_world(), a_decision())) == []
    assert finding in "; ".join(check(a_world(), spoil(a_decision())))


def test_an_encoder_that_missed_a_change_is_found_out() -> None:
    world = a_world()
    encoder = Encoder.of(world)
    cold = encode_cold(world, NOW_MS)
    assert dump(encoder.snapshot(NOW_MS), Policy()) == dump(cold, Policy())
    world.put(replace(world.nodes["d1"], state=NodeState.DOWN))
    changed = encode_cold(world, NOW_MS)
    assert dump(encoder.snapshot(NOW_MS), Policy()) != dump(changed, Policy())
