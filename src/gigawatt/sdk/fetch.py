"""Stored trees back onto a disk: every byte checked against its digest, taken up again where a break left off.

What the store sends is not believed: a manifest that would write outside the directory is refused before anything is
written, and a file has its name only once its digest is right.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any, cast

import httpx2
from xxhash import xxh3_128

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.sdk.artifacts import TREE_FORMAT, Progress, TreeFile, manifest_of
from gigawatt.sdk.copying import TooLongError, copy_hashed
from gigawatt.sdk.handoff import LEAST_BYTES, HandoffLostError
from gigawatt.sdk.packs import damaged, fetch_packs, mismatch, packs_of
from gigawatt.sdk.ranges import Wanted, in_order
from gigawatt.sdk.transport import Transport

PART = ".gigawatt-part"
MANIFEST_BYTES_MAX = 64 * 1024 * 1024
PATH_BYTES_MAX = 4_096
HEX = re.compile(r"[0-9a-f]{64}")
CHUNK_BYTES = 1 << 20
FIELDS = {"path": str, "size": int, "sha256": str, "executable": bool}


def fetch_tree(
    transport: Transport, digest: str, directory: Path, *, progress: Progress | None = None
) -> tuple[TreeFile, ...]:
    """Put a stored tree's files below `directory`; those that are there already with the right digest stay.

    Raises:
        RefusalError: `conflict` where another file is in the way, `digest-mismatch`, `invalid` for a manifest that no
            directory can hold.
        ApiError, UnreachableError.
    """
    files = parse_tree(_manifest(transport, digest), digest)
    _check_free(directory, files)
    meter = _Meter(progress=progress, total=sum(each.size for each in files))

    def is_wanted(file: TreeFile) -> bool:
        """Whether it is to come with others: what is there stays, and what broke off goes on by itself."""
        target = directory / file.path
        return not target.exists() and not os.path.lexists(_part_of(target))

    def write(file: TreeFile, data: memoryview) -> None:
        target = directory / file.path
        _part_of(target).write_bytes(data)
        _finish(file, target)
        meter.advance(file.size)

    for parent in {(directory / each.path).parent for each in files}:
        parent.mkdir(parents=True, exist_ok=True)
    packs = [each for each in packs_of(files, is_wanted) if len(each.files) > 1]
    packed = {file.path for each in packs for file in each.files}
    fetch_packs(transport, digest, packs, write)
    for each in files:
        target = directory / each.path
        if each.path not in packed:
            if not target.exists():
                _fetch(transport, digest, each, target, meter.tell)
            meter.advance(each.size)
    return files


def parse_tree(data: bytes, digest: str) -> tuple[TreeFile, ...]:
    """The files that a manifest names. Raises RefusalError (digest-mismatch, invalid)."""
    got = f"sha256:{hashlib.sha256(data).hexdigest()}"
    if got != digest:
        raise mismatch("the manifest", digest, got)
    try:
        body: Any = json.loads(data)
        entries = cast("list[dict[str, Any]]", body["files"])
        right = body["format"] == TREE_FORMAT and all(
            {name: type(value) for name, value in each.items()} == FIELDS for each in entries
        )
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise _invalid("it is no manifest of a tree") from error
    if not right:
        raise _invalid("it is no manifest of a tree")
    files = tuple(TreeFile(**each) for each in entries)
    paths = {each.path for each in files}
    for each in files:
        if not is_inside(each.path) or not HEX.fullmatch(each.sha256) or each.size < 0:
            raise _invalid(f"{each.path[:200]!r} is not a file inside a directory")
        parts = each.path.split("/")
        if any("/".join(parts[:depth]) in paths for depth in range(1, len(parts))):
            raise _invalid(f"{each.path[:200]!r} lies in what is itself a file")
    if len(paths) != len(files) or manifest_of(files) != data:
        raise _invalid("it is not in canonical form")
    return files


def is_inside(path: str) -> bool:
    """Whether a path of a manifest stays inside the directory that it is put into."""
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        return False
    parts = path.split("/")
    return (
        0 < size <= PATH_BYTES_MAX
        and "\0" not in path
        and not any(part in {"", ".", ".."} for part in parts)
    )


def _manifest(transport: Transport, digest: str) -> bytes:
    data = bytearray()
    try:
        with transport.stream(f"/v1/artifacts/{digest}") as response:
            for chunk in response.iter_bytes():
                data += chunk
                if len(data) > MANIFEST_BYTES_MAX:
                    raise _invalid(f"it has more than {MANIFEST_BYTES_MAX} bytes")
    except httpx2.TransportError as error:
        raise transport.unreachable(error) from error
    return bytes(data)


def _check_free(directory: Path, files: tuple[TreeFile, ...]) -> None:
    """Nothing but the same files may be where these go, and no link may lead elsewhere."""
    root = directory.resolve()
    for parent in sorted({(directory / each.path).parent for each in files}):
        if not parent.resolve().is_relative_to(root):
            raise _in_the_way(parent, "leads outside the directory")
    for each in files:
        target = directory / each.path
        if target.is_symlink() or (target.exists() and not target.is_file()):
            raise _in_the_way(target, "is there already, and is no plain file")
        if target.exists() and (
            target.stat().st_size != each.size or _sha256(target) != each.sha256
        ):
            raise _in_the_way(target, "is there already, and is another file")


def _fetch(
    transport: Transport, tree: str, file: TreeFile, target: Path, tell: Callable[[int], None]
) -> None:
    """Into a part first. A broken connection is taken up where it broke, as long as patience lasts."""
    part = _part_of(target)
    if part.is_symlink() or (part.exists() and part.stat().st_size > file.size):
        part.unlink()
    if not _taken_out(transport, tree, file, part, tell):
        _receive(transport, tree, file, part, tell)
    _finish(file, target)


def _part_of(target: Path) -> Path:
    return target.with_name(target.name + PART)


def _finish(file: TreeFile, target: Path) -> None:
    """Give what is whole and proven its name."""
    part = _part_of(target)
    part.chmod(0o755 if file.executable else 0o644)
    part.rename(target)


def _taken_out(
    transport: Transport, tree: str, file: TreeFile, part: Path, tell: Callable[[int], None]
) -> bool:
    """Copy the open file that an instance on this machine gives; whether there was one. Raises RefusalError, ApiError."""
    if file.size < LEAST_BYTES or part.exists():
        return False
    handoff = transport.handoff
    if handoff is None:
        return False
    try:
        with handoff.taken_out(tree, file.path) as taken, part.open("x+b") as out:
            name, wanted = ("xxh3", taken.seal) if taken.seal else ("sha256", file.sha256)
            copied = xxh3_128() if taken.seal else hashlib.sha256()
            copy_hashed(taken.fd, out.fileno(), sums=(copied,), limit_bytes=file.size, tell=tell)
    except HandoffLostError:
        return False
    except TooLongError as error:
        part.unlink()
        raise damaged(transport, tree, file, f"{file.size} bytes", "more than that") from error
    if copied.hexdigest() != wanted:
        part.unlink()
        got = f"{name}:{copied.hexdigest()}"
        raise damaged(transport, tree, file, f"{name}:{wanted}", got)
    return True


def _receive(
    transport: Transport, tree: str, file: TreeFile, part: Path, tell: Callable[[int], None]
) -> None:
    """Append what is not there yet. What is written by a break is where the next try begins."""
    sha256 = _hashed(part)
    have = part.stat().st_size if part.exists() else 0
    query = {"path": file.path}
    wanted = Wanted(path=f"/v1/artifacts/{tree}/file", params=query, start=have, end=file.size)
    with part.open("ab") as out, ThreadPoolExecutor(1) as hasher:
        hashing: Future[None] | None = None
        for data in in_order(transport, wanted):  # one is hashed while the next ones are received
            out.write(data)
            have += len(data)
            tell(have)
            if hashing is not None:
                hashing.result()
            hashing = hasher.submit(sha256.update, data)
        if hashing is not None:
            hashing.result()
    if sha256.hexdigest() != file.sha256:
        part.unlink()
        got = f"sha256:{sha256.hexdigest()}"
        raise damaged(transport, tree, file, f"sha256:{file.sha256}", got)


def _hashed(part: Path) -> "hashlib._Hash":
    sha256 = hashlib.sha256()
    if part.exists():
        with part.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                sha256.update(chunk)
    return sha256


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _invalid(problem: str) -> RefusalError:
    return RefusalError(RefusalCode.INVALID, f"what the store sent cannot be used: {problem}")


def _in_the_way(path: Path, problem: str) -> RefusalError:
    return RefusalError(
        RefusalCode.CONFLICT,
        f"{path} {problem}",
        field="path",
        hint="take another directory, or remove it first",
    )


class _Meter:
    """Bytes that are through, of all files together."""

    def __init__(self, *, progress: Progress | None, total: int) -> None:
        self._progress = progress
        self._total = total
        self._through = 0
        self._lock = Lock()

    def advance(self, more: int) -> None:
        """One file is through."""
        with self._lock:
            self._through += more
            self.tell(0)

    def tell(self, of_this: int) -> None:
        """So much of the file that is under way is through."""
        if self._progress is not None:
            self._progress(self._through + of_this, self._total)
