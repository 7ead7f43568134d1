"""When lines came, from an index that stays small."""

from itertools import pairwise
from pathlib import Path

from gigawatt.engine.supervisor.log_times import ENTRY, SUFFIX, offset_since
from gigawatt.engine.supervisor.logs import SegmentedLog

BEGAN_MS = 1_700_000_000_000


class _Clock:
    def __init__(self) -> None:
        self.now_ms = BEGAN_MS

    def __call__(self) -> int:
        return self.now_ms


def _written(directory: Path, moments: dict[int, bytes], *, limit_bytes: int = 0) -> None:
    """Output by the seconds after the beginning at which it comes."""
    clock = _Clock()
    log = SegmentedLog(directory, limit_bytes=limit_bytes, now_ms=clock)
    for second, data in moments.items():
        clock.now_ms = BEGAN_MS + second * 1_000
        log.write(data)
    log.finish()


def _since(directory: Path, second: float) -> int | None:
    return offset_since(directory, BEGAN_MS + int(second * 1_000))


def _index_bytes(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.iterdir() if path.name.endswith(SUFFIX))


def test_where_much_comes_a_time_is_found_to_the_second(tmp_path: Path) -> None:
    _written(tmp_path, dict.fromkeys(range(60), b"x" * 99 + b"\n"))
    assert [_since(tmp_path, second) for second in (-5, 0.5, 30.5)] == [0, 0, 3_000]


def test_after_a_silence_nothing_older_than_ten_seconds_is_shown(tmp_path: Path) -> None:
    _written(tmp_path, {0: b"early\n", 500: b"late\n"})
    assert [_since(tmp_path, second) for second in (5, 100, 499, 505, 520)] == [0, 6, 6, 6, None]


def test_an_entry_is_where_a_line_begins(tmp_path: Path) -> None:
    _written(tmp_path, {0: b"first, half", 20: b" and half\nsecond\n"})
    assert _since(tmp_path, 15) == len(b"first, half and half\n")


def test_output_that_comes_bit_by_bit_has_an_entry_each_ten_seconds(tmp_path: Path) -> None:
    _written(tmp_path, dict.fromkeys(range(5000), b"line\n"))
    assert _index_bytes(tmp_path) == 5_000 / 10 * ENTRY.size
    starts = [_since(tmp_path, second) for second in range(0, 5_000, 100)]
    assert all(after - before <= 600 for before, after in pairwise(map(_known, starts)))


def test_the_index_of_a_segment_goes_with_it(tmp_path: Path) -> None:
    moments = dict.fromkeys(range(200), b"x" * 999 + b"\n")
    _written(tmp_path, moments, limit_bytes=64 << 10)
    kept = {path.name for path in tmp_path.iterdir() if path.name.isdigit()}
    indexed = {path.name.removesuffix(SUFFIX) for path in tmp_path.iterdir() if "." in path.name}
    assert kept == indexed
    assert _since(tmp_path, 199) == 199_000


def test_a_log_without_an_index_is_shown_whole(tmp_path: Path) -> None:
    (tmp_path / "0000000000000000").write_bytes(b"older than the index\n")
    assert offset_since(tmp_path, BEGAN_MS) == 0


def _known(offset: int | None) -> int:
    assert offset is not None
    return offset
