"""What an environment holds, file by file: one digest for all of it, and a check of every byte against it.

The records that installers leave (`*.dist-info/RECORD`) name each installed file with its SHA-256. Their own digest is
kept where the environment was built, so a file and its record cannot be changed together unseen. What Python writes
when it runs (`__pycache__`) is on no record and not looked at. Interpreters belong to the machine.
"""

import base64
import csv
import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from gigawatt.build.digest import PREFIX

RECORDS = "lib/python*/site-packages/*.dist-info/RECORD"
FAULTS_MAX = 20
READERS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """`faults` names what is not as it was built, at most FAULTS_MAX; none where all is well."""

    files: int
    size_bytes: int
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    path: Path
    sha256: str  # as in a RECORD: urlsafe base64 without padding


def contents_digest(environment: Path) -> str:
    """`sha256:…` of all records, by package: equal for equal packages wherever they were installed."""
    digest = hashlib.sha256()
    for record in _records(environment):
        rows = sorted(record.read_text().splitlines())
        digest.update("\n".join([record.parent.name, *rows, ""]).encode())
    return PREFIX + digest.hexdigest()


def check_contents(environment: Path, digest: str) -> Checked:
    """Read every installed file and compare it with its record, and the records with `digest`. Blocks; reads it all."""
    if not environment.is_dir():
        return Checked(files=0, size_bytes=0, faults=(f"{environment} is not there",))
    faults: list[str] = []
    if digest and contents_digest(environment) != digest:
        faults.append("the list of installed files is not the one that was built")
    listed = tuple(_listed(environment))
    with ThreadPoolExecutor(READERS) as pool:  # hashing lets other threads run
        sizes = tuple(pool.map(_size_if_right, listed))
    for each, size in zip(listed, sizes, strict=True):
        if size is None:
            shown = each.path.relative_to(environment)
            faults.append(f"{shown} {'has changed' if each.path.exists() else 'is missing'}")
    return Checked(
        files=len(listed),
        size_bytes=sum(size or 0 for size in sizes),
        faults=tuple(faults[:FAULTS_MAX]),
    )


def own_bytes(environment: Path) -> int:
    """Bytes that deleting it would free: those of files that are not links into a cache or another environment."""
    total = 0
    for path in environment.rglob("*"):
        status = path.lstat()
        if not path.is_dir() and status.st_nlink == 1:
            total += status.st_blocks * 512
    return total


def _records(environment: Path) -> list[Path]:
    return sorted(environment.glob(RECORDS))


def _listed(environment: Path) -> Iterator[_Listed]:
    for record in _records(environment):
        site_packages = record.parent.parent
        for row in csv.reader(record.read_text().splitlines()):
            if len(row) < 2 or not row[1].startswith("sha256="):
                continue
            path = (site_packages / row[0]).absolute()
            resolved = Path(*_without_ups(path.parts))
            if resolved.is_relative_to(environment):
                yield _Listed(path=resolved, sha256=row[1].removeprefix("sha256="))


def _without_ups(parts: tuple[str, ...]) -> list[str]:
    """A path's parts with `..` taken out by the text alone: links are not followed."""
    kept: list[str] = []
    for part in parts:
        if part == "..":
            kept.pop()
        else:
            kept.append(part)
    return kept


def _size_if_right(listed: _Listed) -> int | None:
    try:
        with listed.path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").digest()
            size = file.tell()
    except OSError:
        return None
    encoded = base64.urlsafe_b64encode(found).rstrip(b"=").decode()
    return size if encoded == listed.sha256.rstrip("=") else None
