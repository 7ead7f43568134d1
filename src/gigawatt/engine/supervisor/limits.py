"""How a rank is kept to its memory and processes, as well as this machine allows.

`cgroup-v2` where a group with the controllers can be made, `cgroup-v1` where the hierarchies are writable, else
`rlimit`. CPU is a weight and not a quota: what others leave idle may be used.
"""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import NamedTuple

from gigawatt.engine.supervisor import tree

TASKS_MAX = 8192  # processes and threads of one rank
MOUNT = Path("/sys/fs/cgroup")
CONTROLLERS = ("memory", "pids", "cpu")


class Cell(NamedTuple):
    """What holds one rank. Without groups, only `memory_bytes` counts."""

    groups: tuple[Path, ...]
    events: Path | None  # has the line `oom_kill N`
    memory_bytes: int

    def enter(self) -> None:
        """In the child, before it becomes the rank. Raises OSError."""
        for group in self.groups:
            _write(group / "cgroup.procs", "0")
        if not self.groups and self.memory_bytes:
            resource.setrlimit(resource.RLIMIT_DATA, (self.memory_bytes, self.memory_bytes))

    def members(self) -> list[int]:
        return _members(self.groups[0]) if self.groups else []

    def oom_kills(self) -> int:
        if self.events is None:
            return 0
        try:
            lines = self.events.read_text().splitlines()
        except OSError:
            return 0
        return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))

    def remove(self) -> None:
        for group in self.groups:
            _remove(group)


class Limits:
    """Makes cells in this node's own groups. `kind` is what `gw nodes` shows."""

    def __init__(self, kind: str, roots: dict[str, Path]) -> None:
        self.kind = kind
        self._roots = roots  # by controller

    def cell(
        self, name: str, *, memory_bytes: int, milli_cpu: int, tasks_max: int = TASKS_MAX
    ) -> Cell:
        """Raises OSError where the machine refuses, e.g. for too many groups."""
        groups = dict.fromkeys(root / name for root in self._roots.values())
        for group in groups:
            group.mkdir(exist_ok=True)
        for controller, root in self._roots.items():
            settings = self._settings(controller, memory_bytes, milli_cpu, tasks_max)
            for file, value in settings:
                _write(root / name / file, value)
        memory = self._roots.get("memory")
        file = "memory.events" if self.kind == "cgroup-v2" else "memory.oom_control"
        return Cell(tuple(groups), memory / name / file if memory else None, memory_bytes)

    def sweep(self) -> list[int]:
        """The processes in cells that a dead supervisor left; once there are none, the cells go."""
        members: list[int] = []
        for root in dict.fromkeys(self._roots.values()):
            for group in (path for path in root.iterdir() if path.is_dir()):
                inside = _members(group)
                members.extend(inside)
                if not inside:
                    _remove(group)
        return members

    def close(self) -> None:
        for root in dict.fromkeys(self._roots.values()):
            _remove(root)

    def _settings(
        self, controller: str, memory_bytes: int, milli_cpu: int, tasks_max: int
    ) -> list[tuple[str, str]]:
        v2 = self.kind == "cgroup-v2"
        if controller == "memory" and memory_bytes:
            return [("memory.max" if v2 else "memory.limit_in_bytes", str(memory_bytes))]
        if controller == "pids":
            return [("pids.max", str(tasks_max))]
        if controller == "cpu" and milli_cpu and v2:
            return [("cpu.weight", str(min(10_000, max(1, milli_cpu // 10))))]
        if controller == "cpu" and milli_cpu:
            return [("cpu.shares", str(max(2, milli_cpu * 1024 // 1000)))]
        return []


def detect(tag: str) -> Limits:
    """The strongest that works here, tried out and not guessed. `tag` names this node's own groups."""
    own = _own_groups()
    if "" in own:
        group = _find_v2(MOUNT, own[""], tag)
        if group is not None:
            return Limits("cgroup-v2", dict.fromkeys(_controllers(group), group))
    roots = {name: _find_v1(MOUNT / name, own[name], tag) for name in CONTROLLERS if name in own}
    usable = {name: root for name, root in roots.items() if root is not None}
    if "memory" in usable:
        return Limits("cgroup-v1", usable)
    for root in usable.values():
        _remove(root)
    return by_rlimit()


def by_rlimit() -> Limits:
    """What works everywhere: a rank's memory, process by process."""
    return Limits("rlimit", {})


def _own_groups() -> dict[str, str]:
    """This process's groups by controller; the unified hierarchy's under the empty name."""
    groups: dict[str, str] = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        for name in names.split(","):
            groups[name] = path
    return groups


def _find_v2(mount: Path, own: str, tag: str) -> Path | None:
    """A group of ours in the nearest ancestor that lets us make one with a memory controller."""
    if not (mount / "cgroup.controllers").exists():
        return None
    here = mount / own.lstrip("/")
    for parent in (here, *here.parents):
        group = parent / f"gigawatt-{tag}"
        try:
            group.mkdir(exist_ok=True)
        except OSError:
            continue
        if "memory" not in _controllers(group):
            _enable(parent)
        _enable(group)
        if "memory" in _controllers(group) and _can_enter(group / "trial"):
            return group
        _remove(group)
        if parent == mount:
            break
    return None


def _find_v1(mount: Path, own: str, tag: str) -> Path | None:
    group = mount / own.lstrip("/") / f"gigawatt-{tag}"
    try:
        group.mkdir(exist_ok=True)
    except OSError:
        return None
    if _can_enter(group / "trial"):
        return group
    _remove(group)
    return None


def _enable(group: Path) -> None:
    """Pass the controllers on to the groups below, those that it is allowed to."""
    for name in CONTROLLERS:
        try:
            _write(group / "cgroup.subtree_control", f"+{name}")
        except OSError:
            continue  # what counts is which controllers the groups below then have


def _controllers(group: Path) -> list[str]:
    try:
        words = (group / "cgroup.controllers").read_text().split()
    except OSError:
        return []
    return [name for name in CONTROLLERS if name in words]


def _can_enter(group: Path) -> bool:
    """Whether a child of ours can be put there: only trying tells."""
    try:
        group.mkdir(exist_ok=True)
    except OSError:
        return False
    child = os.fork()
    if child == 0:
        try:
            _write(group / "cgroup.procs", "0")
        except OSError:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    _remove(group)
    return status == 0


def _members(group: Path) -> list[int]:
    try:
        pids = [int(line) for line in (group / "cgroup.procs").read_text().split()]
    except OSError:
        return []
    return [pid for pid in pids if tree.identify(pid)]


def _remove(group: Path) -> None:
    """Remove a group if it is empty; one that is not is left for the next sweep."""
    try:
        group.rmdir()
    except OSError:
        return


def _write(path: Path, value: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)
