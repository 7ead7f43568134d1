"""Stored results by digest: bundles, files, and trees of files as a manifest of them."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.sdk.transport import Transport

CHUNK_BYTES = 1 << 18
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
            sent = self._send_file(bundle.path, bundle.digest, "bundle", meter)
        finally:
            bundle.path.unlink(missing_ok=True)
        return Sent(digest=bundle.digest, size_bytes=size, sent_bytes=sent, files=bundle.files)

    def send_file(self, path: Path, *, progress: Progress | None = None) -> Sent:
        """Store one file. Raises RefusalError, ApiError, UnreachableError."""
        found = _described(path, path.name)
        digest = f"sha256:{found.sha256}"
        sent = self._send_file(path, digest, "file", _Meter(progress=progress, total=found.size))
        return Sent(digest=digest, size_bytes=found.size, sent_bytes=sent, files=1)

    def send_known(self, path: Path, digest: str, *, progress: Progress | None = None) -> int:
        """Send one file that the store lacks; the bytes that were sent. Raises ApiError, UnreachableError."""
        size = path.stat().st_size
        reader = _Reader(path=path, meter=_Meter(progress=progress, total=size), before=0)
        self._transport.upload(f"/v1/artifacts/{digest}", reader.chunks, size, self._place("file"))
        return size

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
            files = (_described(directory, directory.name),)
            directory = directory.parent
        else:
            files = tree_files(directory)
        total = sum(each.size for each in files)
        meter = _Meter(progress=progress, total=total)
        sent = 0
        for each in files:
            digest = f"sha256:{each.sha256}"
            sent += self._send_file(directory / each.path, digest, "file", meter)
        manifest = manifest_of(files)
        digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
        if not self.has(digest, kind="tree"):
            path = f"/v1/artifacts/{digest}"
            self._transport.upload(path, lambda: [manifest], len(manifest), self._place("tree"))
        return Sent(digest=digest, size_bytes=total, sent_bytes=sent, files=len(files))

    def _send_file(self, source: Path, digest: str, kind: str, meter: "_Meter") -> int:
        """Bytes sent; none where the store had it."""
        size = source.stat().st_size
        before = meter.through
        there = self.has(digest, kind=kind)
        if not there:
            reader = _Reader(path=source, meter=meter, before=before)
            path = f"/v1/artifacts/{digest}"
            self._transport.upload(path, reader.chunks, size, self._place(kind))
        meter.reach(before + size)
        return 0 if there else size

    def _place(self, kind: str) -> dict[str, str]:
        return {**self._transport.place, "kind": kind}


def tree_files(directory: Path) -> tuple[TreeFile, ...]:
    """Every file below a directory, sorted by path. Raises RefusalError."""
    if not directory.is_dir():
        detail = f"no such directory: {directory}"
        raise RefusalError(RefusalCode.NOT_FOUND, detail, field="path")
    root = directory.resolve()
    found: list[TreeFile] = []
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.resolve().is_relative_to(root):
            found.append(_described(path, path.relative_to(root).as_posix()))
        elif path.is_symlink() or not path.is_dir():
            detail = f"{path}: neither a file, a directory nor a link to a file in {root}"
            hint = "a model is stored as plain files; put copies in place of links"
            raise RefusalError(RefusalCode.UNSUPPORTED, detail, field="path", hint=hint)
    if not found:
        raise RefusalError(RefusalCode.INVALID, f"no files in {directory}", field="path")
    return tuple(sorted(found, key=lambda each: each.path))


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


@dataclass(slots=True, kw_only=True)
class _Meter:
    """Bytes that are through, of all files together. Never goes back, also when a file is sent again."""

    progress: Progress | None
    total: int
    through: int = 0

    def reach(self, through: int) -> None:
        if through > self.through:
            self.through = through
            if self.progress is not None:
                self.progress(through, self.total)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """A file's content from its start, each time it is asked for."""

    path: Path
    meter: _Meter
    before: int

    def chunks(self) -> Iterator[bytes]:
        read = self.before
        with self.path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                read += len(chunk)
                yield chunk
                self.meter.reach(read)


def _described(path: Path, name: str) -> TreeFile:
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            status = path.stat()
    except OSError as error:
        detail = f"cannot read {path}: {error.strerror}"
        raise RefusalError(RefusalCode.INVALID, detail, field="path") from error
    executable = bool(status.st_mode & 0o111)
    return TreeFile(path=name, size=status.st_size, sha256=sha256, executable=executable)
