from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from gigawatt.routing.pick import by_name, least_in_flight, longest_prefix


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


def test_the_replica_that_has_seen_most_of_the_prompt_is_picked() -> None:
    there = loads(a=1, b=1, c=0)
    picked = longest_prefix(there, {"a": 1, "b": 3}, name=b"n", concurrency=8)
    assert picked == Load(id="b", in_flight=1)


def test_one_with_more_than_its_share_is_passed_over_however_well_it_fits() -> None:
    there = loads(a=3, b=0)
    assert longest_prefix(there, {"a": 9}, name=b"n", concurrency=8) == Load(id="b", in_flight=0)
    assert by_name(there, b"n", concurrency=8) == Load(id="b", in_flight=0)


def test_prompts_that_nobody_has_seen_meet_by_name_and_spread() -> None:
    there = loads(a=0, b=0, c=0)
    picked = [by_name(there, f"{n}".encode(), concurrency=8) for n in range(60)]
    assert picked == [by_name(there[::-1], f"{n}".encode(), concurrency=8) for n in range(60)]
    assert picked == [
        longest_prefix(there, {}, name=f"{n}".encode(), concurrency=8) for n in range(60)
    ]
    assert {load.id for load in picked if load} == {"a", "b", "c"}


def test_a_replica_that_comes_takes_its_share_of_names_and_moves_no_other() -> None:
    before, after = loads(a=0, b=0), loads(a=0, b=0, c=0)
    moved = 0
    for n in range(60):
        old = by_name(before, f"{n}".encode(), concurrency=8)
        new = by_name(after, f"{n}".encode(), concurrency=8)
        assert new in {old, Load(id="c", in_flight=0)}
        moved += new != old
    assert 0 < moved < 40


@given(
    in_flight=st.lists(st.integers(min_value=0, max_value=9), max_size=8),
    concurrency=st.integers(min_value=1, max_value=9),
    seen=st.integers(min_value=0, max_value=7),
)
def test_affine_choices_have_room_whenever_any_replica_has(
    in_flight: list[int], concurrency: int, seen: int
) -> None:
    candidates = [Load(id=f"r{n}", in_flight=count) for n, count in enumerate(in_flight)]
    for picked in (
        longest_prefix(candidates, {f"r{seen}": 2}, name=b"n", concurrency=concurrency),
        by_name(candidates, b"n", concurrency=concurrency),
    ):
        has_room = any(each.in_flight < concurrency for each in candidates)
        assert (picked is not None) == has_room
        assert picked is None or picked.in_flight < concurrency
