"""The order of a file's documents, and circles among them."""

import pytest

from gigawatt.model.refusal import RefusalError
from gigawatt.spec.order import order_by_after


def test_documents_come_after_those_they_name() -> None:
    after: list[tuple[str, list[str]]] = [
        ("c", ["a", "b"]),
        ("b", ["a"]),
        ("a", []),
        ("d", ["elsewhere"]),
    ]
    assert order_by_after(after) == (2, 1, 0, 3)


def test_what_names_nothing_keeps_its_order() -> None:
    assert order_by_after([("x", []), ("y", []), ("z", [])]) == (0, 1, 2)


def test_a_circle_is_refused_and_named() -> None:
    with pytest.raises(RefusalError) as caught:
        order_by_after([("a", ["c"]), ("b", ["a"]), ("c", ["b"])])
    assert caught.value.detail == "after goes in a circle: a -> c -> b -> a"


def test_a_job_after_itself_is_a_circle() -> None:
    with pytest.raises(RefusalError, match="a -> a"):
        order_by_after([("a", ["a"])])


def test_a_long_chain_does_not_exhaust_the_stack() -> None:
    chain = [(str(n), [str(n + 1)]) for n in range(100)]
    assert order_by_after(chain)[0] == 99
