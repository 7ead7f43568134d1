"""Stored results by digest: bundles, files, and trees of files as a manifest of them."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.sdk.handoff import LEAST_BYTES, HandoffLostError
from gigawatt.sdk.parts import PARTED_BYTES, PartedFile, send_parts
from gigawatt.sdk.small_files import PACKED_BYTES, SmallFile, missing, send_small
from gigawatt.sdk.transport import Transport

CHUNK_BYTES = 1 << 18
SIDE_BY_SIDE = 2  # files of a tree at once
TREE_FORMAT = "gigawatt-tree-1"  # what build/trees.py reads

Progress = Callable[[int, int], None]  # is told how many bytes are through, and of how many


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeFile:
    """One file of a tree. `path` is relative, with slashes."""

    path: str
    size: int
    sha256: str
    executable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What is in the store now. `sent_bytes` is less than `size_bytes` by what was there before."""

    digest: str
    size_bytes: int
    sent_bytes: int
    files: int


class Artifacts:
    """`client.artifacts`: put bytes into the store once, whoever asks and however often."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def has(self, digest: str, *, kind: str) -> bool:
        """Whether the store has it. Raises ApiError, UnreachableError."""
        return self._transport.exists(f"/v1/artifacts/{digest}", {"kind": kind})

    def send_bundle(self, directory: Path, *, progress: Progress | None = None) -> Sent:
        """Pack a directory and store it, unless the store has the same already.

        Raises:
            RefusalError: the directory is missing, unreadable or over the limit.
            ApiError, UnreachableError.
        """
        from gigawatt.sdk.bundle import pack  # only those who pack load what it takes

        bundle = pack(directory)
        try:
            size = bundle.size_bytes
            meter = _Meter(progress=progress, total=size)
            sent = self._send_file(bundle.path, bundle.digest, "bundle", meter.of_one(size))
        finally:
            bundle.path.unlink(missing_ok=True)
        return Sent(digest=bundle.digest, size_bytes=size, sent_bytes=sent, files=bundle.files)

    def send_file(self, path: Path, *, progress: Progress | None = None) -> Sent:
        """Store one file. Raises RefusalError, ApiError, UnreachableError."""
        meter = _Meter(progress=progress, total=_listed(path, path.name).size)
        found, sent = self._sent(path, path.name, meter)
        digest = f"sha256:{found.sha256}"
        return Sent(digest=digest, size_bytes=found.size, sent_bytes=sent, files=1)

    def send_known(self, path: Path, digest: str, *, progress: Progress | None = None) -> int:
        """Send one file that the store lacks; the bytes that were sent. Raises ApiError, UnreachableError."""
        tell = _Meter(progress=progress, total=path.stat().st_size).of_one(path.stat().st_size)
        return self._send_missing(path, digest, "file", tell)

    def send_small(self, files: Sequence[SmallFile], advance: Callable[[int], None]) -> int:
        """Send small files that the store lacks, many at a time; the bytes that were sent.

        Raises RefusalError where one changes meanwhile, ApiError, UnreachableError.
        """
        return send_small(self._transport, files, self._transport.place, advance)

    def send_bytes(self, data: bytes) -> Sent:
        """Store bytes as a file. Raises ApiError, UnreachableError."""
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        there = self.has(digest, kind="file")
        if not there:
            path = f"/v1/artifacts/{digest}"
            self._transport.upload(path, lambda: [data], len(data), self._place("file"))
        return Sent(
            digest=digest, size_bytes=len(data), sent_bytes=0 if there else len(data), files=1
        )

    def send_tree(self, directory: Path, *, progress: Progress | None = None) -> Sent:
        """Store every file of a directory, or one file as a directory that holds it, and the manifest that names them.

        The digest is the manifest's.

        Raises:
            RefusalError: the directory is missing, empty, or holds something that is neither file nor directory.
            ApiError, UnreachableError.
        """
        if directory.is_file():
            listed = (_listed(directory, directory.name),)
        else:
            listed = _listing(directory)
        meter = _Meter(progress=progress, total=sum(each.size for each in listed))
        large = [each for each in listed if each.size >= PACKED_BYTES]
        with ThreadPoolExecutor(SIDE_BY_SIDE) as threads:
            work = [threads.submit(self._sent, each.path, each.name, meter) for each in large]
            try:
                small, sent = self._sent_small(
                    [each for each in listed if each.size < PACKED_BYTES], meter
                )
                done = [each.result() for each in work]
            except BaseException:
                threads.shutdown(wait=False, cancel_futures=True)
                raise
        whole = (*small, *(file for file, _ in done))
        files = tuple(sorted(whole, key=lambda each: each.path))
        total, sent = sum(each.size for each in files), sent + sum(sent for _, sent in done)
        manifest = manifest_of(files)
        digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
        if not self.has(digest, kind="tree"):
            path = f"/v1/artifacts/{digest}"
            self._transport.upload(path, lambda: [manifest], len(manifest), self._place("tree"))
        return Sent(digest=digest, size_bytes=total, sent_bytes=sent, files=len(files))

    def _sent_small(
        self, listed: "Sequence[_Listed]", meter: "_Meter"
    ) -> tuple[list[TreeFile], int]:
        """Small files as the store has them now, and the bytes that were sent of them."""
        files = [_described(each.path, each.name) for each in listed]
        known = [
            SmallFile(path=each.path, digest=f"sha256:{file.sha256}", size=file.size)
            for each, file in zip(listed, files, strict=True)
        ]
        lacking = missing(self._transport, known)
        size = sum(each.size for each in files)
        advance = meter.of_several(size)
        advance(size - sum(each.size for each in lacking))
        return files, self.send_small(lacking, advance)

    def _sent(self, source: Path, name: str, meter: "_Meter") -> tuple[TreeFile, int]:
        """A file as the store has it now, and the bytes that were sent of it: handed over open, where that can be."""
        listed = _listed(source, name)
        handoff = self._transport.handoff if listed.size >= LEAST_BYTES else None
        tell = meter.of_one(listed.size)
        if handoff is not None:
            try:
                taken = handoff.hand_in(source, project=self._transport.project, tell=tell)
            except HandoffLostError:
                tell(0)  # its bytes are sent instead, with the patience that calls have
            except OSError as error:
                raise _unreadable(source, error) from error
            else:
                tell(taken.size)
                file = TreeFile(
                    path=name,
                    size=taken.size,
                    sha256=taken.digest.removeprefix("sha256:"),
                    executable=listed.executable,
                )
                return file, taken.size if taken.new else 0
        described = _described(source, name)
        return described, self._send_file(source, f"sha256:{described.sha256}", "file", tell)

    def _send_file(self, source: Path, digest: str, kind: str, tell: Callable[[int], None]) -> int:
        """Bytes sent; none where the store had it."""
        if self.has(digest, kind=kind):
            tell(source.stat().st_size)
            return 0
        return self._send_missing(source, digest, kind, tell)

    def _send_missing(
        self, source: Path, digest: str, kind: str, tell: Callable[[int], None]
    ) -> int:
        size = source.stat().st_size
        if kind == "file" and size >= PARTED_BYTES:
            parted = PartedFile(path=source, digest=digest, size=size)
            return send_parts(self._transport, parted, self._transport.place, tell)
        reader = _Reader(path=source, tell=tell)
        path = f"/v1/artifacts/{digest}"
        self._transport.upload(path, reader.chunks, size, self._place(kind))
        tell(size)
        return size

    def _place(self, kind: str) -> dict[str, str]:
        return {**self._transport.place, "kind": kind}


def tree_files(directory: Path) -> tuple[TreeFile, ...]:
    """Every file below a directory, sorted by path. Raises RefusalError."""
    return tuple(_described(each.path, each.name) for each in _listing(directory))


def manifest_of(files: tuple[TreeFile, ...]) -> bytes:
    """The canonical manifest of a tree: the same files give the same bytes."""
    listed = [
        {
            "path": each.path,
            "size": each.size,
            "sha256": each.sha256,
            "executable": each.executable,
        }
        for each in files
    ]
    return json.dumps(
        {"format": TREE_FORMAT, "files": listed}, sort_keys=True, separators=(",", ":")
    ).encode()


def _listing(directory: Path) -> "tuple[_Listed, ...]":
    if not directory.is_dir():
        detail = f"no such directory: {directory}"
        raise RefusalError(RefusalCode.NOT_FOUND, detail, field="path")
    root = directory.resolve()
    found: list[_Listed] = []
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.resolve().is_relative_to(root):
            found.append(_listed(path, path.relative_to(root).as_posix()))
        elif path.is_symlink() or not path.is_dir():
            detail = f"{path}: neither a file, a directory nor a link to a file in {root}"
            hint = "a model is stored as plain files; put copies in place of links"
            raise RefusalError(RefusalCode.UNSUPPORTED, detail, field="path", hint=hint)
    if not found:
        raise RefusalError(RefusalCode.INVALID, f"no files in {directory}", field="path")
    return tuple(sorted(found, key=lambda each: each.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """A file that is there, before anyone has read it."""

    path: Path
    name: str
    size: int
    executable: bool


@dataclass(slots=True, kw_only=True)
class _Meter:
    """Bytes that are through, of all files together. What is told never goes back, also when a file is sent again."""

    progress: Progress | None
    total: int
    told: int = 0
    files: list[int] = field(default_factory=list[int])
    lock: Lock = field(default_factory=Lock)

    def of_one(self, size: int) -> Callable[[int], None]:
        """What to tell how many bytes of one file, of `size`, are through."""
        with self.lock:
            index = len(self.files)
            self.files.append(0)

        def tell(through: int) -> None:
            with self.lock:
                self.files[index] = min(through, size)
                reached = sum(self.files)
                if reached > self.told:
                    self.told = reached
                    if self.progress is not None:
                        self.progress(reached, self.total)

        return tell

    def of_several(self, size: int) -> Callable[[int], None]:
        """What to tell how many more bytes of several files, of `size` together, are through."""
        tell, lock, through = self.of_one(size), Lock(), 0

        def advance(more: int) -> None:
            nonlocal through
            with lock:
                through += more
                tell(through)

        return advance


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """A file's content from its start, each time it is asked for."""

    path: Path
    tell: Callable[[int], None]

    def chunks(self) -> Iterator[bytes]:
        read = 0
        with self.path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                read += len(chunk)
                yield chunk
                self.tell(read)


def _listed(path: Path, name: str) -> _Listed:
    try:
        status = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from error
    executable = bool(status.st_mode & 0o111)
    return _Listed(path=path, name=name, size=status.st_size, executable=executable)


def _described(path: Path, name: str) -> TreeFile:
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            status = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from error
    executable = bool(status.st_mode & 0o111)
    return TreeFile(path=name, size=status.st_size, sha256=sha256, executable=executable)


def _unreadable(path: Path, error: OSError) -> RefusalError:
    detail = f"cannot read {path}: {error.strerror}"
    return RefusalError(RefusalCode.INVALID, detail, field="path")
