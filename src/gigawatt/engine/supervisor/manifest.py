"""What a checkpoint's files were when it was reported, kept beside the checkpoint directory, and whether they still are.

A manifest has each file's name, size and time of last change, and later the digest of its content. Making one reads
no content: thousands of files take milliseconds. It is in `<checkpoint directory>/../manifests`, so that whoever can
read the checkpoint can check it. Links below a checkpoint are taken as they are and never followed.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any, NamedTuple

from gigawatt.engine.supervisor.layout import write_whole

FILES_MAX = 10_000  # of one checkpoint; one with more is known by its existence only
READ_BYTES = 1 << 20


class TooManyFilesError(OSError):
    """A checkpoint has more files than a manifest holds."""


class ManifestFile(NamedTuple):
    """`name` is below the checkpoint; empty where the checkpoint is one file. `sha256` is empty until it is known."""

    name: str
    size: int
    mtime_ns: int
    sha256: str = ""


class Manifest(NamedTuple):
    path: str
    files: tuple[ManifestFile, ...]  # sorted by name

    @property
    def size_bytes(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def digest(self) -> str:
        """Of names, sizes and times, without contents."""
        return _digest(f"{file.size} {file.mtime_ns} {file.name}" for file in self.files)

    @property
    def content_digest(self) -> str:
        """Of names and contents; empty until every content is known."""
        if not all(file.sha256 for file in self.files):
            return ""
        return _digest(f"{file.sha256} {file.size} {file.name}" for file in self.files)


def look(path: str) -> Manifest:
    """What is at `path` now. Raises OSError, TooManyFilesError."""
    root = Path(path).resolve(strict=True)
    first = root.stat()
    if not stat.S_ISDIR(first.st_mode):
        return Manifest(path, (_seen("", first),))
    files: list[ManifestFile] = []
    open_ends = [""]
    while open_ends:
        below = open_ends.pop()
        with os.scandir(root / below) as entries:
            for entry in entries:
                name = f"{below}/{entry.name}" if below else entry.name
                if entry.is_dir(follow_symlinks=False):
                    open_ends.append(name)
                    continue
                files.append(_seen(name, entry.stat(follow_symlinks=False)))
                if len(files) > FILES_MAX:
                    raise TooManyFilesError(f"{path} has more than {FILES_MAX} files")
    return Manifest(path, tuple(sorted(files)))


def keep(manifest: Manifest, checkpoint_dir: str) -> None:
    """Put it beside the checkpoint directory. Raises OSError."""
    place = place_of(manifest.path, checkpoint_dir)
    place.parent.mkdir(mode=0o700, exist_ok=True)
    raw = {"path": manifest.path, "files": [list(file) for file in manifest.files]}
    write_whole(place, json.dumps(raw, separators=(",", ":")).encode())


def recall(path: str, checkpoint_dir: str, *, digest: str = "") -> Manifest | None:
    """The manifest that was kept for `path`; None where there is none, or not the one with that digest."""
    try:
        raw: Any = json.loads(place_of(path, checkpoint_dir).read_bytes())
        files = tuple(
            ManifestFile(str(name), int(size), int(mtime_ns), str(sha256))
            for name, size, mtime_ns, sha256 in raw["files"]
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None
    manifest = Manifest(path, files)
    return None if digest and manifest.digest != digest else manifest


def forget(path: str, checkpoint_dir: str) -> None:
    """The checkpoint is gone, so is its manifest."""
    place_of(path, checkpoint_dir).unlink(missing_ok=True)


def place_of(path: str, checkpoint_dir: str) -> Path:
    """Where the manifest of the checkpoint at `path` is kept."""
    name = hashlib.sha256(os.fsencode(path)).hexdigest()[:32]
    return Path(checkpoint_dir).parent / "manifests" / f"{name}.json"


def root_of(path: str) -> Path:
    """Where the checkpoint at `path` really is: `path` itself may be a link."""
    return Path(path).resolve()


def state_of(file: ManifestFile, root: Path) -> tuple[str, bool]:
    """What is wrong with a file ("" for nothing that can be seen), and whether it was written to since."""
    name = file.name or root.name
    try:
        now = _seen(file.name, _located(file, root).lstat())
    except OSError as error:
        return f"{name} is not there ({error.strerror})", True
    if now.size != file.size:
        return f"{name} has {now.size} bytes, and had {file.size} when it was reported", True
    return "", now.mtime_ns != file.mtime_ns


def content_of(file: ManifestFile, root: Path) -> str:
    """The digest of a file's content; of a link, that of where it points. Raises OSError."""
    place = _located(file, root)
    if place.is_symlink():
        return hashlib.sha256(os.fsencode(place.readlink())).hexdigest()
    fd = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(22, "not a regular file", str(place))
        total, offset = hashlib.sha256(), 0
        while data := os.read(fd, READ_BYTES):
            total.update(data)
            os.posix_fadvise(fd, offset, len(data), os.POSIX_FADV_DONTNEED)  # ranks use the memory
            offset += len(data)
        return total.hexdigest()
    finally:
        os.close(fd)


def with_contents(manifest: Manifest) -> Manifest:
    """The same with the digest of every content. Raises OSError where a file is not as the manifest has it."""
    root = root_of(manifest.path)
    files: list[ManifestFile] = []
    for file in manifest.files:
        sha256 = file.sha256 or content_of(file, root)
        fault, changed = state_of(file, root)
        if fault or changed:
            raise OSError(5, fault or "it was written again", manifest.path)
        files.append(file._replace(sha256=sha256))
    return manifest._replace(files=tuple(files))


def _located(file: ManifestFile, root: Path) -> Path:
    return root / file.name if file.name else root


def _seen(name: str, found: os.stat_result) -> ManifestFile:
    return ManifestFile(name, found.st_size, found.st_mtime_ns)


def _digest(lines: Any) -> str:
    total = hashlib.sha256()
    for line in lines:
        total.update(os.fsencode(line) + b"\0")
    return f"sha256:{total.hexdigest()}"
