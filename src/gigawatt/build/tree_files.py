"""The files of a directory that becomes a tree. Whatever leads outside of it is refused, also if it changes meanwhile:
what a job wrote must not make the control plane read another's files.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from gigawatt.model.refusal import RefusalCode, RefusalError

DEPTH_MAX = 64


def find_root(path: Path, within: Path) -> Path:
    """What `path` leads to. Raises RefusalError (not-found), and `invalid` where that is not inside `within`."""
    return _inside(within.resolve(), str(path), path)


def find_files(root: Path) -> Iterator[tuple[str, Path]]:
    """(relative path, real path) of each file below `root`, a resolved directory, or of `root` itself, a file.

    Symlinks are followed inside the directory. Raises RefusalError (invalid).
    """
    if root.is_dir():
        yield from _below(root, "", root, ())
    else:
        yield root.name, root


def open_inside(root: Path, name: str, real: Path) -> BinaryIO:
    """The regular file at `real`, proven to lie in `root` after it was opened. Raises RefusalError."""
    try:
        fd = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise RefusalError(
            RefusalCode.CONFLICT,
            f"{name} cannot be read: {error.strerror}",
            hint="ask again when nothing writes to the directory any more",
        ) from error
    opened = Path(os.readlink(f"/proc/self/fd/{fd}"))  # noqa: PTH115  # not a path of ours
    if not stat.S_ISREG(os.fstat(fd).st_mode) or not opened.is_relative_to(root):
        os.close(fd)
        raise _refusal(name, "is not a file inside the directory")
    return os.fdopen(fd, "rb")


def _below(
    root: Path, prefix: str, directory: Path, above: tuple[Path, ...]
) -> Iterator[tuple[str, Path]]:
    if directory in above or len(above) > DEPTH_MAX:
        raise _refusal(prefix.rstrip("/"), "leads in a circle")
    with os.scandir(directory) as listing:
        children = sorted(listing, key=lambda child: child.name)
    for child in children:
        name = prefix + child.name
        real = Path(child.path)
        if child.is_symlink():
            real = _inside(root, name, real)
        if real.is_dir():
            yield from _below(root, name + "/", real, (*above, directory))
        elif real.is_file():
            yield name, real
        else:
            raise _refusal(name, "is neither a file nor a directory")


def _inside(root: Path, name: str, path: Path) -> Path:
    """What `path`, often a symlink, leads to."""
    try:
        real = path.resolve(strict=True)
    except (FileNotFoundError, NotADirectoryError) as error:
        if not path.is_symlink():
            raise RefusalError(RefusalCode.NOT_FOUND, f"there is nothing at {name}") from error
        raise _refusal(name, f"{_told(path)}, which is not there") from error
    except (OSError, RuntimeError) as error:  # a circle; Python 3.13 calls it an OSError
        raise _refusal(name, "is a symlink that leads in a circle") from error
    if not real.is_relative_to(root):
        raise _refusal(name, f"{_told(path)}, outside the directory")
    return real


def _told(path: Path) -> str:
    return f"is a symlink to {str(path.readlink())!r}" if path.is_symlink() else "passes a symlink"


def _refusal(name: str, problem: str) -> RefusalError:
    return RefusalError(
        RefusalCode.INVALID,
        f"{name} {problem}",
        hint="copy what belongs to the artifact into the directory, and delete the rest",
    )
