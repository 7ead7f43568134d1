from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from gigawatt.routing.pick import least_in_flight


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    id: str
    in_flight: int


def loads(**in_flight: int) -> list[Load]:
    return [Load(id=name, in_flight=count) for name, count in in_flight.items()]


def test_the_least_loaded_replica_is_picked() -> None:
    assert least_in_flight(loads(a=3, b=1, c=2), concurrency=8) == Load(id="b", in_flight=1)


def test_a_tie_goes_to_the_first_id_whatever_the_order() -> None:
    tied = loads(c=1, a=1, b=1)
    assert least_in_flight(tied, concurrency=8) == Load(id="a", in_flight=1)
    assert least_in_flight(tied[::-1], concurrency=8) == Load(id="a", in_flight=1)


def test_nothing_is_picked_when_all_are_full_or_there_are_none() -> None:
    assert least_in_flight(loads(a=2, b=3), concurrency=2) is None
    assert least_in_flight([], concurrency=2) is None


@given(
    in_flight=st.lists(st.integers(min_value=0, max_value=9), max_size=8),
    concurrency=st.integers(min_value=1, max_value=9),
)
def test_what_is_picked_has_room_and_nothing_has_more(
    in_flight: list[int], concurrency: int
) -> None:
    candidates = [Load(id=f"r{n}", in_flight=count) for n, count in enumerate(in_flight)]
    picked = least_in_flight(candidates, concurrency=concurrency)
    with_room = [candidate for candidate in candidates if candidate.in_flight < concurrency]
    expected = min(with_room, key=lambda load: (load.in_flight, load.id), default=None)
    assert picked == expected
