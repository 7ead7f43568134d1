"""Directories that are made once, by one of many who ask, and are either whole or not there.

A directory is filled as `<name>.partial` and renamed when done. `<name>.lock` is held (flock) meanwhile, so that a
`.partial` without an owner is what a kill left.
"""

import fcntl
import os
import shutil
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

LOCK, PARTIAL = ".lock", ".partial"


def beside(path: Path, suffix: str) -> Path:
    """The path in the same directory whose name is longer by `suffix`."""
    return path.with_name(path.name + suffix)


def try_lock(path: Path) -> int | None:
    """A descriptor that holds the flock of `path` until it is closed; None while another holds it."""
    lock_fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock_fd)
        return None
    return lock_fd


@contextmanager
def making(target: Path) -> Generator[Path | None]:
    """An empty directory that becomes `target` when the block ends well and is gone when it does not.

    None where `target` is there already, perhaps made by another process while this one waited. Blocks.
    """
    if target.exists():
        yield None
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    lock_fd = os.open(beside(target, LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX)
        if target.exists():
            yield None
            return
        partial = beside(target, PARTIAL)
        remove_tree(partial)
        partial.mkdir()
        try:
            yield partial
            partial.rename(target)
        finally:
            remove_tree(partial)
    finally:
        os.close(lock_fd)


def remove_tree(directory: Path) -> None:
    """Delete a directory with all it holds, read-only directories included; nothing where it is not there."""
    if not directory.is_symlink() and directory.is_dir():
        for parent, names, _ in os.walk(directory):
            for name in [".", *names]:
                path = Path(parent, name)
                if not path.is_symlink() and not path.stat().st_mode & stat.S_IWUSR:
                    path.chmod(0o755)
        shutil.rmtree(directory, ignore_errors=True)


def sweep_partials(parent: Path) -> tuple[str, ...]:
    """Delete the `.partial` directories that killed processes left in `parent`; their names."""
    swept: list[str] = []
    for partial in sorted(parent.glob("*" + PARTIAL)):
        lock_fd = try_lock(partial.with_suffix(LOCK))
        if lock_fd is not None:
            remove_tree(partial)
            os.close(lock_fd)
            swept.append(partial.name)
    return tuple(swept)
