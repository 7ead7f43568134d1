"""What gangs that have ended leave behind on this machine: the output of their ranks, and their checkpoints.

An attempt that its supervisor has not released is not here: its directory is the supervisor's alone.
"""

from pathlib import Path

from gigawatt.engine.local.aside import discard
from gigawatt.engine.local.files import known_nodes, nodes_dir
from gigawatt.engine.supervisor.layout import Layout


def logs_of(data: Path, *, gang: str = "") -> dict[str, tuple[Path, ...]]:
    """Directories of released attempts, by gang."""
    found: dict[str, list[Path]] = {}
    for node in known_nodes(data):
        layout = Layout(nodes_dir(data) / node)
        if not layout.attempts.is_dir():
            continue
        for path in layout.attempts.iterdir():
            owner = path.name.rpartition(".")[0]
            if gang in {"", owner} and not (layout.live / path.name).exists():
                found.setdefault(owner, []).append(path)
    return {owner: tuple(sorted(paths)) for owner, paths in sorted(found.items())}


def work_of(work: Path) -> dict[str, Path]:
    """Directories of jobs, by job, below `work`/tenant/project."""
    return {path.name: path for path in sorted(work.glob("*/*/*")) if not path.is_symlink()}


def discard_logs(data: Path, gang: str, discarded: Path, *, unused_since_ms: int) -> None:
    """What its ranks wrote goes, but for attempts that are live by now. Raises OSError."""
    for path in logs_of(data, gang=gang).get(gang, ()):
        discard(path, discarded, unused_since_ms=unused_since_ms)
