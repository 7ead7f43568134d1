"""Histories of endpoints through the production cycle: from zero, back to zero, replaced, failing, stopped."""

import pytest

from gigawatt.model.command import PutEndpoint, StopEndpoint
from gigawatt.model.endpoint import Endpoint, EndpointPhase, EndpointSpec
from gigawatt.model.gang import Shape
from gigawatt.model.ledger import TimeClass
from gigawatt.model.observation import DemandSeen
from gigawatt.model.refusal import RefusalError
from gigawatt.model.resources import Resources
from gigawatt.reconcile.endpoints import FAILURES_MAX
from tests.loop import Loop
from tests.machines import a_report

IDLE_S = 10


def a_spec(*, replicas_min: int = 0, replicas_max: int = 2) -> EndpointSpec:
    return EndpointSpec(
        name="llm",
        model="llm:1",
        model_path="/models/1",
        served_name="llm",
        command=("serve",),
        shape=Shape(per_node=Resources(milli_cpu=500)),
        environment="host",
        replicas_min=replicas_min,
        replicas_max=replicas_max,
        concurrency=2,
        idle_s=IDLE_S,
    )


def put(loop: Loop, spec: EndpointSpec) -> Endpoint:
    command = PutEndpoint(id="ep-1", tenant="default", project="default", by="me", spec=spec)
    reply = loop.ask(command)
    assert isinstance(reply, Endpoint)
    return reply


def demand(
    loop: Loop, *, in_flight: int = 0, queued: int = 0, busy_ms: dict[str, int] | None = None
) -> None:
    seen = DemandSeen(
        at_ms=loop.now_ms,
        endpoint="ep-1",
        in_flight=in_flight,
        queued=queued,
        last_request_ms=loop.now_ms if in_flight or queued else 0,
        requests_more=in_flight,
        busy_ms_more=tuple((busy_ms or {}).items()),
    )
    loop.step([seen])


def phase(loop: Loop) -> EndpointPhase:
    endpoint = loop.kept["Endpoint", "ep-1"]
    assert isinstance(endpoint, Endpoint)
    return endpoint.phase


def test_an_endpoint_with_no_minimum_waits_at_zero() -> None:
    loop = Loop.of(a_report("n1"))
    put(loop, a_spec())
    assert phase(loop) is EndpointPhase.ZERO
    assert loop.world.replicas == {}


def test_the_first_request_wakes_it_and_a_quiet_window_lets_it_go() -> None:
    loop = Loop.of(a_report("n1"))
    put(loop, a_spec())
    demand(loop, queued=1)
    assert phase(loop) is EndpointPhase.READY
    assert len(loop.world.replicas) == 1
    demand(loop, in_flight=1)
    loop.later(1_000)
    demand(loop)
    loop.later(IDLE_S * 1_000 - 1_001)
    loop.step()
    assert phase(loop) is EndpointPhase.READY
    loop.later(1_001)
    loop.step()
    assert phase(loop) is EndpointPhase.ZERO
    assert loop.world.replicas == {}
    assert loop.machines.attempts == {}
    assert loop.unaccounted() == 0


def test_more_waiting_than_one_replica_is_meant_for_starts_more_up_to_the_maximum() -> None:
    loop = Loop.of(a_report("n1"))
    put(loop, a_spec(replicas_max=3))
    demand(loop, queued=100)
    assert len(loop.world.replicas) == 3


def sums_of(loop: Loop) -> dict[TimeClass, int]:
    sums = dict.fromkeys(TimeClass, 0)
    for entry in loop.entries:
        sums[entry.time_class] += entry.unit_ms
    return sums


def test_a_request_shorter_than_the_time_between_reports_is_serving_for_as_long_as_it_was() -> None:
    loop = Loop.of(a_report("n1", milli_cpu=500))
    put(loop, a_spec(replicas_min=1))
    (replica,) = loop.world.replicas
    loop.later(1_000)
    demand(loop, busy_ms={replica: 50})
    loop.later(3_000)
    demand(loop, in_flight=1, busy_ms={replica: 7})
    sums = sums_of(loop)
    assert sums[TimeClass.SERVING] == 500 * 57
    assert sums[TimeClass.SERVING_IDLE] == 500 * (4_000 - 57)
    assert loop.unaccounted() == 0


def test_each_replica_serves_for_its_own_time_and_none_for_longer_than_it_was_ready() -> None:
    loop = Loop.of(a_report("n1", milli_cpu=1_000))
    put(loop, a_spec(replicas_min=2))
    first, second = sorted(loop.world.replicas)
    loop.later(1_000)
    demand(loop, busy_ms={first: 400, second: 9_000, "gone": 5})
    demand(loop, busy_ms={second: 1})
    sums = sums_of(loop)
    assert sums[TimeClass.SERVING] == 500 * 1_400
    assert sums[TimeClass.SERVING_IDLE] == 500 * 600
    loop.restart()
    loop.later(100)
    demand(loop, busy_ms={first: 700})
    sums = sums_of(loop)
    assert sums[TimeClass.SERVING] == 500 * 2_100
    assert sums[TimeClass.SERVING_IDLE] == 500 * 100
    assert loop.unaccounted() == 0


def test_replicas_that_keep_failing_fail_the_endpoint_after_a_bound() -> None:
    loop = Loop.of(a_report("n1"))
    loop.machines.replicas_become_ready = False
    put(loop, a_spec(replicas_min=1))
    for _ in range(2 * FAILURES_MAX + 2):  # each failure is followed by a pause
        for key in tuple(loop.machines.attempts):
            loop.machines.exit(key, 0, code=1)
        loop.later(60_000)
        loop.step()
    endpoint = loop.world.endpoints["ep-1"]
    assert endpoint.phase is EndpointPhase.FAILED
    assert "exit code 1" in endpoint.message
    assert len(loop.machines.starts) == FAILURES_MAX


def test_a_replica_on_a_lost_node_starts_again_elsewhere() -> None:
    loop = Loop.of(a_report("n1"), a_report("n2"))
    put(loop, a_spec(replicas_min=1))
    (replica,) = loop.world.replicas.values()
    assert replica.attempt is not None
    loop.machines.lose(replica.attempt.nodes[0])
    loop.step()
    (again,) = loop.world.replicas.values()
    assert again.id == replica.id
    assert again.ready
    assert phase(loop) is EndpointPhase.READY


def test_a_stopped_endpoint_leaves_nothing() -> None:
    loop = Loop.of(a_report("n1"))
    put(loop, a_spec(replicas_min=1))
    loop.ask(StopEndpoint(id="ep-1", by="me"))
    assert phase(loop) is EndpointPhase.STOPPED
    assert loop.machines.attempts == {}
    assert loop.world.endpoints == {}
    with pytest.raises(RefusalError, match="no endpoint"):
        loop.ask(StopEndpoint(id="ep-1", by="me"))


def test_a_restart_does_not_take_old_demand_for_quiet() -> None:
    loop = Loop.of(a_report("n1"))
    put(loop, a_spec())
    demand(loop, queued=1)
    loop.later(IDLE_S * 2_000)
    loop.restart()
    assert phase(loop) is EndpointPhase.READY
    loop.later(IDLE_S * 1_000)
    loop.step()
    assert phase(loop) is EndpointPhase.ZERO
