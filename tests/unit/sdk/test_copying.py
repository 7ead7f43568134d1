"""A copy holds what its hash says, whatever the size of the file and whatever happens to it meanwhile."""

import hashlib
import os
from pathlib import Path

import pytest
from xxhash import xxh3_128

from gigawatt.sdk.copying import (
    AHEAD,
    CHUNK_BYTES,
    FLUSH_BYTES,
    TELL_BYTES,
    TooLongError,
    copy_hashed,
)

SIZES = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, (2 * AHEAD + 3) * CHUNK_BYTES + 7]


def a_file(path: Path, size: int) -> Path:
    block = hashlib.shake_128(b"seed").digest(min(size, CHUNK_BYTES + 4097))
    path.write_bytes((block * (size // max(len(block), 1) + 1))[:size])
    return path


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("flush", [False, True])
def test_what_is_written_is_what_is_hashed(tmp_path: Path, size: int, *, flush: bool) -> None:
    source, target = a_file(tmp_path / "source", size), tmp_path / "target"
    told: list[int] = []
    sums = (hashlib.sha256(), xxh3_128())
    with source.open("rb") as reader, target.open("x+b") as writer:
        copied = copy_hashed(
            reader.fileno(),
            writer.fileno(),
            sums=sums,
            limit_bytes=size,
            tell=told.append,
            flush=flush,
        )
    data = source.read_bytes()
    assert target.read_bytes() == data
    assert copied == size
    assert [each.hexdigest() for each in sums] == [
        hashlib.sha256(data).hexdigest(),
        xxh3_128(data).hexdigest(),
    ]
    assert told == [*range(TELL_BYTES, size, TELL_BYTES), size]


def test_a_source_that_changes_meanwhile_is_hashed_as_it_was_written(tmp_path: Path) -> None:
    source, target = a_file(tmp_path / "source", TELL_BYTES * 2), tmp_path / "target"

    def change(_: int) -> None:
        with source.open("r+b") as file:
            file.seek(TELL_BYTES + CHUNK_BYTES)
            file.write(os.urandom(CHUNK_BYTES))

    sum_ = hashlib.sha256()
    with source.open("rb") as reader, target.open("x+b") as writer:
        copy_hashed(
            reader.fileno(), writer.fileno(), sums=(sum_,), limit_bytes=FLUSH_BYTES, tell=change
        )
    assert sum_.hexdigest() == hashlib.sha256(target.read_bytes()).hexdigest()


def test_more_than_is_allowed_is_not_copied(tmp_path: Path) -> None:
    source, target = a_file(tmp_path / "source", CHUNK_BYTES * 3), tmp_path / "target"
    with (
        source.open("rb") as reader,
        target.open("x+b") as writer,
        pytest.raises(TooLongError),
    ):
        copy_hashed(reader.fileno(), writer.fileno(), sums=(), limit_bytes=CHUNK_BYTES - 1)
    assert target.stat().st_size == CHUNK_BYTES  # it is looked at after each chunk


def test_what_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with (
        (tmp_path / "source").open("wb") as unreadable,
        (tmp_path / "target").open("x+b") as writer,
        pytest.raises(OSError, match="Bad file descriptor"),
    ):
        copy_hashed(unreadable.fileno(), writer.fileno(), sums=(), limit_bytes=10)
