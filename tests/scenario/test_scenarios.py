"""What is decided in each scenario is what its golden file says. `python -m tests.scenario.rewrite` writes them."""

from pathlib import Path

import pytest

from tests.scenario.play import SCENARIOS, play

FILES = sorted(SCENARIOS.glob("*.toml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_decisions_of_a_scenario_are_those_on_record(path: Path) -> None:
    assert play(path) + "\n" == path.with_suffix(".txt").read_text()


def test_every_golden_file_has_its_scenario() -> None:
    assert sorted(path.stem for path in SCENARIOS.glob("*.txt")) == [path.stem for path in FILES]
