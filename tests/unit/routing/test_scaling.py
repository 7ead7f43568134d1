"""Replicas that follow the load."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gigawatt.model.endpoint import Demand, EndpointSpec
from gigawatt.model.gang import Shape
from gigawatt.model.resources import Resources
from gigawatt.model.scaling import DAY_MS, NO_LOAD, SLOT_MS, Floor, LoadSeen, Scaling
from gigawatt.routing.autoscale import Target, floor_now, started_ahead, target_replicas
from gigawatt.routing.load import average_milli, forecast_milli, with_requests

PLAIN = Scaling(headroom_milli=0, forecast_percent=0)
SPEC = EndpointSpec(
    name="chat",
    model="m:1",
    model_path="/m",
    served_name="chat",
    command=("serve",),
    shape=Shape(per_node=Resources(milli_cpu=500)),
    environment="host",
    replicas_max=50,
    concurrency=4,
    idle_s=100,
    scaling=PLAIN,
)
NOW_MS = 20_000 * DAY_MS  # a Friday, at midnight
HOUR_MS = 3_600_000


def after(load: LoadSeen, requests: int, *, now_ms: int, scaling: Scaling = PLAIN) -> LoadSeen:
    return with_requests(load, requests, scaling, now_ms=now_ms)


def steady(requests: int, *, until_ms: int = NOW_MS, for_s: int = 60) -> LoadSeen:
    load = NO_LOAD
    for at_ms in range(until_ms - for_s * 1000, until_ms + 1, 2000):
        load = after(load, requests, now_ms=at_ms)
    return load


def target(
    requests: int,
    load: LoadSeen,
    *,
    current: int,
    scaling: Scaling = PLAIN,
    now_ms: int = NOW_MS,
    **more: int,
) -> Target:
    demand = Demand(at_ms=now_ms, in_flight=requests, last_request_ms=NOW_MS, **more)
    spec = replace(SPEC, scaling=scaling)
    return target_replicas(spec, demand, current=current, ready=current, now_ms=now_ms, load=load)


def test_an_average_is_over_the_window_and_what_was_seen_last_holds() -> None:
    load = after(after(NO_LOAD, 10, now_ms=NOW_MS), 0, now_ms=NOW_MS + 10_000)
    assert load.requests == (10, 10, 10, 10, 10, 0)
    assert average_milli(load, 4) == 5000
    assert average_milli(load, 600) == 8333


def test_there_is_room_for_the_average_and_its_deviations() -> None:
    load = steady(16)
    assert target(16, load, current=4).replicas == 4
    two = replace(PLAIN, headroom_milli=2000)  # 16 and twice its root are 24
    found = target(16, load, current=4, scaling=two)
    assert found.replicas == 6
    assert found.why == "16.0 requests and 2 deviations of room need 6 of 4 each"


def test_a_load_grown_tenfold_needs_less_room_for_each() -> None:
    two = replace(PLAIN, headroom_milli=2000)
    found = [target(n, steady(n), current=1, scaling=two).replicas for n in (4, 40)]
    assert found == [2, 14]


def test_a_sudden_load_counts_at_once() -> None:
    load = after(after(steady(4), 40, now_ms=NOW_MS + 2000), 40, now_ms=NOW_MS + 4000)
    found = target(40, load, current=1, now_ms=NOW_MS + 4000)
    assert found.replicas == 7
    assert found.why.startswith("a sudden")


def test_what_was_needed_stays_for_a_while_and_goes_step_by_step() -> None:
    high = target(40, steady(40), current=10).load
    later_ms = NOW_MS + 30_000
    for at_ms in range(NOW_MS + 2000, later_ms + 1, 2000):
        high = after(high, 4, now_ms=at_ms)
    held = target(4, high, current=10, now_ms=later_ms)
    assert held.replicas == 10 and "within the last 60 s" in held.why
    seen: list[int] = []
    current, now_ms, load = 10, NOW_MS + 90_000, held.load
    for _ in range(40):
        found = target(4, after(load, 4, now_ms=now_ms), current=current, now_ms=now_ms)
        current, load = found.replicas, found.load
        seen.append(current)
        now_ms += 2000
    assert list(dict.fromkeys(seen)) == [5, 3, 2, 1]


def test_a_quiet_endpoint_rests_at_its_least() -> None:
    assert target(0, steady(0), current=1, now_ms=NOW_MS + 99_000).replicas == 1
    assert target(0, steady(0), current=1, now_ms=NOW_MS + 100_000).replicas == 0


def test_latency_and_cache_over_their_targets_ask_for_more() -> None:
    both = replace(PLAIN, ttft_ms=1000, tpot_ms=50)
    load = steady(8)
    assert target(8, load, current=4, scaling=both, ttft_ms=1500).replicas == 6
    assert target(8, load, current=4, scaling=both, ttft_ms=9000).replicas == 8  # twice at most
    assert target(8, load, current=4, scaling=both, tpot_ms=75).replicas == 6
    found = target(8, load, current=4, cache_percent=100)
    assert found.replicas == 5
    assert found.why == "KV cache use of 100 % is over 85 %: 5 instead of 4"
    assert target(0, steady(0), current=0, scaling=both, ttft_ms=9000).replicas == 1


def test_a_backlog_of_tokens_is_shared_out() -> None:
    each = replace(PLAIN, backlog_tokens=1000)
    assert target(4, steady(4), current=1, scaling=each, backlog_tokens=4500).replicas == 5


def test_past_days_raise_the_floor_ahead_of_time() -> None:
    load = NO_LOAD
    start_ms = NOW_MS - DAY_MS
    for at_ms in range(start_ms, start_ms + DAY_MS + 1, SLOT_MS // 4):
        busy = 8 * HOUR_MS <= at_ms - start_ms < 9 * HOUR_MS
        load = after(load, 40 if busy else 4, now_ms=at_ms)
    assert forecast_milli(load, at_ms=NOW_MS + 8 * HOUR_MS) == 40_000
    ahead = replace(PLAIN, forecast_percent=80)
    soon_ms = NOW_MS + 8 * HOUR_MS - 50_000
    found = target(4, after(load, 4, now_ms=soon_ms), current=1, scaling=ahead, now_ms=soon_ms)
    assert found.replicas == 8
    assert "past days" in found.why


def test_floors_hold_at_their_times_also_over_midnight() -> None:
    office = Floor(days=(4,), from_minute=8 * 60, to_minute=18 * 60, replicas=2)
    night = Floor(days=(4,), from_minute=22 * 60, to_minute=2 * 60, replicas=3)
    hours = (7, 8, 17, 18, 22, 25, 26, 32)
    seen = [floor_now((office, night), now_ms=NOW_MS + hour * HOUR_MS) for hour in hours]
    assert seen == [0, 2, 2, 0, 3, 3, 0, 0]
    found = target(0, NO_LOAD, current=0, scaling=replace(PLAIN, floors=(office,)), now_ms=NOW_MS + 9 * HOUR_MS)  # fmt: skip
    assert found.replicas == 2


steps = st.lists(st.tuples(st.integers(1, 60_000), st.integers(0, 300)), min_size=1, max_size=40)


@given(steps=steps, least=st.integers(0, 3), more=st.integers(0, 40))
def test_bounds_hold_and_nobody_waits_at_zero(
    steps: list[tuple[int, int]], least: int, more: int
) -> None:
    scaling = Scaling()
    spec = replace(SPEC, replicas_min=least, replicas_max=max(least + more, 1), scaling=scaling)
    load, now_ms, current = NO_LOAD, NOW_MS, least
    for passed_ms, requests in steps:
        now_ms += passed_ms
        load = after(load, requests, now_ms=now_ms, scaling=scaling)
        demand = Demand(at_ms=now_ms, queued=requests, last_request_ms=now_ms if requests else 0)
        found = target_replicas(spec, demand, current=current, ready=0, now_ms=now_ms, load=load)
        assert least <= found.replicas <= spec.replicas_max
        assert found.replicas >= (1 if requests else 0)
        assert found.why
        assert found.due_ms is None or found.due_ms > now_ms
        assert len(found.load.requests) <= 150
        assert [n for _, n in found.load.needed] == sorted(
            (n for _, n in found.load.needed), reverse=True
        )
        load, current = found.load, found.replicas


def test_a_floor_and_a_forecast_count_as_long_before_their_time_as_a_replica_takes_to_start() -> (
    None
):
    office = Floor(days=(4,), from_minute=8 * 60, to_minute=18 * 60, replicas=2)
    spec = replace(SPEC, scaling=replace(PLAIN, floors=(office,), start_s=60))
    eight_ms = NOW_MS + 8 * HOUR_MS

    def wanted(before_ms: int, *, start_ms: int) -> int:
        now_ms = eight_ms - before_ms
        ahead = started_ahead(spec, start_ms=start_ms)
        demand = Demand(at_ms=now_ms, last_request_ms=NOW_MS)
        return target_replicas(ahead, demand, current=0, ready=0, now_ms=now_ms).replicas

    assert (wanted(180_000, start_ms=170_000), wanted(181_000, start_ms=170_000)) == (2, 0)
    assert (wanted(60_000, start_ms=5_000), wanted(61_000, start_ms=5_000)) == (2, 0)
    assert started_ahead(SPEC, start_ms=1) is SPEC
