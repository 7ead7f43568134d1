"""After a supervisor that was killed: end what it left behind, and put on record how it went."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from gigawatt.engine.supervisor import environ, tree
from gigawatt.engine.supervisor.host import Host
from gigawatt.engine.supervisor.layout import Entry, Journal, Layout
from gigawatt.engine.supervisor.logs import END_MARK
from gigawatt.engine.supervisor.loop import now_ms
from gigawatt.engine.supervisor.process import in_child
from gigawatt.engine.supervisor.record import Record, read_record
from gigawatt.engine.supervisor.workdir import remove_tree

OWN = ("work", "secrets", "tmp", "home", "etc")  # that only a live attempt needs
SWEEP_S_MAX = 10.0  # processes that outlast it are noted; nothing new starts before
LOOK_AGAIN_S = 0.01


def recover(host: Host) -> dict[str, Record]:
    """What is not released yet, by key, each ended: ranks whose end is not on record are `lost`."""
    if host.layout.may_have_leftovers():
        _end_leftovers(host)
    _forget_secrets(host)
    records: dict[str, Record] = {}
    for key in host.layout.live_keys():
        directory = host.layout.attempts / key
        record = read_record(Journal(directory / "journal"), host.notes)
        if record is None:  # staged and never started
            _set_aside(host, key)
            continue
        close(host.layout, record)
        records[key] = record
    left = sorted(host.layout.discarded.iterdir())
    if left:
        _remove(host, "what was discarded", lambda: left)
    return records


def close(layout: Layout, record: Record) -> None:
    """Put on record that all of it has ended: its supervisor has, and nothing of it is left."""
    if record.gone:
        return
    for rank in record.unfinished_ranks():
        record.add(loss(rank))
    logs = layout.attempts / record.spec.key / "logs"
    for rank in record.spec.ranks:
        for stream in ("stdout", "stderr"):
            (logs / f"rank-{rank.rank}.{stream}" / END_MARK).touch()
    record.add({"kind": "gone", "at_ms": now_ms()})


def loss(rank: int) -> Entry:
    """How a rank ended is not known."""
    return {
        "kind": "exited",
        "at_ms": now_ms(),
        "rank": rank,
        "exit_code": None,
        "signal": None,
        "oom": False,
        "asked": False,
        "lost": True,
        "last_lines": [],
    }


def release(host: Host, key: str) -> None:
    """Drop what only a live attempt needs; its logs stay."""
    directory = host.layout.attempts / key
    prune = host.layout.release(key)
    if not prune and _was_little(directory):
        return

    def found() -> list[Path]:
        beyond = host.layout.beyond_limits() if prune else []
        return [*(directory / name for name in OWN), *beyond]

    _remove(host, key, found)


def discard(host: Host, key: str) -> None:
    """Drop all of what never started. From now on its key is as if it had never been staged here."""
    away = _set_aside(host, key)
    if away is not None:
        _remove(host, key, lambda: [away])


def _set_aside(host: Host, key: str) -> Path | None:
    try:
        away = host.layout.discard(key)
    except OSError as error:  # the key stays taken: better than a launch into what is half removed
        host.notes.note("not discarded", key=key, error=str(error))
        return None
    host.layout.release(key)
    return away


def _remove(host: Host, what: str, found: Callable[[], list[Path]]) -> None:
    """In a child: there may be much of it, and much to look at."""

    def remove() -> None:
        for path in found():
            remove_tree(path)

    def done(error: str) -> None:
        if error:
            host.notes.note("not removed", what=what, error=error)

    try:
        in_child(host.loop, remove, done)
    except OSError as error:
        host.notes.note("not removed", what=what, error=str(error))


def _was_little(directory: Path) -> bool:
    """Whether there was so little to remove that it is done already: most attempts have no bundle."""
    try:
        (directory / "work").rmdir()
        if (directory / "home").exists():
            return False
        remove_tree(directory / "secrets")
    except OSError:
        return False
    return True


def _end_leftovers(host: Host) -> None:
    """Ranks died with their supervisor; what they had started did not."""
    deadline_s = time.monotonic() + SWEEP_S_MAX
    marker = environ.marker(host.instance, "")
    while left := _alive((*host.limits.sweep(), *tree.all_marked(marker=marker, node=host.node))):
        tree.send(signal.SIGKILL, left)
        if time.monotonic() > deadline_s:
            host.notes.note("processes left that cannot be ended", pids=left)
            return
        time.sleep(LOOK_AGAIN_S)


def _forget_secrets(host: Host) -> None:
    """Of attempts that ended with an earlier supervisor."""
    try:
        host.vault.forget_left()
    except OSError as error:
        host.notes.note("secrets not removed", error=str(error))


def _alive(pids: Iterable[int]) -> list[int]:
    return [pid for pid in dict.fromkeys(pids) if tree.identify(pid)]
