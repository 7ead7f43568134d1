"""Files on their way into the store part by part. What has arrived outlives a restart and is never sent twice.

Below `root` each owner has a directory for each digest: `data`, into which parts are written where they belong, and
`parts`, a line with number and SHA-256 for each of them that is there. An owner is asked to show all of a file, so what
another has sent of it does not count.
"""

import fcntl
import hashlib
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gigawatt.build.digest import PREFIX, mismatch, parse_digest
from gigawatt.build.making import remove_tree
from gigawatt.build.room import room_needed
from gigawatt.build.seals import seal, sums_of
from gigawatt.model.refusal import RefusalCode, RefusalError

PART_BYTES = 16 * 1024 * 1024
OPEN_MAX = 64  # of one owner
STALE_MS = 7 * 24 * 3600 * 1000  # an upload that nobody goes on with
NAMED_MAX = 10

Take = Callable[[Path, str], None]  # a whole file, and its digest: it is moved into the store


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The bytes from `number * PART_BYTES` on; all but the last one have that many."""

    number: int
    sha256: str


class Uploads:
    """Calls block. Any thread may make them."""

    def __init__(self, root: Path, take: Take) -> None:
        self._root = root
        self._take = take

    def parts(self, owner: str, digest: str) -> tuple[Part, ...]:
        """What has arrived, by number."""
        place = self._place(owner, digest)
        return tuple(
            Part(number=number, sha256=sha256) for number, sha256 in sorted(_noted(place).items())
        )

    def put(self, owner: str, digest: str, part: Part, data: bytes) -> None:
        """Keep one part. Raises RefusalError: digest-mismatch, invalid, too-large, limit, disk-full."""
        if not data or len(data) > PART_BYTES:
            code = RefusalCode.TOO_LARGE if data else RefusalCode.INVALID
            raise RefusalError(code, f"a part has from 1 to {PART_BYTES} bytes, not {len(data)}")
        got = hashlib.sha256(data).hexdigest()
        if got != part.sha256:
            raise mismatch(wanted=PREFIX + part.sha256, got=PREFIX + got)
        place = self._place(owner, digest)
        with room_needed(self._root):
            if not place.exists():
                self._check_open(place.parent)
                place.mkdir(parents=True, exist_ok=True)
            with _held(place, fcntl.LOCK_SH) as data_fd:
                _write(data_fd, data, part.number * PART_BYTES)
                with (place / "parts").open("a") as notes:
                    notes.write(f"{part.number} {part.sha256}\n")

    def finish(self, owner: str, digest: str, size_bytes: int) -> None:
        """Put the parts together, prove the whole, and move it into the store.

        Raises RefusalError: conflict where parts are missing, and where some were damaged on this disk, which then are
        missing; digest-mismatch where the parts are another file's, and then all are dropped; what the store raises.
        """
        place = self._place(owner, digest)
        if not place.exists():
            raise _missing(range(-(-size_bytes // PART_BYTES)))
        with _held(place, fcntl.LOCK_EX) as data_fd:
            noted = _noted(place)
            count = -(-size_bytes // PART_BYTES)
            lacking = [number for number in range(count) if number not in noted]
            if lacking:
                raise _missing(lacking)
            os.ftruncate(data_fd, size_bytes)
            got, xxh3_hex = sums_of(place / "data")
            if got != digest:
                self._drop_damaged(place, noted)
                raise mismatch(wanted=digest, got=got)
            seal(data_fd, xxh3_hex)
            self._take(place / "data", digest)
            remove_tree(place)

    def sweep(self, now_ms: int) -> int:
        """Delete uploads that nobody has gone on with for a week; how many."""
        stale = [
            notes.parent
            for notes in sorted(self._root.glob("*/*/parts"))
            if notes.stat().st_mtime * 1000 < now_ms - STALE_MS
        ]
        for place in stale:
            remove_tree(place)
        return len(stale)

    def _place(self, owner: str, digest: str) -> Path:
        return self._root / hashlib.sha256(owner.encode()).hexdigest()[:32] / parse_digest(digest)

    def _check_open(self, directory: Path) -> None:
        if directory.exists() and len(os.listdir(directory)) >= OPEN_MAX:  # noqa: PTH208 - only counted
            raise RefusalError(
                RefusalCode.LIMIT,
                f"{OPEN_MAX} uploads are open already",
                hint="finish some of them; those that nobody goes on with are deleted after a week",
            )

    def _drop_damaged(self, place: Path, noted: dict[int, str]) -> None:
        """Forget the parts that are not what they were when they arrived; all, where they all are."""
        damaged: list[int] = []
        with (place / "data").open("rb") as file:
            for number, sha256 in sorted(noted.items()):
                file.seek(number * PART_BYTES)
                if hashlib.sha256(file.read(PART_BYTES)).hexdigest() != sha256:
                    damaged.append(number)
        if not damaged:
            remove_tree(place)
            return
        kept = [f"{number} {noted[number]}\n" for number in noted if number not in damaged]
        (place / "parts").write_text("".join(kept))
        raise _missing(damaged)


@contextmanager
def _held(place: Path, how: int) -> Generator[int]:
    """The data's descriptor, locked: parts are written side by side, and the whole is looked at alone."""
    data_fd = os.open(place / "data", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(data_fd, how)
        yield data_fd
    finally:
        os.close(data_fd)


def _noted(place: Path) -> dict[int, str]:
    """SHA-256 by number; a line that a crash cut off does not count."""
    try:
        text = (place / "parts").read_text()
    except FileNotFoundError:
        return {}
    noted: dict[int, str] = {}
    for line in text.splitlines():
        number, _, sha256 = line.partition(" ")
        if number.isdecimal() and len(sha256) == 64:
            noted[int(number)] = sha256
    return noted


def _write(fd: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, offset)
        view, offset = view[written:], offset + written


def _missing(numbers: "range | list[int]") -> RefusalError:
    named = ", ".join(map(str, numbers[:NAMED_MAX]))
    more = f" and {len(numbers) - NAMED_MAX} more" if len(numbers) > NAMED_MAX else ""
    return RefusalError(
        RefusalCode.CONFLICT,
        f"{len(numbers)} parts are not here yet: {named}{more}",
        field="parts",
        hint="send them, then ask again",
    )
