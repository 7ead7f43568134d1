"""Checks of the machine itself, on what the kernel shows of this one and on recorded text."""

from pathlib import Path

import pytest

from gigawatt.engine.checks import burn, host, scripts
from gigawatt.engine.checks.said import FAIL, OK, WARN, Said, worst
from gigawatt.engine.checks.state import State

STALLED = "some avg10=80.00 avg60=71.20 avg300=1.00 total=1\nfull avg10=60.00 avg60={} avg300=0.5 total=1\n"


def script(directory: Path, name: str, text: str) -> Path:
    path = directory / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_the_worst_comes_first_and_the_others_are_counted() -> None:
    assert worst([Said(OK, "a"), Said(WARN, "b"), Said(FAIL, "c"), Said(FAIL, "d")]) == (
        FAIL,
        "c (and 1 more)",
    )
    assert worst([Said(OK, "a"), Said(OK), Said(OK, "b")]) == (OK, "a; b")
    assert worst([]) == (OK, "")


@pytest.mark.parametrize(("average", "outcome"), [("0.00", OK), ("49.9", OK), ("71.20", WARN)])
def test_pressure_is_the_share_of_a_minute_in_which_all_work_waits(
    average: str, outcome: str
) -> None:
    assert host.judge_pressure("io", STALLED.format(average)).outcome == outcome


@pytest.mark.parametrize(("available", "outcome"), [(500, OK), (10, WARN)])
def test_memory_that_is_nearly_gone_warns(available: int, outcome: str) -> None:
    text = f"MemTotal:  1000 kB\nMemFree:  1 kB\nMemAvailable:  {available} kB\n"
    assert host.free_memory(text).outcome == outcome


def test_a_port_that_goes_down_fails_and_counters_count_by_how_they_grow(tmp_path: Path) -> None:
    port = tmp_path / "sys/class/infiniband/mlx5_0/ports/1"
    (port / "counters").mkdir(parents=True)
    (port / "state").write_text("4: ACTIVE\n")
    (port / "counters/link_downed").write_text("7\n")
    (port / "counters/symbol_error").write_text("0\n")
    state = State(tmp_path / "state.json")
    assert host.network(state, tmp_path / "sys").outcome == OK, "what was before is no news"
    (port / "counters/link_downed").write_text("9\n")
    state.save()
    again = State(tmp_path / "state.json")
    assert host.network(again, tmp_path / "sys") == (WARN, "port mlx5_0/1 went down 2 times")
    (port / "state").write_text("1: DOWN\n")
    assert host.network(again, tmp_path / "sys") == (FAIL, "port mlx5_0/1 is not active any more")


def test_a_state_that_cannot_be_read_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text("[1, 2")
    state = State(path)
    assert (state.number("x", -1), state.grown("y", 5)) == (-1, 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("echo first; echo all well; exit 0", (OK, "all well")),
        ("echo a little warm >&2; exit 1", (WARN, "a little warm")),
        ("echo broken; exit 2", (FAIL, "broken")),
        ("exit 77", (FAIL, "exit code 77")),
        ("kill -9 $$", (FAIL, "exit code -9")),
        ("sleep 60", (FAIL, "it did not end in 0.3 s")),
    ],
)
def test_an_operators_check_says_by_its_exit_code_and_last_line(
    tmp_path: Path, text: str, expected: tuple[str, str]
) -> None:
    program = script(tmp_path, "check", text)
    assert scripts.run(program, "watch", seconds_max=0.3 if "sleep" in text else 30) == expected


def test_own_checks_are_the_executable_files_by_name(tmp_path: Path) -> None:
    script(tmp_path, "b-second", "exit 0")
    script(tmp_path, "a-first", "exit 0")
    script(tmp_path, ".hidden", "exit 2")
    (tmp_path / "README").write_text("not a program")
    assert [path.name for path in scripts.programs(tmp_path)] == ["a-first", "b-second"]
    assert scripts.programs(tmp_path / "nothing") == []


def test_a_sound_machine_passes_what_puts_load_on_it(tmp_path: Path) -> None:
    assert burn.memory(0.01, bytes_max=8 << 20) == (OK, "8 MiB, 1 passes")
    assert burn.disk(tmp_path, 0.01).outcome == OK
    assert list(tmp_path.iterdir()) == []
    assert burn.processors(0.01).outcome == OK
    assert host.disk(tmp_path).outcome in {OK, WARN}
    assert host.disk(tmp_path / "gone").outcome == FAIL
