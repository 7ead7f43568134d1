"""Versions of S3 volumes onto a disk: read over the API, which has the keys, and checked as far as their ETags tell.

A file has its name once it is whole. One that is there with the right size and, where the ETag is the MD5 of its
bytes, the right bytes, stays as it is.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.sdk.artifacts import Progress
from gigawatt.sdk.volume_views import VolumeFileView

PART = ".gigawatt-part"
PIECE_BYTES = 8 << 20
MD5 = re.compile(r"[0-9a-f]{32}")

Read = Callable[[str, int, int], bytes]
"""Bytes of a path from a place up to another. Raises ApiError, UnreachableError."""


def pull_listed(
    files: Iterable[VolumeFileView], read: Read, directory: Path, *, progress: Progress | None
) -> None:
    """Put all of them below `directory`.

    Raises RefusalError (conflict, invalid, digest-mismatch), ApiError, UnreachableError; then what is whole stays.
    """
    listed = list(files)
    total = sum(each["size_bytes"] for each in listed)
    through = 0
    for each in listed:
        _pull(each, read, _inside(directory, each["path"]))
        through += each["size_bytes"]
        if progress is not None:
            progress(through, total)


def _pull(file: VolumeFileView, read: Read, target: Path) -> None:
    if target.exists():
        if target.is_file() and _is_same(file, target):
            return
        detail = f"{target} is in the way: it is another file than {file['path']} of the version"
        hint = "choose an empty directory, or move it away"
        raise RefusalError(RefusalCode.CONFLICT, detail, field="directory", hint=hint)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + PART)
    try:
        with part.open("wb") as into:
            for start in range(0, file["size_bytes"], PIECE_BYTES):
                end = min(start + PIECE_BYTES, file["size_bytes"])
                into.write(read(file["path"], start, end))
        if not _is_same(file, part):
            detail = f"{file['path']} arrived as other bytes than its ETag {file['etag']} is of"
            raise RefusalError(RefusalCode.DIGEST_MISMATCH, detail, hint="pull again")
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)


def _is_same(file: VolumeFileView, path: Path) -> bool:
    """As far as can be told. ETags of encrypted objects can look like an MD5, and are not: such are not pulled."""
    if path.stat().st_size != file["size_bytes"]:
        return False
    if MD5.fullmatch(file["etag"]) is None:
        return True
    with path.open("rb") as source:
        got = hashlib.file_digest(source, lambda: hashlib.md5(usedforsecurity=False))
    return got.hexdigest() == file["etag"]


def _inside(directory: Path, path: str) -> Path:
    """What an instance sends is not believed: nothing is written outside. Raises RefusalError (invalid)."""
    parts = path.split("/")
    if any(part in {"", ".", ".."} for part in parts) or "\0" in path:
        raise RefusalError(RefusalCode.INVALID, f"{path[:200]!r} is no path inside a directory")
    return directory.joinpath(*parts)
