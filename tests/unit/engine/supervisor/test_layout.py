import os
from pathlib import Path

import pytest

from gigawatt.engine.supervisor.layout import PRUNE_EVERY, Journal, Layout, NodeLockedError


def _made(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path)
    layout.make()
    return layout


def test_a_journal_gives_back_what_was_written_but_for_a_last_line_cut_short(
    tmp_path: Path,
) -> None:
    journal = Journal(tmp_path / "journal")
    assert journal.read() == []
    journal.append({"kind": "going"})
    journal.append({"kind": "gone"})
    with (tmp_path / "journal").open("a") as file:
        file.write('{"kind": "rele')
    assert journal.read() == [{"kind": "going"}, {"kind": "gone"}]


def test_the_epoch_is_zero_before_the_first(tmp_path: Path) -> None:
    layout = _made(tmp_path)
    assert layout.read_epoch() == 0
    layout.write_epoch(12)
    assert layout.read_epoch() == 12


def test_a_directory_is_one_supervisors_at_a_time(tmp_path: Path) -> None:
    layout = _made(tmp_path)
    layout.lock()
    with pytest.raises(NodeLockedError):
        Layout(tmp_path).lock()


def test_released_is_what_has_a_directory_and_is_not_live(tmp_path: Path) -> None:
    layout = _made(tmp_path)
    (layout.attempts / "a.1").mkdir()
    (layout.attempts / "b.1").mkdir()
    (layout.live / "b.1").touch()
    assert [layout.was_released(key) for key in ("a.1", "b.1", "c.1")] == [True, False, False]
    assert layout.live_keys() == ["b.1"]


def test_a_path_too_long_for_a_socket_gets_the_short_one(tmp_path: Path) -> None:
    root = tmp_path / ("x" * 90)
    layout = _made(root)
    short = Path("/short.sock")
    assert layout.socket_path(short) == str(short)
    assert (root / "socket").read_text() == str(short)


def _attempts(layout: Layout, count: int, size_bytes: int) -> None:
    for number in range(count):
        path = layout.attempts / f"a.{number}"
        (path / "logs").mkdir(parents=True)
        (path / "logs" / "0").write_bytes(bytes(size_bytes))
        os.utime(path, (number, number))


def test_beyond_the_count_the_oldest_released_attempts_go_and_live_ones_stay(
    tmp_path: Path,
) -> None:
    layout = _made(tmp_path)
    _attempts(layout, 6, 1)
    (layout.live / "a.0").touch()
    assert [path.name for path in layout.beyond_limits(count=3)] == ["a.1", "a.2"]


def test_beyond_the_bytes_the_oldest_go(tmp_path: Path) -> None:
    layout = _made(tmp_path)
    _attempts(layout, 6, 100)
    assert [path.name for path in layout.beyond_limits(size_bytes=350)] == ["a.0", "a.1", "a.2"]
    assert layout.beyond_limits() == []


def test_now_and_then_a_release_is_followed_by_a_look_at_what_is_kept(tmp_path: Path) -> None:
    layout = _made(tmp_path)
    looks = [layout.release("a.1") for _ in range(2 * PRUNE_EVERY)]
    assert [number + 1 for number, look in enumerate(looks) if look] == [
        PRUNE_EVERY,
        2 * PRUNE_EVERY,
    ]
