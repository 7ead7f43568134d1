"""Sending a directory as a tree, and only what the store lacks of it: an interrupted push goes on where it was."""

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import cast
from urllib.parse import quote

from gigawatt.sdk.artifacts import Artifacts, Progress, TreeFile, manifest_of
from gigawatt.sdk.hashing import hashed_files, memory_directory
from gigawatt.sdk.small_files import PACKED_BYTES, SmallFile
from gigawatt.sdk.transport import Transport
from gigawatt.sdk.volume_views import PushCheckView

SENDERS = 8  # of large files at once: each waits for a disk and a commit, which many share


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """A tree that is stored. `sent_bytes` is less than `size_bytes` by what was there before."""

    digest: str
    files: int
    size_bytes: int
    sent_bytes: int


def push_tree(
    transport: Transport,
    name: str,
    directory: Path,
    *,
    rehash: bool = False,
    progress: Progress | None = None,
) -> Pushed:
    """Store a directory's files for a volume, unless a quota of it is in the way; `rehash` trusts no digest remembered.
    `progress` is told how much is read, then how much is sent.

    Raises RefusalError as `hashed_files`; ApiError (a quota, before anything is sent), UnreachableError.
    """
    memory = None if rehash else memory_directory()
    files = hashed_files(directory, memory=memory, progress=progress)
    manifest = manifest_of(files)
    artifacts = Artifacts(transport)
    digest = artifacts.send_bytes(manifest).digest
    check = cast(
        "PushCheckView",
        transport.write(
            "POST",
            f"/v1/volumes/{quote(name, safe='')}/check",
            {"digest": digest},
            params=transport.place,
        ),
    )
    sent = _send(artifacts, _root(directory), _by_digest(files), check, progress)
    size = sum(each.size for each in files)
    return Pushed(digest=digest, files=len(files), size_bytes=size, sent_bytes=sent)


def tree_digest(files: tuple[TreeFile, ...]) -> str:
    """The digest that a tree of these files has."""
    return f"sha256:{hashlib.sha256(manifest_of(files)).hexdigest()}"


def _send(
    artifacts: Artifacts,
    root: Path,
    files: Mapping[str, TreeFile],
    check: PushCheckView,
    progress: Progress | None,
) -> int:
    """Bytes sent. Files go side by side; progress is of all of them."""
    meter = _Meter(progress=progress, total=check["missing_bytes"])

    small = [
        SmallFile(path=root / file.path, digest=digest, size=file.size)
        for digest in check["missing"]
        if (file := files[digest]).size < PACKED_BYTES
    ]

    def send(digest: str) -> int:
        file = files[digest]
        before = [0]

        def told(through: int, _total: int) -> None:
            meter.advance(through - before[0])
            before[0] = through

        artifacts.send_known(root / file.path, digest, progress=told)
        return file.size

    with ThreadPoolExecutor(SENDERS, thread_name_prefix="push") as senders:
        sending = [
            senders.submit(send, digest)
            for digest in check["missing"]
            if files[digest].size >= PACKED_BYTES
        ]
        try:
            packed = artifacts.send_small(small, meter.advance)
            return packed + sum(each.result() for each in sending)
        except BaseException:
            for each in sending:
                each.cancel()
            raise


def _by_digest(files: tuple[TreeFile, ...]) -> dict[str, TreeFile]:
    return {f"sha256:{each.sha256}": each for each in files}


def _root(directory: Path) -> Path:
    return directory.parent if directory.is_file() else directory.resolve()


class _Meter:
    """Bytes that are through, of all files together."""

    def __init__(self, *, progress: Progress | None, total: int) -> None:
        self._progress = progress
        self._total = total
        self._through = 0
        self._lock = Lock()

    def advance(self, more: int) -> None:
        with self._lock:
            self._through += more
            if self._progress is not None:
                self._progress(min(self._through, self._total), self._total)
