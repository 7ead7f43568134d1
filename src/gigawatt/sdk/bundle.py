"""Packing a directory into a bundle: the user's code as one archive, the same bytes for the same files."""

import errno
import gzip
import hashlib
import io
import os
import stat
import tarfile
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from gigawatt.model.refusal import Fault, RefusalCode, RefusalError
from gigawatt.sdk.ignore import Ignore, rules_above

MIB = 1024 * 1024
LIMIT_BYTES = 256 * MIB
ENTRIES_MAX = 50_000
NAMED_MAX = 10  # files that a refusal names
COMPRESSION = 1  # code is small: the time to the first rank counts more than a tenth of its size
BUFFER_BYTES = MIB
INSTANCE_MARK = "instance.lock"
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A packed directory. `path` is an archive, which the caller deletes; `size_bytes` is the archive's size."""

    path: Path
    digest: str  # "sha256:<64 hex>" of the archive
    files: int
    size_bytes: int


def pack(directory: Path, *, limit_bytes: int = LIMIT_BYTES, archive: Path | None = None) -> Bundle:
    """Pack `directory` into `archive` (default: a new temporary file) as a tar.gz that depends on its content alone.

    Names, contents, symlinks and whether a file is executable count; times, owners and other modes do not. What the
    ignore files name stays out, and so do data directories of instances. `limit_bytes` bounds the sum of the files'
    sizes before compression.

    Raises RefusalError: `not-found` or `invalid` where this is no directory; `too-large` over a limit, naming the
    largest files; `invalid` for unreadable and special files and for symlinks that lead outside; `conflict` for a file
    that changes while it is read; `disk-full`. Nothing is left then.
    """
    root = _resolve(directory)
    found = _Found()
    try:
        _visit(root, "", rules_above(root), found)
    except OSError as error:  # an ignore file that cannot be read
        found.faults.append(_fault(str(error.filename), f"cannot be read: {error.strerror}"))
    _check_faults(found.faults)
    _check_limits(found.entries, limit_bytes)
    entries = sorted(found.entries, key=lambda entry: os.fsencode(entry.name))
    path = archive if archive is not None else _temporary()
    try:
        digest = _write(path, entries)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    files = sum(1 for entry in entries if not stat.S_ISDIR(entry.mode))
    return Bundle(path=path, digest=digest, files=files, size_bytes=path.stat().st_size)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    name: str  # relative to the root, with slashes
    path: str
    mode: int
    size_bytes: int  # of a file; 0 for others
    target: str = ""  # of a symlink


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    entries: list[_Entry] = field(default_factory=list[_Entry])
    faults: list[Fault] = field(default_factory=list[Fault])


def _resolve(directory: Path) -> Path:
    if not directory.exists():
        detail = f"there is no directory {directory}"
        raise RefusalError(RefusalCode.NOT_FOUND, detail, field="bundle")
    if not directory.is_dir():
        raise RefusalError(RefusalCode.INVALID, f"{directory} is not a directory", field="bundle")
    if _is_instance(directory):
        raise RefusalError(
            RefusalCode.INVALID,
            f"{directory} is the data directory of an instance, and holds its keys",
            field="bundle",
            hint="call this where your code is, or take none along with --no-bundle",
        )
    return directory.resolve()


def _visit(root: Path, name: str, above: Ignore, found: _Found) -> None:
    try:
        with os.scandir(root / name) as listing:
            children = sorted(listing, key=lambda child: child.name)
    except OSError as error:
        found.faults.append(_fault(name or ".", f"cannot be read: {error.strerror}"))
        return
    rules = above.below(root, name, {child.name for child in children})
    for child in children:
        path = f"{name}/{child.name}" if name else child.name
        is_directory = child.is_dir(follow_symlinks=False)
        if rules.leaves_out(path, is_directory=is_directory):
            continue
        if is_directory and _is_instance(Path(child.path)):
            continue
        _add(root, path, child, found)
        if is_directory:
            _visit(root, path, rules, found)


def _is_instance(directory: Path) -> bool:
    """Whether an instance keeps its state there: it is no code, and its keys must not travel."""
    return (directory / INSTANCE_MARK).exists()


def _add(root: Path, name: str, child: os.DirEntry[str], found: _Found) -> None:
    status = child.stat(follow_symlinks=False)
    mode, size, target, problem = status.st_mode, 0, "", ""
    if stat.S_ISLNK(mode):
        target = _target_inside(root, Path(child.path))
        if not target:
            problem = f"is a symlink to {str(Path(child.path).readlink())!r}, outside the directory"
    elif stat.S_ISREG(mode):
        size = status.st_size
        problem = "" if os.access(child.path, os.R_OK) else "cannot be read: permission denied"
    elif not stat.S_ISDIR(mode):
        problem = "is neither a file, a directory nor a symlink"
    if problem:
        found.faults.append(_fault(name, problem))
        return
    found.entries.append(
        _Entry(name=name, path=child.path, mode=mode, size_bytes=size, target=target)
    )


def _target_inside(root: Path, link: Path) -> str:
    """The link's target, relative to the link's directory; empty where it leads outside the root or in a circle."""
    try:
        inside = link.resolve()
    except (OSError, RuntimeError):  # a circle; Python 3.13 calls it an OSError
        return ""
    if not inside.is_relative_to(root):
        return ""
    target = link.readlink()
    return os.path.relpath(inside, link.parent) if target.is_absolute() else str(target)


def _fault(name: str, detail: str) -> Fault:
    return Fault(
        field=name, detail=f"{name} {detail}", hint="leave it out with a line in .gwignore"
    )


def _check_faults(faults: list[Fault]) -> None:
    if not faults:
        return
    named = "; ".join(fault.detail for fault in faults[:NAMED_MAX])
    more = f"; and {len(faults) - NAMED_MAX} more" if len(faults) > NAMED_MAX else ""
    raise RefusalError(
        RefusalCode.INVALID,
        f"this directory cannot be packed: {named}{more}",
        field="bundle",
        hint=faults[0].hint,
        faults=tuple(faults[:NAMED_MAX]),
    )


def _check_limits(entries: list[_Entry], limit_bytes: int) -> None:
    total = sum(entry.size_bytes for entry in entries)
    if total > limit_bytes:
        over = f"{total / MIB:.1f} MiB, of at most {limit_bytes / MIB:.1f} MiB"
    elif len(entries) > ENTRIES_MAX:
        over = f"{len(entries)} files and directories, of at most {ENTRIES_MAX}"
    else:
        return
    largest = sorted(entries, key=lambda entry: (-entry.size_bytes, entry.name))[:NAMED_MAX]
    named = ", ".join(f"{entry.name} ({entry.size_bytes / MIB:.1f} MiB)" for entry in largest)
    raise RefusalError(
        RefusalCode.TOO_LARGE,
        f"the bundle would hold {over}; the largest files: {named}",
        field="bundle",
        hint="leave data and checkpoints out with .gwignore",
    )


def _temporary() -> Path:
    handle, name = tempfile.mkstemp(prefix="gigawatt-bundle-", suffix=".tar.gz")
    os.close(handle)
    return Path(name)


def _write(path: Path, entries: list[_Entry]) -> str:
    try:
        with path.open("wb") as file:
            _write_archive(file, entries)
        with path.open("rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    except OSError as error:
        raise RefusalError(
            RefusalCode.DISK_FULL if error.errno in NO_ROOM else RefusalCode.INVALID,
            f"the bundle cannot be written to {path}: {error.strerror}",
            field="bundle",
        ) from error


def _write_archive(file: IO[bytes], entries: list[_Entry]) -> None:
    zipped = gzip.GzipFile(filename="", mode="wb", compresslevel=COMPRESSION, fileobj=file, mtime=0)
    with (
        zipped,
        # tarfile writes headers and padding in small pieces, and each would be a call into zlib.
        io.BufferedWriter(cast("io.RawIOBase", zipped), BUFFER_BYTES) as buffered,
        tarfile.open(mode="w", fileobj=buffered, format=tarfile.PAX_FORMAT) as tar,
    ):
        for entry in entries:
            _write_entry(tar, entry)


def _write_entry(tar: tarfile.TarFile, entry: _Entry) -> None:
    info = tarfile.TarInfo(entry.name)  # times and owners are 0
    info.mode = 0o755 if entry.mode & 0o111 else 0o644
    if stat.S_ISDIR(entry.mode):
        info.type, info.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(info)
    elif stat.S_ISLNK(entry.mode):
        info.type, info.mode, info.linkname = tarfile.SYMTYPE, 0o777, entry.target
        tar.addfile(info)
    else:
        info.size = entry.size_bytes
        with _open(entry) as source:
            tar.addfile(info, source)


def _open(entry: _Entry) -> IO[bytes]:
    """The file, whose size is still what it was. What it held is read whole: it is below the limit of all files."""
    try:
        with open(entry.path, "rb") as file:  # noqa: PTH123  # a Path for each of many files costs
            data = file.read(entry.size_bytes + 1)
    except OSError as error:
        _check_faults([_fault(entry.name, f"cannot be read: {error.strerror}")])
        raise
    if len(data) != entry.size_bytes:
        raise RefusalError(
            RefusalCode.CONFLICT,
            f"{entry.name} changed while it was packed",
            field="bundle",
            hint="ask again when nothing writes to it, or leave it out with .gwignore",
        )
    return io.BytesIO(data)
