"""Histories of rollouts through the production cycle: beside the old one, step by step, back, at zero, without room."""

from dataclasses import replace

import pytest

from gigawatt.model.change import Entity
from gigawatt.model.command import PutEndpoint, SteerRollout, StopEndpoint
from gigawatt.model.endpoint import Endpoint, EndpointPhase, EndpointSpec, Revision
from gigawatt.model.gang import Shape
from gigawatt.model.observation import DemandSeen, RevisionSeen
from gigawatt.model.refusal import RefusalError
from gigawatt.model.resources import Resources
from gigawatt.model.rollout import NoRoom, RolloutPlan, Seen, Steer, Strategy
from tests.loop import Loop
from tests.machines import a_report

PAUSE_S, BAKE_S, START_S = 60, 120, 600
CANARY = RolloutPlan(
    strategy=Strategy.CANARY, steps=(10, 50), pause_s=PAUSE_S, bake_s=BAKE_S, start_s=START_S
)
AT_ONCE = replace(CANARY, strategy=Strategy.ALL_AT_ONCE)


def a_spec(*command: str, plan: RolloutPlan = CANARY, replicas_min: int = 2) -> EndpointSpec:
    return EndpointSpec(
        name="llm",
        model="llm:1",
        model_path="/models/1",
        served_name="llm",
        command=("serve", *command),
        shape=Shape(per_node=Resources(milli_cpu=500)),
        environment="host",
        replicas_min=replicas_min,
        replicas_max=4,
        concurrency=2,
        idle_s=10,
        rollout=plan,
    )


def put(loop: Loop, spec: EndpointSpec) -> Entity:
    return loop.ask(PutEndpoint(id="ep-1", tenant="default", project="default", by="me", spec=spec))


def steer(loop: Loop, to: Steer) -> Entity:
    return loop.ask(SteerRollout(id="ep-1", steer=to, by="me"))


def rolling(*, cpus: int = 8, plan: RolloutPlan = CANARY, replicas_min: int = 2) -> Loop:
    """The second revision beside the first."""
    loop = Loop.of(a_report("n1", milli_cpu=cpus * 500))
    put(loop, a_spec(plan=plan, replicas_min=replicas_min))
    put(loop, a_spec("--better", plan=plan, replicas_min=replicas_min))
    return loop


def endpoint(loop: Loop) -> Endpoint:
    return loop.world.endpoints["ep-1"]


def weight(loop: Loop) -> int | None:
    """Of the new revision; None where no rollout is under way."""
    rollout = endpoint(loop).rollout
    return rollout.weight if rollout else None


def counts(loop: Loop) -> dict[int, int]:
    """Replicas that take requests, by revision."""
    found: dict[int, int] = {}
    for replica in loop.world.replicas.values():
        if replica.ready and not replica.stopping:
            found[replica.generation] = found.get(replica.generation, 0) + 1
    return found


def later(loop: Loop, seconds: float) -> None:
    loop.later(round(seconds * 1000))
    loop.step()


def told(loop: Loop, new: Seen, old: Seen, *, open: tuple[str, ...] = ()) -> None:
    of_both = (RevisionSeen(generation=1, seen=old), RevisionSeen(generation=2, seen=new))
    at_ms = loop.now_ms
    loop.step(
        [
            DemandSeen(
                at_ms=at_ms,
                endpoint="ep-1",
                in_flight=1,
                queued=0,
                last_request_ms=at_ms,
                revisions=of_both,
                open=open,
            )
        ]
    )


def history(loop: Loop) -> dict[int, str]:
    found = [each for each in loop.kept.values() if isinstance(each, Revision)]
    return {each.number: each.phase.value for each in found}


def test_a_canary_goes_by_steps_and_keeps_the_old_revision_until_it_has_proven_itself() -> None:
    loop = rolling()
    assert (weight(loop), counts(loop)) == (10, {1: 2, 2: 1})
    later(loop, PAUSE_S - 1)
    assert weight(loop) == 10
    later(loop, 1)
    assert (weight(loop), counts(loop)) == (50, {1: 2, 2: 1})
    later(loop, PAUSE_S)
    assert (weight(loop), counts(loop)) == (100, {1: 2, 2: 2})
    later(loop, BAKE_S - 1)
    assert counts(loop) == {1: 2, 2: 2}
    later(loop, 1)
    assert (weight(loop), counts(loop)) == (None, {2: 2})
    assert endpoint(loop).generation == 2
    assert history(loop) == {1: "live", 2: "live"}
    assert endpoint(loop).last_rollout == "revision 2 has taken the place of 1"


def test_all_at_once_shifts_when_enough_are_ready_and_not_before() -> None:
    loop = Loop.of(a_report("n1"))
    put(loop, a_spec(plan=AT_ONCE))
    loop.machines.replicas_become_ready = False
    put(loop, a_spec("--better", plan=AT_ONCE))
    assert (weight(loop), counts(loop)) == (0, {1: 2})
    assert endpoint(loop).phase is EndpointPhase.READY


def test_errors_of_the_new_revision_take_it_back_at_once() -> None:
    loop = rolling()
    told(loop, Seen(requests=20, errors=20), Seen(requests=200))
    assert weight(loop) == 10
    told(loop, Seen(requests=20, errors=20), Seen(requests=200))
    assert (weight(loop), counts(loop), endpoint(loop).generation) == (None, {1: 2}, 1)
    assert endpoint(loop).spec.command == ("serve",)
    assert history(loop) == {1: "live", 2: "rolled_back"}
    assert "40 of its 40 requests failed" in endpoint(loop).last_rollout
    put(loop, a_spec("--best"))
    assert endpoint(loop).generation == 3


def test_latency_beyond_the_old_ones_takes_it_back_while_it_bakes() -> None:
    loop = rolling(plan=AT_ONCE)
    assert weight(loop) == 100
    told(loop, Seen(requests=50, ttft=((60, 50),)), Seen(requests=50, ttft=((20, 50),)))
    assert weight(loop) is None
    assert "p99 TTFT" in endpoint(loop).last_rollout


def test_replicas_that_fail_take_it_back_and_the_old_ones_never_stopped() -> None:
    loop = Loop.of(a_report("n1"))
    put(loop, a_spec())
    loop.machines.replicas_become_ready = False
    put(loop, a_spec("--broken"))
    for _ in range(8):  # each failure is followed by a pause
        for key in tuple(loop.machines.attempts):
            if not loop.world.replicas[key.gang].ready:
                loop.machines.exit(key, 0, code=1)
        later(loop, 60)
    assert (weight(loop), counts(loop)) == (None, {1: 2})
    assert "3 of its replicas failed" in endpoint(loop).last_rollout


def test_a_person_pauses_resumes_promotes_and_takes_back() -> None:
    loop = rolling()
    steer(loop, Steer.PAUSE)
    later(loop, PAUSE_S * 10)
    assert weight(loop) == 10
    steer(loop, Steer.RESUME)
    assert weight(loop) == 50
    steer(loop, Steer.PROMOTE)
    later(loop, 0)
    assert (weight(loop), counts(loop)) == (None, {2: 2})
    with pytest.raises(RefusalError, match="no rollout under way"):
        steer(loop, Steer.ROLLBACK)
    put(loop, a_spec("--third"))
    steer(loop, Steer.ROLLBACK)
    assert (counts(loop), endpoint(loop).last_rollout) == (
        {2: 2},
        "revision 3 was rolled back: by me",
    )


def test_a_new_leader_goes_on_where_the_old_one_was() -> None:
    loop = rolling()
    later(loop, PAUSE_S)
    assert weight(loop) == 50
    loop.restart()
    assert (weight(loop), counts(loop)) == (50, {1: 2, 2: 1})
    later(loop, PAUSE_S)
    assert weight(loop) == 100
    loop.restart()
    later(loop, BAKE_S)
    assert (weight(loop), counts(loop)) == (None, {2: 2})


def test_at_zero_the_next_start_is_of_the_new_revision_and_a_failing_one_goes_back() -> None:
    loop = Loop.of(a_report("n1"))
    put(loop, a_spec(replicas_min=0))
    told(loop, Seen(), Seen())
    quiet = DemandSeen(at_ms=loop.now_ms, endpoint="ep-1", in_flight=0, queued=0, last_request_ms=0)
    loop.step([quiet])
    later(loop, 11)
    assert endpoint(loop).phase is EndpointPhase.ZERO
    put(loop, a_spec("--better", replicas_min=0))
    assert (weight(loop), counts(loop)) == (100, {})
    loop.machines.replicas_become_ready = False
    told(loop, Seen(), Seen())
    for _ in range(8):
        for key in tuple(loop.machines.attempts):
            loop.machines.exit(key, 0, code=1)
        later(loop, 60)
        told(loop, Seen(), Seen())
    assert (weight(loop), endpoint(loop).generation) == (None, 1)


def test_without_room_it_waits_and_says_so_and_goes_back_when_that_takes_too_long() -> None:
    loop = rolling(cpus=2)
    later(loop, 20)
    rollout = endpoint(loop).rollout
    assert rollout is not None
    assert (rollout.weight, counts(loop)) == (0, {1: 2})
    assert rollout.why == "0 of 1 new replicas are ready; there is no room for both revisions yet"
    later(loop, START_S)
    assert (weight(loop), counts(loop)) == (None, {1: 2})
    assert "there was no room for more" in endpoint(loop).last_rollout


def test_without_room_old_replicas_make_room_where_the_plan_says_so() -> None:
    loop = rolling(cpus=2, plan=replace(CANARY, no_room=NoRoom.IN_TURN))
    assert counts(loop) == {1: 2}
    later(loop, 20)
    assert (weight(loop), counts(loop)) == (10, {1: 1, 2: 1})
    later(loop, PAUSE_S)
    later(loop, PAUSE_S)
    assert (weight(loop), counts(loop)) == (100, {2: 2})
    later(loop, BAKE_S)
    assert (weight(loop), counts(loop)) == (None, {2: 2})


def test_a_replica_that_still_answers_is_not_stopped_before_it_has_answered() -> None:
    loop = rolling(plan=AT_ONCE)
    first, second = sorted(each.id for each in loop.world.replicas.values() if each.generation == 1)
    told(loop, Seen(), Seen(), open=(first,))
    later(loop, BAKE_S)
    assert weight(loop) is None
    assert first in loop.world.replicas
    assert second not in loop.world.replicas
    later(loop, 2)
    told(loop, Seen(), Seen(), open=(first,))
    assert first in loop.world.replicas
    told(loop, Seen(), Seen())
    assert first not in loop.world.replicas


def test_what_replicas_do_not_run_by_is_changed_in_place() -> None:
    loop = Loop.of(a_report("n1"))
    put(loop, a_spec())
    before = set(loop.world.replicas)
    put(loop, replace(a_spec(), replicas_min=3, idle_s=99))
    assert before < set(loop.world.replicas)
    assert (weight(loop), counts(loop), endpoint(loop).revisions) == (None, {1: 3}, 1)


def test_a_canary_cannot_change_the_name_that_requests_are_shared_out_by() -> None:
    loop = Loop.of(a_report("n1"))
    put(loop, a_spec())
    with pytest.raises(RefusalError, match="one served name"):
        put(loop, replace(a_spec(), served_name="other"))
    put(loop, replace(a_spec(plan=AT_ONCE), served_name="other"))
    assert (weight(loop), endpoint(loop).serving.served_name) == (100, "other")


def test_another_spec_meanwhile_takes_the_place_of_the_new_revision() -> None:
    loop = rolling()
    put(loop, a_spec("--best"))
    assert (weight(loop), counts(loop), endpoint(loop).generation) == (10, {1: 2, 3: 1}, 3)
    assert history(loop) == {1: "live", 2: "replaced", 3: "rolling"}
    loop.ask(StopEndpoint(id="ep-1", by="me"))
    assert loop.world.replicas == {}
