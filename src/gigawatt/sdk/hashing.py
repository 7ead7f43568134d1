"""The files of a directory with their digests: read side by side, and read once as long as they do not change.

What was hashed is remembered in the user's cache directory by size, time of change and inode. A file that had changed
just before it was hashed is not remembered: it could change again within the resolution of its time.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from gigawatt import clock
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.sdk.artifacts import Progress, TreeFile

HASHERS = 4
SETTLED_NS = 2_000_000_000  # since a file changed, before its digest is remembered
FORMAT = 1

Stamp = list[int]  # size, time of change in ns, inode, time of status change in ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A file that is to be hashed, or was."""

    name: str  # below the directory, with slashes
    path: Path
    stamp: Stamp
    executable: bool


def hashed_files(
    directory: Path, *, memory: Path | None = None, progress: Progress | None = None
) -> tuple[TreeFile, ...]:
    """Every file below a directory, or one file by its name, sorted by path. `memory` is where digests are remembered.

    Raises RefusalError: it is missing, unreadable, empty, or holds what is neither file nor directory nor a link to one
    of its own files.
    """
    found = sorted(_found(directory), key=lambda each: each.name)
    if not found:
        raise RefusalError(RefusalCode.INVALID, f"no files in {directory}", field="path")
    remembered = _remembered(directory, memory)
    total = sum(each.stamp[0] for each in found)
    known = {each.name: _known(each, remembered) for each in found}
    through = sum(each.stamp[0] for each in found if known[each.name])
    now_ns = clock.now_ms() * 1_000_000
    with ThreadPoolExecutor(HASHERS, thread_name_prefix="hash") as hashers:
        fresh = [each for each in found if not known[each.name]]
        for each, digest in zip(fresh, hashers.map(_digest, fresh), strict=True):
            known[each.name] = digest
            through += each.stamp[0]
            if progress is not None:
                progress(through, total)
    if memory is not None:
        _remember(directory, memory, {each.name: each for each in found}, known, now_ns)
    return tuple(
        TreeFile(
            path=each.name,
            size=each.stamp[0],
            sha256=known[each.name],
            executable=each.executable,
        )
        for each in found
    )


def memory_directory() -> Path:
    """Where digests of this user's files are remembered."""
    import platformdirs

    return Path(platformdirs.user_cache_path("gigawatt")) / "digests"


def _found(directory: Path) -> Iterator[Found]:
    if directory.is_file():
        yield _stamped(directory, directory.name)
        return
    if not directory.is_dir():
        detail = f"no such directory: {directory}"
        raise RefusalError(RefusalCode.NOT_FOUND, detail, field="path")
    root = directory.resolve()
    for parent, names, files in os.walk(root, onerror=_unreadable):
        for name in (*files, *(each for each in names if Path(parent, each).is_symlink())):
            path = Path(parent, name)
            if not path.is_file() or not path.resolve().is_relative_to(root):
                detail = f"{path}: neither a file, a directory nor a link to a file in {root}"
                hint = "data is stored as plain files; put copies in place of links"
                raise RefusalError(RefusalCode.UNSUPPORTED, detail, field="path", hint=hint)
            yield _stamped(path, path.relative_to(root).as_posix())


def _stamped(path: Path, name: str) -> Found:
    status = path.stat()
    stamp = [status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns]
    return Found(name=name, path=path, stamp=stamp, executable=bool(status.st_mode & 0o111))


def _digest(file: Found) -> str:
    try:
        with file.path.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
            size = os.fstat(opened.fileno()).st_size
    except OSError as error:
        raise _unread(file.path, error) from error
    if size != file.stamp[0]:
        detail = f"{file.path} changes while it is read"
        raise RefusalError(
            RefusalCode.CONFLICT, detail, field="path", hint="push it when nothing writes to it"
        )
    return digest


def _known(file: Found, remembered: Mapping[str, Any]) -> str:
    entry = remembered.get(file.name)
    if not isinstance(entry, list):
        return ""
    stamp, digest = cast("list[object]", entry)
    return str(digest) if stamp == file.stamp else ""


def _remembered(directory: Path, memory: Path | None) -> Mapping[str, Any]:
    if memory is None:
        return {}
    try:
        body: Any = json.loads(_place(directory, memory).read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(body, dict) or cast("dict[str, Any]", body).get("format") != FORMAT:
        return {}
    files = cast("dict[str, Any]", body).get("files")
    return cast("dict[str, Any]", files) if isinstance(files, dict) else {}


def _remember(
    directory: Path,
    memory: Path,
    found: Mapping[str, Found],
    known: Mapping[str, str],
    now_ns: int,
) -> None:
    """It only saves time: where it cannot be written, nothing is lost."""
    settled = {
        name: [file.stamp, known[name]]
        for name, file in found.items()
        if max(file.stamp[1], file.stamp[3]) < now_ns - SETTLED_NS
    }
    place = _place(directory, memory)
    partial = place.with_suffix(f".{os.getpid()}")
    with suppress(OSError):
        memory.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial.write_text(json.dumps({"format": FORMAT, "files": settled}))
        partial.replace(place)


def _place(directory: Path, memory: Path) -> Path:
    name = hashlib.sha256(str(directory.resolve()).encode()).hexdigest()
    return memory / f"{name[:32]}.json"


def _unreadable(error: OSError) -> None:
    raise _unread(Path(error.filename), error)


def _unread(path: Path, error: OSError) -> RefusalError:
    detail = f"cannot read {path}: {error.strerror}"
    return RefusalError(RefusalCode.INVALID, detail, field="path")
