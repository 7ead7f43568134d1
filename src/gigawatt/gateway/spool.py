"""Token counters on disk: a file that one worker writes and whoever reports to the control plane reads.

It is mapped into memory, so that counting costs no system call and a killed worker loses nothing: what it had written
is the kernel's. Counters only grow, and a row has two places that are written in turn, each with a check sum: a kill
in the middle of one leaves the other. Nothing is ever taken back, so a row may be reported as often as one likes.
"""

import fcntl
import json
import mmap
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

SUFFIX = ".spool"
MODE = 0o600
ROW_BYTES = 1024
ROWS_MAX = 2048  # the first of them is the header; a full file is followed by another
SUBJECT_BYTES_MAX = 912  # of tenant, project, key, model and endpoint as JSON
PLACES = (ROW_BYTES - 96, ROW_BYTES - 48)
HEAD = struct.Struct("<8sQ")  # the mark, and the number of the last report
MARK = b"gwspool1"
LENGTH = struct.Struct("<H")
COUNTS = struct.Struct(
    "<QQQQ"
)  # requests, of which each is one writing; prompt; cached; completion
SUM = struct.Struct("<I")
PLACE_BYTES = COUNTS.size + SUM.size
NO_COUNTS = (0, 0, 0, 0)

Counts = tuple[int, int, int, int]


class SpoolFullError(Exception):
    """Every row is taken."""


class Subject(NamedTuple):
    """Whose tokens, of what, in which hour."""

    hour_ms: int
    tenant: str
    project: str
    key: str
    model: str
    endpoint: str


class SpoolWriter:
    """The writer holds a lock on its file for as long as it lives, however it dies."""

    def __init__(self, directory: Path, id: str) -> None:
        """Raises OSError, also where the disk has no room for all of it."""
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.id = id
        self.path = directory / f"{id}{SUFFIX}"
        beside = self.path.with_suffix(".new")
        self._descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_TRUNC, MODE)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        size_bytes = ROW_BYTES * ROWS_MAX
        os.posix_fallocate(self._descriptor, 0, size_bytes)  # else a full disk would kill us later
        self._memory = mmap.mmap(self._descriptor, size_bytes)
        HEAD.pack_into(self._memory, 0, MARK, 0)
        beside.rename(self.path)
        self._rows: dict[Subject, list[int]] = {}  # offset, then the counts

    def add(self, subject: Subject, *, prompt: int, cached: int, completion: int) -> None:
        """One request more. Raises SpoolFullError."""
        row = self._rows.get(subject)
        if row is None:
            row = self._begin(subject)
        row[1] += 1
        row[2] += prompt
        row[3] += cached
        row[4] += completion
        packed = COUNTS.pack(row[1], row[2], row[3], row[4])
        at = row[0] + PLACES[row[1] & 1]
        self._memory[at : at + PLACE_BYTES] = packed + SUM.pack(crc32(packed))

    def close(self) -> None:
        self._memory.close()
        os.close(self._descriptor)

    def _begin(self, subject: Subject) -> list[int]:
        number = len(self._rows) + 1
        if number >= ROWS_MAX:
            raise SpoolFullError(self.id)
        text = json.dumps(subject).encode()
        if len(text) > SUBJECT_BYTES_MAX:
            raise ValueError(f"{subject.model!r} is too long a name to be counted by")
        at = number * ROW_BYTES
        self._memory[at + 2 : at + 2 + len(text)] = text
        self._memory[at : at + 2] = LENGTH.pack(len(text))  # last: now it is there
        row = self._rows[subject] = [at, *NO_COUNTS]
        return row


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    number: int
    subject: Subject
    counts: Counts


class SpoolReader:
    """A spool as its reporter sees it; only reporters write the number of the last report."""

    def __init__(self, path: Path) -> None:
        """Raises OSError, ValueError for a file that is none."""
        self.id = path.name.removesuffix(SUFFIX)
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR)
        self._memory = mmap.mmap(self._descriptor, 0)
        mark, self.report = HEAD.unpack_from(self._memory, 0)
        if mark != MARK:
            self.close()
            raise ValueError(f"{path} is not a spool")
        self._subjects: list[Subject] = []

    def rows(self) -> Iterator[Row]:
        """Every row, as it is now."""
        for number in range(1, ROWS_MAX):
            at = number * ROW_BYTES
            (length,) = LENGTH.unpack_from(self._memory, at)
            if not length:
                return
            if number > len(self._subjects):
                self._subjects.append(Subject(*json.loads(self._memory[at + 2 : at + 2 + length])))
            subject = self._subjects[number - 1]
            yield Row(number=number, subject=subject, counts=self._counts(at))

    def begin_report(self) -> int:
        """The number of the next report."""
        self.report += 1
        HEAD.pack_into(self._memory, 0, MARK, self.report)
        return self.report

    def sync(self) -> None:
        """Have what is written outlive the machine too. Blocks."""
        os.fsync(self._descriptor)

    @property
    def abandoned(self) -> bool:
        """Its writer has ended."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        self._memory.close()
        os.close(self._descriptor)

    def _counts(self, at: int) -> Counts:
        """The newer of the two that is whole."""
        best = NO_COUNTS
        for place in PLACES:
            packed = self._memory[at + place : at + place + COUNTS.size]
            (total,) = SUM.unpack_from(self._memory, at + place + COUNTS.size)
            counts: Counts = COUNTS.unpack(packed)
            if counts[0] > best[0] and total == crc32(packed):
                best = counts
        return best
