"""The list of attacks, and the page that is made of it."""

from pathlib import Path

from gigawatt.server.hostile import ATTACKS, CLASSES, on_files, on_kernel, on_processes, program
from gigawatt.server.hostile.attacks import By, table

PAGE = Path(__file__).parents[3] / "docs" / "concepts" / "isolation.md"


def test_the_page_shows_the_table_of_attacks_as_it_is() -> None:
    assert table() in PAGE.read_text(encoding="utf-8")


def test_each_attack_of_a_rank_has_a_program_and_each_program_is_listed() -> None:
    assert {on_files.__name__, on_processes.__name__, on_kernel.__name__}
    listed = {each.name for each in ATTACKS if each.by is By.RANK}
    assert set(program.ATTACKS) == listed
    assert len({each.name for each in ATTACKS}) == len(ATTACKS) >= 25


def test_what_a_class_leaves_open_comes_with_what_an_operator_can_do() -> None:
    for each in ATTACKS:
        assert bool(each.open_in) == bool(each.why)
        assert set(each.open_in) <= set(CLASSES)
        assert each.stopped_by or set(each.open_in) == set(CLASSES)
