"""Removing files that others may use at the same moment: out of the way in one step, and only then deleted.

Who uses a file or directory marks it as used by setting its time of modification. What is set aside is looked at once
more: used since it was chosen, it goes back. A crash leaves at most something in `discarded`, which the next sweep
deletes. Links are deleted, never followed.
"""

import contextlib
import os
import stat
from pathlib import Path

from gigawatt.clock import entropy
from gigawatt.engine.supervisor.workdir import remove_tree

NAME_BYTES = 8


def mark_used(path: Path) -> bool:
    """Whether it is there; from now on it counts as used just now."""
    try:
        os.utime(path)
    except OSError:
        return False
    return True


def discard(path: Path, discarded: Path, *, unused_since_ms: int) -> bool:
    """Delete what was not used since then; whether it was deleted. Raises OSError."""
    discarded.mkdir(parents=True, exist_ok=True, mode=0o700)
    away = discarded / f"{path.name}.{entropy(NAME_BYTES).hex()}"
    try:
        _free_to_move(path)
        path.rename(away)
    except FileNotFoundError:
        return False
    if modified_ms(away) >= unused_since_ms and not os.path.lexists(path):
        away.rename(path)
        return False
    _delete(away)
    return True


def sweep(discarded: Path) -> None:
    """Delete what an earlier process had set aside. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        for path in sorted(discarded.iterdir()):
            _delete(path)


def modified_ms(path: Path) -> int:
    """Of the link itself, where it is one; 0 where nothing is there."""
    try:
        return path.lstat().st_mtime_ns // 1_000_000
    except FileNotFoundError:
        return 0


def size_bytes(path: Path) -> int:
    """Of a file, or of all files below; links are not followed, and what goes meanwhile does not count."""
    if path.is_symlink() or not path.is_dir():
        with contextlib.suppress(OSError):
            return path.lstat().st_size
        return 0
    total = 0
    for parent, _, names in os.walk(path):
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(parent) / name).lstat().st_size
    return total


def _free_to_move(path: Path) -> None:
    """A directory that its owner may not write to cannot be given another parent."""
    mode = path.lstat().st_mode
    if stat.S_ISDIR(mode) and not mode & stat.S_IWUSR:
        path.chmod(stat.S_IMODE(mode) | stat.S_IWUSR)


def _delete(path: Path) -> None:
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
    else:
        remove_tree(path)
