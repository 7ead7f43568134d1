from hypothesis import given
from hypothesis import strategies as st

from gigawatt.gateway.tally import Tally
from gigawatt.gateway.usage import Usage


def test_a_new_endpoint_is_told_of_once() -> None:
    tally = Tally("e")
    counts = tally.counts()
    assert tally.demand(counts) == {
        "id": "e",
        "in_flight": 0,
        "queued": 0,
        "last_request_ms": 0,
        "requests_more": 0,
        "prompt_tokens_more": 0,
        "completion_tokens_more": 0,
        "busy_ms_more": {},
        "backlog_tokens": 0,
        "ttft_ms": 0,
        "tpot_ms": 0,
        "cache_percent": 0,
        "open": [],
        "revisions": {},
    }
    tally.acknowledge(counts)
    assert tally.demand(tally.counts()) is None
    assert tally.settled


def test_what_comes_while_a_report_is_under_way_is_in_the_next() -> None:
    tally = Tally("e")
    tally.requests = 2
    told = tally.counts()
    tally.requests = 5
    tally.acknowledge(told)
    demand = tally.demand(tally.counts())
    assert demand is not None
    assert demand["requests_more"] == 3
    assert not tally.settled


def test_it_is_not_settled_while_something_is_under_way() -> None:
    tally = Tally("e")
    tally.in_flight = 1
    tally.acknowledge(tally.counts())
    assert not tally.settled


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=30))
def test_differences_that_were_acknowledged_sum_to_the_counts(
    steps: list[tuple[int, bool]],
) -> None:
    tally, heard = Tally("e"), 0
    for tokens, acknowledged in steps:
        tally.add(Usage(prompt_tokens=tokens, completion_tokens=0))
        counts = tally.counts()
        if acknowledged:
            heard += tally.demand_always(counts)["prompt_tokens_more"]
            tally.acknowledge(counts)
    heard += tally.demand_always(tally.counts())["prompt_tokens_more"]
    assert heard == sum(tokens for tokens, _ in steps)


def test_a_replica_is_busy_while_it_has_a_request_and_each_millisecond_is_told_once() -> None:
    tally, now = Tally("e"), [10.0]
    busy = tally.busy("r1", lambda: now[0])
    busy.begin()
    now[0] += 0.0304
    busy.begin()
    told = tally.counts()
    assert tally.demand_always(told)["busy_ms_more"] == {"r1": 30}
    now[0] += 0.0199
    busy.end()
    busy.end()
    now[0] += 60.0
    tally.acknowledge(told)
    assert tally.demand_always(tally.counts())["busy_ms_more"] == {"r1": 20}
    assert not tally.settled


def test_a_long_reply_is_no_news_until_it_ends() -> None:
    tally, now = Tally("e"), [0.0]
    busy = tally.busy("r1", lambda: now[0])
    tally.in_flight = 1
    busy.begin()
    tally.acknowledge(tally.counts())
    now[0] += 5.0
    assert tally.demand(tally.counts()) is None
    assert tally.demand_always(tally.counts())["busy_ms_more"] == {"r1": 5_000}


def test_a_replica_that_is_gone_is_forgotten_once_its_time_is_told() -> None:
    tally, now = Tally("e"), [0.0]
    busy = tally.busy("r1", lambda: now[0])
    busy.begin()
    now[0] += 1.0
    busy.end()
    tally.forget_replicas(())
    counts = tally.counts()
    assert counts.busy_ms == {"r1": 1_000}
    tally.acknowledge(counts)
    tally.forget_replicas(("r1",))
    assert tally.counts().busy_ms == {"r1": 1_000}
    tally.forget_replicas(())
    assert tally.counts().busy_ms == {}
    assert tally.settled


def test_an_acknowledgement_for_a_replica_let_go_of_meanwhile_is_no_fault() -> None:
    now_s = [0.0]
    tally = Tally("endpoint-1")
    busy = tally.busy("replica-1", lambda: now_s[0])
    busy.begin()
    now_s[0] = 0.05
    busy.end()
    tally.acknowledge(tally.counts())
    under_way = tally.counts()
    tally.forget_replicas([])
    tally.acknowledge(under_way)
    assert tally.settled


def test_latencies_are_told_as_what_nine_in_ten_of_the_newest_are_not_above() -> None:
    tally = Tally("e")
    for hundredths in range(1, 101):
        tally.began(hundredths / 100)
        usage = Usage(prompt_tokens=1, completion_tokens=11)
        tally.answered(usage, 2.0, hundredths / 100)
    told = tally.demand_always(tally.counts())
    assert (told["ttft_ms"], told["tpot_ms"], tally.mean_s) == (940, 94, 2.0)
