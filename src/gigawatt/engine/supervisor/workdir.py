"""An attempt's own working directory, and finding what it is to run."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

COPY_BYTES = 1 << 24


def copy_tree(source: Path, target: Path) -> None:
    """Copy directories, files and symbolic links, sharing blocks where the file system can. Raises OSError."""
    target.mkdir(exist_ok=True)
    with os.scandir(source) as entries:
        for entry in entries:
            to = target / entry.name
            if entry.is_symlink():
                to.symlink_to(Path(entry.path).readlink())
            elif entry.is_dir():
                copy_tree(Path(entry.path), to)
            else:
                _copy_file(entry.path, to)
    target.chmod(stat.S_IMODE(source.stat().st_mode) | stat.S_IRWXU)


def remove_tree(path: Path) -> None:
    """Remove everything below and the directory itself; what is not there is no error. Raises OSError."""
    try:
        with os.scandir(path) as entries:
            found = list(entries)
    except FileNotFoundError:
        return
    except PermissionError:
        path.chmod(stat.S_IRWXU)
        with os.scandir(path) as entries:
            found = list(entries)
    if not os.access(path, os.W_OK):
        path.chmod(stat.S_IRWXU)
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            remove_tree(Path(entry.path))
        else:
            Path(entry.path).unlink(missing_ok=True)
    path.rmdir()


def find_program(name: str, directory: str, environ: Mapping[str, str]) -> str | None:
    """The executable that a shell in `directory` would run for `name`."""
    if "/" in name:
        candidates: Iterator[Path] = iter([Path(directory) / name])
    else:
        path = environ.get("PATH") or os.defpath
        candidates = (Path(directory) / entry / name for entry in path.split(os.pathsep))
    for candidate in candidates:
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return str(candidate)
    return None


def _copy_file(source: str, target: Path) -> None:
    from_fd = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        mode = stat.S_IMODE(os.fstat(from_fd).st_mode) | stat.S_IRUSR | stat.S_IWUSR
        to_fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            _copy_bytes(from_fd, to_fd)
            os.fchmod(to_fd, mode)
        finally:
            os.close(to_fd)
    finally:
        os.close(from_fd)


def _copy_bytes(from_fd: int, to_fd: int) -> None:
    try:
        while os.copy_file_range(from_fd, to_fd, COPY_BYTES):
            pass
    except OSError as error:
        if error.errno not in {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}:
            raise
        while data := os.read(from_fd, 1 << 20):
            view = memoryview(data)
            while view:
                view = view[os.write(to_fd, view) :]
