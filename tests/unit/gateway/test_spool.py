import os
import signal
from pathlib import Path

import pytest

from gigawatt.gateway.spool import (
    PLACES,
    ROW_BYTES,
    ROWS_MAX,
    SpoolFullError,
    SpoolReader,
    SpoolWriter,
    Subject,
)
from gigawatt.gateway.token_reports import month_began_ms
from gigawatt.model.tokens import HOUR_MS

SUBJECT = Subject(3_600_000, "acme", "default", "key-1", "tiny-gpt", "endpoint-1")


def counts(path: Path) -> list[tuple[int, ...]]:
    reader = SpoolReader(path)
    try:
        return [row.counts for row in reader.rows()]
    finally:
        reader.close()


def test_a_reader_sees_what_was_counted_by_subject(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path, "a")
    other = Subject(3_600_000, "acme", "default", "key-2", "tiny-gpt", "endpoint-1")
    writer.add(SUBJECT, prompt=7, cached=3, completion=4)
    writer.add(other, prompt=1, cached=0, completion=1)
    writer.add(SUBJECT, prompt=7, cached=0, completion=5)
    reader = SpoolReader(writer.path)
    assert [(row.subject, row.counts) for row in reader.rows()] == [
        (SUBJECT, (2, 14, 3, 9)),
        (other, (1, 1, 0, 1)),
    ]
    reader.close()
    writer.close()


def test_a_writer_that_is_killed_loses_nothing_and_its_spool_is_known_to_be_abandoned(
    tmp_path: Path,
) -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        writer = SpoolWriter(tmp_path, "a")
        for _ in range(1_000):
            writer.add(SUBJECT, prompt=1, cached=0, completion=2)
        os.write(writing, b".")
        signal.pause()
    assert os.read(reading, 1) == b"."
    reader = SpoolReader(tmp_path / "a.spool")
    assert not reader.abandoned
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert reader.abandoned
    assert [row.counts for row in reader.rows()] == [(1_000, 1_000, 0, 2_000)]
    reader.close()


@pytest.mark.parametrize("torn_bytes", range(1, 36))
def test_a_count_that_was_half_written_is_not_there(tmp_path: Path, torn_bytes: int) -> None:
    writer = SpoolWriter(tmp_path, "a")
    writer.add(SUBJECT, prompt=7, cached=3, completion=4)
    before = writer.path.read_bytes()
    writer.add(SUBJECT, prompt=7, cached=3, completion=4)
    after = writer.path.read_bytes()
    writer.close()
    place = ROW_BYTES + PLACES[0]
    torn = before[:place] + after[place : place + torn_bytes] + before[place + torn_bytes :]
    writer.path.write_bytes(torn)
    assert counts(writer.path) in ([(1, 7, 3, 4)], [(2, 14, 6, 8)])
    assert (counts(writer.path) == [(2, 14, 6, 8)]) == (torn == after)


def test_a_full_spool_says_so(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path, "a")
    for number in range(ROWS_MAX - 1):
        subject = Subject(number, "acme", "default", "k", "m", "e")
        writer.add(subject, prompt=1, cached=0, completion=1)
    with pytest.raises(SpoolFullError):
        writer.add(SUBJECT, prompt=1, cached=0, completion=1)
    writer.close()
    assert len(counts(writer.path)) == ROWS_MAX - 1


def test_a_month_begins_with_its_first_day_in_utc() -> None:
    assert month_began_ms(0) == 0
    assert month_began_ms(31 * 24 * HOUR_MS - 1) == 0
    assert month_began_ms(31 * 24 * HOUR_MS) == 31 * 24 * HOUR_MS
