"""Rows stay sorted, and what was read stays as it was."""

import numpy as np

from gigawatt.scheduler.snapshot import Column
from gigawatt.scheduler.table import Table
from gigawatt.scheduler.vocabulary import Vocabulary


def a_table() -> Table:
    return Table({"one": Column(dtype=np.int64), "two": Column(dtype=np.int32, width=2)})


def test_rows_that_come_change_and_go_at_once_end_up_sorted() -> None:
    table = a_table()
    for key in ("d", "b", "f"):
        table.put(key, (ord(key), (1, 2)))
    assert table.settle() == (True, True)
    table.put("a", (1, (0, 0)))
    table.put("b", (2, (5, 6)))
    table.put("e", (3, (7, 8)))
    table.drop("d")
    table.drop("not there")
    assert table.settle() == (True, True)
    assert table.keys == ["a", "b", "e", "f"]
    assert table.column("one").tolist() == [1, 2, 3, ord("f")]
    assert table.column("two").tolist() == [[0, 0], [5, 6], [7, 8], [1, 2]]


def test_nothing_waiting_changes_nothing_and_a_change_moves_no_row() -> None:
    table = a_table()
    assert table.settle() == (False, False)
    table.put("a", (1, (0, 0)))
    table.settle()
    table.put("a", (2, (0, 0)))
    assert table.settle() == (True, False)


def test_of_several_puts_the_last_counts_and_a_drop_undoes_a_put() -> None:
    table = a_table()
    table.put("a", (1, (0, 0)))
    table.put("a", (2, (0, 0)))
    table.put("b", (1, (0, 0)))
    table.drop("b")
    table.settle()
    assert (table.keys, table.column("one").tolist()) == (["a"], [2])


def test_a_column_that_was_read_is_never_written_to_again() -> None:
    table = a_table()
    table.put("a", (1, (0, 0)))
    table.settle()
    before = table.column("one")
    table.put("a", (2, (0, 0)))
    table.settle()
    assert (before.tolist(), table.column("one").tolist()) == ([1], [2])
    assert not before.flags.writeable


def test_a_column_can_be_given_more_places() -> None:
    table = a_table()
    table.put("a", (1, (3, 4)))
    table.settle()
    table.widen("two", 3)
    table.put("b", (1, (5, 6, 7)))
    table.settle()
    assert table.column("two").tolist() == [[3, 4, 0], [5, 6, 7]]


def test_codes_follow_the_sorted_values_in_use_whatever_came_before() -> None:
    words = Vocabulary[str]()
    private = [words.hold(word) for word in ("m", "z", "a", "m")]
    assert private[0] == private[3]
    assert words.values() == ("a", "m", "z")
    assert words.ranks()[private].tolist() == [1, 2, 0, 1]
    words.release("a")
    words.release("m")
    assert words.values() == ("m", "z")
    assert words.ranks()[[private[0], private[1], -1]].tolist() == [0, 1, -1]


def test_a_private_code_that_is_free_again_is_given_to_the_next_value() -> None:
    words = Vocabulary[str]()
    first = words.hold("a")
    words.release("a")
    assert words.hold("b") == first
    assert words.values() == ("b",)
