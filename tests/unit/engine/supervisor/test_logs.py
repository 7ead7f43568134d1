from pathlib import Path

from gigawatt.engine.supervisor.logs import END_MARK, SegmentedLog

KIB = 1 << 10


def _sizes(directory: Path) -> dict[int, int]:
    return {
        int(path.name): path.stat().st_size for path in directory.iterdir() if path.name.isdigit()
    }


def test_segments_are_named_by_the_offset_of_their_first_byte(tmp_path: Path) -> None:
    log = SegmentedLog(tmp_path, limit_bytes=64 * KIB)
    log.write(bytes(40 * KIB))
    assert _sizes(tmp_path) == {0: 16 * KIB, 16 * KIB: 16 * KIB, 32 * KIB: 8 * KIB}


def test_the_first_segment_and_the_newest_are_kept(tmp_path: Path) -> None:
    log = SegmentedLog(tmp_path, limit_bytes=64 * KIB)
    log.write(bytes(200 * KIB))
    assert sorted(_sizes(tmp_path)) == [0, 160 * KIB, 176 * KIB, 192 * KIB]
    assert sum(_sizes(tmp_path).values()) <= 64 * KIB


def test_however_small_the_limit_there_are_two_segments(tmp_path: Path) -> None:
    log = SegmentedLog(tmp_path, limit_bytes=1)
    log.write(bytes(20 * KIB))
    assert _sizes(tmp_path) == {0: 4 * KIB, 16 * KIB: 4 * KIB}


def test_the_end_is_marked_once_nothing_comes_after(tmp_path: Path) -> None:
    log = SegmentedLog(tmp_path)
    log.write(b"x")
    assert not (tmp_path / END_MARK).exists()
    log.finish()
    assert (tmp_path / END_MARK).exists()


def test_the_last_lines_are_at_most_twenty_and_four_kibibytes(tmp_path: Path) -> None:
    log = SegmentedLog(tmp_path)
    log.write(b"".join(b"line %d\n" % number for number in range(50)))
    assert log.last_lines() == [f"line {number}" for number in range(30, 50)]
    log.write(b"y" * 10_000)
    assert log.last_lines() == ["y" * 4096]


def test_last_lines_that_are_no_text_are_shown_as_far_as_they_are(tmp_path: Path) -> None:
    log = SegmentedLog(tmp_path)
    log.write(b"\n\nbad \xff byte\n")
    assert log.last_lines() == ["bad \N{REPLACEMENT CHARACTER} byte"]


def test_what_the_disk_does_not_take_is_counted_and_left_out_at_its_offset(tmp_path: Path) -> None:
    directory = tmp_path / "not-yet"
    log = SegmentedLog(directory)
    log.write(b"lost")
    assert log.dropped == 4
    directory.mkdir()
    log.write(b"kept")
    assert _sizes(directory) == {4: 4}
    assert log.dropped == 4
