"""Versions of S3 volumes onto a disk: read over the API, which has the keys, and checked as far as their ETags tell.

A file has its name once it is whole. One whose ETag looks like the MD5 of its bytes and is not is read twice, and
must be the same both times. One that is there with the right bytes stays as it is.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.sdk.ahead import ahead
from gigawatt.sdk.artifacts import Progress
from gigawatt.sdk.volume_views import VolumeFileView

PART = ".gigawatt-part"
PIECE_BYTES = 8 << 20
FILES_AT_ONCE = 8
PIECES_AT_ONCE = (
    8  # of all files together; as many are in memory, and as many the instance reads at a time
)
PIECES_OF_ONE = 4
MD5 = re.compile(r"[0-9a-f]{32}")

Read = Callable[[str, int, int], bytes]
"""Bytes of a path from a place up to another. Raises ApiError, UnreachableError."""


def pull_listed(
    files: Iterable[VolumeFileView], read: Read, directory: Path, *, progress: Progress | None
) -> int:
    """Put all of them below `directory`, several at a time; how many of them their ETags tell nothing of.

    Raises RefusalError (conflict, invalid, digest-mismatch), ApiError, UnreachableError; then what is whole stays.
    """
    listed = list(files)
    targets = [_inside(directory, each["path"]) for each in listed]
    through, total = 0, sum(each["size_bytes"] for each in listed)
    with (
        ThreadPoolExecutor(PIECES_AT_ONCE, thread_name_prefix="piece") as readers,
        ThreadPoolExecutor(FILES_AT_ONCE, thread_name_prefix="pull") as threads,
    ):
        source = _Source(read, readers)
        pulling = [
            threads.submit(source.pull, each, target)
            for each, target in zip(listed, targets, strict=True)
        ]
        try:
            untold = 0
            for each, one in zip(listed, pulling, strict=True):
                untold += not one.result()
                through += each["size_bytes"]
                if progress is not None:
                    progress(through, total)
        except BaseException:
            threads.shutdown(wait=True, cancel_futures=True)
            raise
    return untold


class _Source:
    """Files of a version, read piece by piece."""

    def __init__(self, read: Read, readers: ThreadPoolExecutor) -> None:
        self._read = read
        self._readers = readers

    def pull(self, file: VolumeFileView, target: Path) -> bool:
        """Have the file at `target`; whether its ETag is of its bytes."""
        if target.exists():
            return self._check_there(file, target)
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(target.name + PART)
        try:
            with part.open("wb") as into:
                for data in self._pieces(file):
                    into.write(data)
            told = _is_of(file, part)
            if not told and MD5.fullmatch(file["etag"]) and not self._is_same(file, part):
                detail = f"{file['path']} arrived as other bytes than its ETag {file['etag']} is of"
                raise RefusalError(RefusalCode.DIGEST_MISMATCH, detail, hint="pull again")
            part.rename(target)
        finally:
            part.unlink(missing_ok=True)
        return told

    def _check_there(self, file: VolumeFileView, target: Path) -> bool:
        if target.is_file() and target.stat().st_size == file["size_bytes"]:
            told = _is_of(file, target)
            if told or self._is_same(file, target):
                return told
        detail = f"{target} is in the way: it is another file than {file['path']} of the version"
        hint = "choose an empty directory, or move it away"
        raise RefusalError(RefusalCode.CONFLICT, detail, field="directory", hint=hint)

    def _is_same(self, file: VolumeFileView, path: Path) -> bool:
        """Whether it has the bytes that come when it is read once more, which tells where its ETag does not."""
        with path.open("rb") as there:
            return all(there.read(len(data)) == data for data in self._pieces(file))

    def _pieces(self, file: VolumeFileView) -> Iterator[bytes]:
        """Its bytes in order, of which several pieces are on their way."""
        path, size = file["path"], file["size_bytes"]
        calls = (
            partial(self._read, path, start, min(start + PIECE_BYTES, size))
            for start in range(0, size, PIECE_BYTES)
        )
        yield from ahead(self._readers, calls, count=PIECES_OF_ONE)


def _is_of(file: VolumeFileView, path: Path) -> bool:
    """Whether the ETag is the MD5 of the bytes. It is not for objects that were sent in parts, or encrypted with keys
    of KMS or of a customer, nor in directory buckets.
    """
    if MD5.fullmatch(file["etag"]) is None:
        return False
    with path.open("rb") as source:
        got = hashlib.file_digest(source, lambda: hashlib.md5(usedforsecurity=False))
    return got.hexdigest() == file["etag"]


def _inside(directory: Path, path: str) -> Path:
    """What an instance sends is not believed: nothing is written outside. Raises RefusalError (invalid)."""
    parts = path.split("/")
    if any(part in {"", ".", ".."} for part in parts) or "\0" in path:
        raise RefusalError(RefusalCode.INVALID, f"{path[:200]!r} is no path inside a directory")
    return directory.joinpath(*parts)
