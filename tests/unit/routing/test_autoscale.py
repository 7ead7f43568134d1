from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from gigawatt.model.endpoint import Demand, EndpointSpec
from gigawatt.model.gang import Shape
from gigawatt.model.resources import Resources
from gigawatt.routing.autoscale import Target, target_replicas

SPEC = EndpointSpec(
    name="tiny",
    model="tiny:1",
    model_path="/models/tiny",
    served_name="tiny",
    command=("serve",),
    shape=Shape(per_node=Resources(milli_cpu=500)),
    environment="host",
    replicas_min=0,
    replicas_max=4,
    concurrency=8,
    idle_s=60,
)
NOW_MS = 1_000_000


def target(
    demand: Demand | None, *, current: int, spec: EndpointSpec = SPEC, now_ms: int = NOW_MS
) -> Target:
    return target_replicas(spec, demand, current=current, ready=0, now_ms=now_ms)


def demand(*, in_flight: int = 0, queued: int = 0, last_ms: int = NOW_MS) -> Demand:
    return Demand(at_ms=NOW_MS, in_flight=in_flight, queued=queued, last_request_ms=last_ms)


def test_an_endpoint_that_was_never_called_has_its_minimum() -> None:
    assert target(None, current=0) == Target(replicas=0, due_ms=None)
    assert target(None, current=0, spec=replace(SPEC, replicas_min=2)) == Target(
        replicas=2, due_ms=None
    )


def test_one_waiting_request_starts_one_replica() -> None:
    assert target(demand(queued=1), current=0) == Target(replicas=1, due_ms=None)


def test_there_are_as_many_replicas_as_the_requests_need() -> None:
    assert target(demand(in_flight=16, queued=1), current=2).replicas == 3


def test_the_maximum_holds_whatever_waits() -> None:
    assert target(demand(queued=1000), current=1).replicas == 4


def test_less_demand_takes_nothing_away() -> None:
    assert target(demand(in_flight=1), current=3) == Target(replicas=3, due_ms=None)


def test_quiet_is_waited_for_and_its_end_is_named() -> None:
    quiet = demand(last_ms=NOW_MS - 59_999)
    assert target(quiet, current=3) == Target(replicas=3, due_ms=NOW_MS + 1)
    assert target(quiet, current=3, now_ms=NOW_MS + 1) == Target(replicas=0, due_ms=None)


def test_quiet_ends_at_the_minimum_not_below() -> None:
    spec = replace(SPEC, replicas_min=1)
    assert target(demand(last_ms=0), current=3, spec=spec) == Target(replicas=1, due_ms=None)


def test_a_lower_maximum_holds_at_once() -> None:
    spec = replace(SPEC, replicas_max=2)
    assert target(demand(in_flight=1), current=4, spec=spec).replicas == 2


def spec_with(least: int, more: int, concurrency: int, idle_s: int) -> EndpointSpec:
    return replace(
        SPEC,
        replicas_min=least,
        replicas_max=max(1, least + more),
        concurrency=concurrency,
        idle_s=idle_s,
    )


specs = st.builds(
    spec_with,
    least=st.integers(0, 5),
    more=st.integers(0, 5),
    concurrency=st.integers(1, 16),
    idle_s=st.integers(0, 600),
)
demands = st.builds(
    demand,
    in_flight=st.integers(0, 100),
    queued=st.integers(0, 100),
    last_ms=st.integers(0, NOW_MS),
)


@given(spec=specs, demand=demands, current=st.integers(0, 12))
def test_the_bounds_always_hold(spec: EndpointSpec, demand: Demand, current: int) -> None:
    wanted = target(demand, current=current, spec=spec).replicas
    assert spec.replicas_min <= wanted <= spec.replicas_max


@given(spec=specs, demand=demands, current=st.integers(0, 12))
def test_nobody_waits_at_zero(spec: EndpointSpec, demand: Demand, current: int) -> None:
    assume(demand.queued + demand.in_flight > 0)
    assert target(demand, current=current, spec=spec).replicas >= 1


@given(spec=specs, demand=demands, current=st.integers(0, 12))
def test_after_a_whole_quiet_window_there_is_the_minimum(
    spec: EndpointSpec, demand: Demand, current: int
) -> None:
    quiet = replace(demand, in_flight=0, queued=0)
    later_ms = quiet.last_request_ms + spec.idle_s * 1000
    assert target(quiet, current=current, spec=spec, now_ms=later_ms).replicas == spec.replicas_min


@given(spec=specs, demand=demands, current=st.integers(0, 12))
def test_an_answer_that_is_carried_out_is_given_again(
    spec: EndpointSpec, demand: Demand, current: int
) -> None:
    first = target(demand, current=current, spec=spec)
    assert target(demand, current=first.replicas, spec=spec).replicas == first.replicas


@given(spec=specs, demand=demands, current=st.integers(0, 12), wait_ms=st.integers(0, 1_000_000))
def test_until_it_is_due_the_answer_stays(
    spec: EndpointSpec, demand: Demand, current: int, wait_ms: int
) -> None:
    first = target(demand, current=current, spec=spec)
    later_ms = NOW_MS + wait_ms
    assume(first.due_ms is None or later_ms < first.due_ms)
    later = target(demand, current=first.replicas, spec=spec, now_ms=later_ms)
    assert later.replicas == first.replicas


@given(
    spec=specs,
    steps=st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 40)), min_size=1, max_size=30),
)
def test_replicas_are_only_taken_away_after_quiet(
    spec: EndpointSpec, steps: list[tuple[int, int]]
) -> None:
    now_ms, last_ms, current = NOW_MS, 0, spec.replicas_min
    for wait_ms, requests in steps:
        now_ms += wait_ms
        last_ms = now_ms if requests else last_ms
        said = Demand(at_ms=now_ms, in_flight=requests, last_request_ms=last_ms)
        wanted = target(said, current=current, spec=spec, now_ms=now_ms).replicas
        if wanted < current:
            assert requests == 0
            assert now_ms - last_ms >= spec.idle_s * 1000
            assert wanted == spec.replicas_min
        current = wanted
