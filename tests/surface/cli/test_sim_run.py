"""`gw sim run` and `gw sim compare`: scenario files, played."""

import json
from pathlib import Path

from tests.surface.cli.conftest import Gw
from tests.unit.twin.test_scenario import TEXT


def test_a_scenario_is_played_and_reported_as_one_object(gw: Gw) -> None:
    Path("a.toml").write_text(TEXT)
    first, second = (json.loads(gw("sim", "run", "a.toml", "-o", "json").stdout) for _ in range(2))
    assert first["jobs_completed"] == 60
    assert first["report_sha256"] == second["report_sha256"]


def test_scenarios_are_compared_side_by_side(gw: Gw) -> None:
    Path("a.toml").write_text(TEXT)
    Path("b.toml").write_text(TEXT.replace("easy-hold", "fifo"))
    lines = gw("sim", "compare", "a.toml", "b.toml").stdout.splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [
        ["a.toml", "easy-hold", "60"],
        ["b.toml", "fifo", "60"],
    ]
    shown = json.loads(gw("sim", "compare", "a.toml", "b.toml", "-o", "json").stdout)
    assert set(shown) == {"a.toml", "b.toml"}


def test_a_scenario_that_is_not_there_is_refused(gw: Gw) -> None:
    done = gw("sim", "run", "none.toml")
    assert (done.exit_code, "cannot read none.toml" in done.stderr) == (2, True)
