"""What is decided in each scenario is what its golden file says. `python -m tests.scenario.rewrite` writes them."""

from pathlib import Path

import pytest

from tests.scenario.play import SCENARIOS, play
from tests.scenario.twin import TWINS, played

FILES = sorted(SCENARIOS.glob("*.toml"))
RUNS = sorted(TWINS.glob("*.toml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_decisions_of_a_scenario_are_those_on_record(path: Path) -> None:
    assert play(path) + "\n" == path.with_suffix(".txt").read_text()


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_what_a_run_of_the_twin_comes_to_is_what_is_on_record(path: Path) -> None:
    assert played(path) + "\n" == path.with_suffix(".txt").read_text()


def test_every_golden_file_has_its_scenario() -> None:
    for folder, files in ((SCENARIOS, FILES), (TWINS, RUNS)):
        assert sorted(path.stem for path in folder.glob("*.txt")) == [path.stem for path in files]
