"""Unpacking bundles: whatever the archive says, nothing is written outside the target or beyond the limits."""

import gzip
import os
import posixpath
import shutil
import stat
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from gigawatt.build.digest import digest_of, mismatch, parse_digest
from gigawatt.build.making import making
from gigawatt.build.room import room_needed
from gigawatt.model.refusal import RefusalCode, RefusalError

MIB = 1024 * 1024
ENTRIES_MAX = 50_000
EXPANDED_BYTES_MAX = 2048 * MIB
OVERHEAD_BYTES = 4 * 1024  # of headers and padding, for each entry
HEADER_BYTES_MAX = MIB
READ_BYTES = 256 * 1024
PATH_CHARS_MAX = 4096
RECORD_BYTES = tarfile.RECORDSIZE
KINDS = frozenset({tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE})


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpackLimits:
    """What an archive may expand to: files, directories and symlinks together, and the files' bytes."""

    entries: int = ENTRIES_MAX
    expanded_bytes: int = EXPANDED_BYTES_MAX


def unpack(archive: Path, target: Path, *, digest: str, limits: UnpackLimits | None = None) -> Path:
    """Unpack the bundle `archive`, which must have `digest`, into the directory `target`; `target`.

    `target` stands for this digest alone: what is there already is taken as it is. It is made once, also when many ask
    at once, and is either whole or not there. Files are 0644 or 0755, directories 0755.

    Raises RefusalError: `digest-mismatch`; `invalid` for what is no tar.gz and for absolute paths, `..`, links that
    lead outside, devices, setuid and setgid; `too-large` over the limits; `disk-full`. Nothing is left then.
    """
    parse_digest(digest)
    if target.exists():
        return target
    got = digest_of(archive)
    if got != digest:
        raise mismatch(wanted=digest, got=got)
    with room_needed(target), making(target) as partial:
        if partial is not None:
            _extract(archive, partial, limits or UnpackLimits())
    return target


class _Expanded:
    """The expanding stream as tarfile reads it, forward only: no more than the limit, and no header without end."""

    def __init__(self, stream: gzip.GzipFile, limit_bytes: int) -> None:
        self._stream = stream
        self._limit_bytes = limit_bytes

    def read(self, size: int) -> bytes:
        if size > HEADER_BYTES_MAX:
            raise _invalid("it has a header without end")
        self._check(self._stream.tell() + size)
        return self._stream.read(size)

    def tell(self) -> int:
        return self._stream.tell()

    def seek(self, position: int) -> int:
        self._check(position)
        return self._stream.seek(position)

    def _check(self, position: int) -> None:
        if position > self._limit_bytes:
            raise _too_large(f"more than {self._limit_bytes / MIB:.0f} MiB")


def _extract(archive: Path, into: Path, limits: UnpackLimits) -> None:
    limit_bytes = limits.expanded_bytes + (limits.entries + 1) * OVERHEAD_BYTES + RECORD_BYTES
    try:
        with (
            gzip.GzipFile(archive) as stream,
            tarfile.open(
                fileobj=cast("IO[bytes]", _Expanded(stream, limit_bytes)), mode="r:"
            ) as tar,
        ):
            _extract_members(tar, into, limits)
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise _invalid(f"it is no whole tar.gz ({error})") from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        name = os.path.relpath(str(error.filename2 or error.filename), into)
        raise _invalid(f"{name!r} is in it twice, or both as a file and as a directory") from error


def _extract_members(tar: tarfile.TarFile, into: Path, limits: UnpackLimits) -> None:
    links: list[tuple[Path, str]] = []
    left_bytes = limits.expanded_bytes
    for count, member in enumerate(tar, start=1):
        if count > limits.entries:
            raise _too_large(f"more than {limits.entries} files and directories")
        path = into / _checked_name(member)
        if member.issym():
            _check_link(member)
            links.append((path, member.linkname))
        elif member.isdir():
            _make_directory(path)
        else:
            left_bytes -= member.size
            if left_bytes < 0:
                raise _too_large(f"more than {limits.expanded_bytes / MIB:.1f} MiB")
            _make_directory(path.parent)
            _write_file(tar, member, path)
    _make_links(into, links)


def _checked_name(member: tarfile.TarInfo) -> str:
    name = member.name
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if name.startswith("/") or ".." in parts or "\0" in name or len(name) > PATH_CHARS_MAX:
        raise _invalid(f"{name[:200]!r} leads outside of it")
    if member.type not in KINDS or member.issparse():
        raise _invalid(f"{name!r} is neither a file, a directory nor a symlink")
    if member.mode & (stat.S_ISUID | stat.S_ISGID):
        raise _invalid(f"{name!r} would run with another's rights (setuid or setgid)")
    if not parts and not member.isdir():
        raise _invalid(f"{name!r} is no name for a file")
    return "/".join(parts)


def _check_link(member: tarfile.TarInfo) -> None:
    target = member.linkname
    where = posixpath.normpath(posixpath.join(posixpath.dirname(member.name), target))
    if target.startswith("/") or where.split("/")[0] == ".." or not target or "\0" in target:
        raise _leads_outside(member.name, target)


def _make_directory(path: Path) -> None:
    path.mkdir(mode=0o755, parents=True, exist_ok=True)


def _write_file(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    source = tar.extractfile(member)
    assert source is not None, member.name
    with source, path.open("xb") as file:
        shutil.copyfileobj(source, file, READ_BYTES)
        os.fchmod(file.fileno(), 0o755 if member.mode & 0o111 else 0o644)


def _make_links(into: Path, links: list[tuple[Path, str]]) -> None:
    """Symlinks come last, so that no file is written through one; then each is followed, for links may lead to links."""
    root = into.resolve()
    for path, target in links:
        _make_directory(path.parent)
        if path.parent.resolve() != root / path.parent.relative_to(into):
            raise _invalid(f"{path.relative_to(into)} lies behind another symlink")
        path.symlink_to(target)
    for path, target in links:
        if not Path(os.path.realpath(path)).is_relative_to(root):
            raise _leads_outside(str(path.relative_to(into)), target)


def _leads_outside(name: str, target: str) -> RefusalError:
    return _invalid(f"{name!r} is a symlink to {target[:200]!r}, outside of it")


def _invalid(problem: str) -> RefusalError:
    return RefusalError(
        RefusalCode.INVALID, f"this bundle cannot be unpacked: {problem}", field="bundle"
    )


def _too_large(over: str) -> RefusalError:
    return RefusalError(
        RefusalCode.TOO_LARGE,
        f"this bundle expands to {over}",
        field="bundle",
        hint="leave data and checkpoints out with .gwignore",
    )
