from hypothesis import given
from hypothesis import strategies as st

from gigawatt.gateway.line import Line


def test_first_come_first_served() -> None:
    line: Line[str] = Line(3)
    assert [line.join(ticket) for ticket in "abc"] == [1, 2, 3]
    assert [line.take() for _ in range(3)] == ["a", "b", "c"]
    assert line.first() is None


def test_a_full_line_takes_nobody_until_someone_leaves() -> None:
    line: Line[str] = Line(1)
    line.join("a")
    assert line.join("b") is None
    assert line.leave("a")
    assert line.join("b") == 1


def test_one_that_lost_its_replica_is_first_again_although_the_line_is_full() -> None:
    line: Line[str] = Line(1)
    line.join("b")
    line.rejoin("a")
    assert [line.take(), line.take()] == ["a", "b"]


def test_leaving_twice_is_leaving_once() -> None:
    line: Line[str] = Line(1)
    line.join("a")
    assert [line.leave("a"), line.leave("a")] == [True, False]


def test_emptying_returns_everyone_in_order() -> None:
    line: Line[str] = Line(9)
    for ticket in "abc":
        line.join(ticket)
    assert line.empty() == ["a", "b", "c"]
    assert len(line) == 0


steps = st.lists(
    st.tuples(st.sampled_from(["join", "leave", "take"]), st.integers(0, 5)), max_size=60
)


@given(steps=steps, limit=st.integers(0, 4))
def test_it_behaves_as_a_list_does(steps: list[tuple[str, int]], limit: int) -> None:
    line: Line[int] = Line(limit)
    model: list[int] = []
    for step, ticket in steps:
        if step == "join" and ticket not in model:
            room = len(model) < limit
            assert line.join(ticket) == (len(model) + 1 if room else None)
            model += [ticket] if room else []
        elif step == "leave":
            assert line.leave(ticket) == (ticket in model)
            model = [other for other in model if other != ticket]
        elif step == "take" and model:
            assert line.take() == model.pop(0)
        assert (line.first(), len(line)) == (model[0] if model else None, len(model))


def test_the_more_urgent_go_first_and_the_least_urgent_give_way() -> None:
    line: Line[str] = Line(3)
    assert [line.join("a", 0), line.join("b", 5), line.join("c", -5)] == [1, 1, 3]
    assert line.join("d", 5) is None
    assert line.displace(5) == "c"
    assert line.displace(0) is None
    assert line.join("d", 5) == 2
    assert [line.take() for _ in range(3)] == ["b", "d", "a"]
