import os
import resource
from pathlib import Path

import pytest

from gigawatt.engine.supervisor.limits import Cell, Limits


def _groups(tmp_path: Path, *names: str) -> dict[str, Path]:
    return {name: tmp_path / name for name in names}


def _cell(limits: Limits, roots: dict[str, Path], files: tuple[str, ...]) -> Cell:
    """A cell in directories that stand for the kernel's, with the files that it would make."""
    for root in roots.values():
        (root / "j.1.0").mkdir(parents=True, exist_ok=True)
        for file in files:
            (root / "j.1.0" / file).touch()
    return limits.cell("j.1.0", memory_bytes=1 << 30, milli_cpu=2500)


def test_version_two_takes_bytes_tasks_and_a_weight(tmp_path: Path) -> None:
    group = tmp_path / "group"
    roots: dict[str, Path] = dict.fromkeys(("memory", "pids", "cpu"), group)
    cell = _cell(Limits("cgroup-v2", roots), roots, ("memory.max", "pids.max", "cpu.weight"))
    assert cell.groups == (group / "j.1.0",)
    read = {path.name: path.read_text() for path in cell.groups[0].iterdir()}
    assert read == {"memory.max": str(1 << 30), "pids.max": "8192", "cpu.weight": "250"}


def test_version_one_takes_bytes_tasks_and_shares_each_in_its_hierarchy(tmp_path: Path) -> None:
    roots = _groups(tmp_path, "memory", "pids", "cpu")
    files = ("memory.limit_in_bytes", "pids.max", "cpu.shares")
    cell = _cell(Limits("cgroup-v1", roots), roots, files)
    assert (roots["memory"] / "j.1.0" / "memory.limit_in_bytes").read_text() == str(1 << 30)
    assert (roots["cpu"] / "j.1.0" / "cpu.shares").read_text() == "2560"
    assert len(cell.groups) == 3


def test_kills_for_memory_are_counted(tmp_path: Path) -> None:
    events = tmp_path / "memory.events"
    cell = Cell((tmp_path,), events, 1)
    assert cell.oom_kills() == 0
    events.write_text("low 0\noom 3\noom_kill 2\noom_group_kill 0\n")
    assert cell.oom_kills() == 2


@pytest.mark.slow
def test_without_groups_the_data_segment_is_limited() -> None:
    cell = Limits("rlimit", {}).cell("j.1.0", memory_bytes=1 << 30, milli_cpu=1000)
    assert (cell.groups, cell.members(), cell.oom_kills()) == ((), [], 0)
    child = os.fork()
    if child == 0:
        cell.enter()
        held = resource.getrlimit(resource.RLIMIT_DATA) == (1 << 30, 1 << 30)
        os._exit(0 if held else 1)
    assert os.waitpid(child, 0)[1] == 0
