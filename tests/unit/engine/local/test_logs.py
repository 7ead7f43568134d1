from pathlib import Path

import pytest

from gigawatt.engine.base import LogChunk, UnknownAttemptError
from gigawatt.engine.local.logs import read_log
from gigawatt.model.launch import AttemptKey

KEY = AttemptKey(gang="job-1", attempt=2)


def _write(data: Path, segments: dict[int, bytes], *, end: bool = False) -> None:
    directory = data / "nodes" / "node-3" / "attempts" / "job-1.2" / "logs" / "rank-0.stdout"
    directory.mkdir(parents=True)
    for offset, content in segments.items():
        (directory / f"{offset:016d}").write_bytes(content)
    if end:
        (directory / "end").touch()


def _read(data: Path, offset: int, limit: int = 100) -> LogChunk:
    return read_log(data, KEY, 0, "stdout", offset=offset, limit=limit)


def test_reading_goes_on_from_segment_to_segment(tmp_path: Path) -> None:
    _write(tmp_path, {0: b"abcd", 4: b"efgh", 8: b"ij"})
    assert _read(tmp_path, 2) == LogChunk(offset=2, data=b"cdefghij", end=False)
    assert _read(tmp_path, 2, limit=4) == LogChunk(offset=2, data=b"cdef", end=False)


def test_what_rotation_dropped_is_passed_over_by_the_next_call(tmp_path: Path) -> None:
    _write(tmp_path, {0: b"abcd", 40: b"wxyz"}, end=True)
    assert _read(tmp_path, 0) == LogChunk(offset=0, data=b"abcd", end=False)
    assert _read(tmp_path, 4) == LogChunk(offset=40, data=b"wxyz", end=True)


def test_a_negative_offset_counts_from_the_end(tmp_path: Path) -> None:
    _write(tmp_path, {0: b"abcd", 4: b"ef"})
    assert _read(tmp_path, -3) == LogChunk(offset=3, data=b"def", end=False)
    assert _read(tmp_path, -300) == LogChunk(offset=0, data=b"abcdef", end=False)


def test_the_end_is_told_only_with_the_last_byte(tmp_path: Path) -> None:
    _write(tmp_path, {0: b"abcd"}, end=True)
    assert _read(tmp_path, 0, limit=2) == LogChunk(offset=0, data=b"ab", end=False)
    assert _read(tmp_path, 2) == LogChunk(offset=2, data=b"cd", end=True)
    assert _read(tmp_path, 4) == LogChunk(offset=4, data=b"", end=True)


def test_a_rank_that_wrote_nothing_has_an_empty_log(tmp_path: Path) -> None:
    _write(tmp_path, {})
    assert _read(tmp_path, 0) == LogChunk(offset=0, data=b"", end=False)


def test_what_is_not_there_is_unknown(tmp_path: Path) -> None:
    _write(tmp_path, {0: b"x"})
    with pytest.raises(UnknownAttemptError):
        read_log(tmp_path, KEY, 1, "stdout", offset=0, limit=1)
    for gang in ("job-2", "*", "../job-1", "job-[0-9]"):
        with pytest.raises(UnknownAttemptError):
            key = AttemptKey(gang=gang, attempt=2)
            read_log(tmp_path, key, 0, "stdout", offset=0, limit=1)
