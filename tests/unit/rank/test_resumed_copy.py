"""Copies that were broken off go on where they were, and what comes of it is what is there now."""

import io
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from gigawatt.rank.copy import Copied, kept, receive, send
from gigawatt.rank.entries import CopyError
from gigawatt.rank.kept import KEPT_BYTES_MIN, Kept

MIB = 1 << 20


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Twelve files of 3 MiB in two directories, one closed, and links."""
    root = tmp_path / "from" / "things"
    for name in ("a", "b"):
        (root / name).mkdir(parents=True)
        for number in range(6):
            content = random.Random(f"{name}{number}").randbytes(3 * MIB)
            (root / name / f"part{number}").write_bytes(content)
    (root / "a" / "first").symlink_to("part0")
    (root / "a" / "part1").chmod(0o640)
    (root / "a").chmod(0o555)
    return root


def stream_of(source: Path, *, left: Kept | None = None) -> bytes:
    sent = io.BytesIO()
    send(source, sent.write, kept=left)
    return sent.getvalue()


def broken_off(stream: bytes, at_bytes: int, target: Path) -> None:
    with pytest.raises(CopyError, match="ended before it was whole") as caught:
        receive(io.BytesIO(stream[:at_bytes]).read, target)
    assert caught.value.hint == "the same command goes on from there"


def gone_on(source: Path, target: Path) -> tuple[Copied, int]:
    """What came of the next try, and how many bytes it took."""
    stream = stream_of(source, left=kept(target, source.name))
    return receive(io.BytesIO(stream).read, target), len(stream)


def tree_of(root: Path) -> dict[str, object]:
    return {
        str(path.relative_to(root)): str(path.readlink())
        if path.is_symlink()
        else (path.read_bytes() if path.is_file() else None, path.stat().st_mode & 0o777)
        for path in sorted(root.rglob("*"))
    }


@pytest.mark.parametrize("at_mib", [17, 18, 19, 24, 30, 35])
def test_what_has_arrived_is_not_sent_again(source: Path, tmp_path: Path, at_mib: int) -> None:
    place = tmp_path / "to"
    broken_off(stream_of(source), at_mib * MIB, place)
    assert not place.exists()
    done, sent_bytes = gone_on(source, place)
    assert tree_of(place) == tree_of(source)
    assert (place / "a" / "part1").stat().st_mtime == int((source / "a" / "part1").stat().st_mtime)
    assert (at_mib - 2) * MIB < done.kept_bytes <= at_mib * MIB
    assert sent_bytes < 36 * MIB - done.kept_bytes + MIB
    assert sorted(each.name for each in tmp_path.iterdir()) == ["from", "to"]


def test_a_large_file_goes_on_in_its_middle_and_twice(tmp_path: Path) -> None:
    source = tmp_path / "model"
    source.write_bytes(os.urandom(64 * MIB))
    into = tmp_path / "in"
    into.mkdir()
    broken_off(stream_of(source), 20 * MIB, into)
    broken_off(stream_of(source, left=kept(into, "model")), 20 * MIB, into)
    done, sent_bytes = gone_on(source, into)
    assert done.kept_bytes >= 36 * MIB
    assert sent_bytes < 29 * MIB
    assert (into / "model").read_bytes() == source.read_bytes()
    assert [each.name for each in into.iterdir()] == ["model"]


def test_a_break_that_has_a_digests_length_left_is_seen(source: Path, tmp_path: Path) -> None:
    stream = stream_of(source)
    for cut in (1, 64, 65, 700):
        with pytest.raises(CopyError):
            receive(io.BytesIO(stream[:-cut]).read, tmp_path / f"to{cut}")
        assert not (tmp_path / f"to{cut}").exists()


def changed_size(source: Path) -> None:
    with (source / "b" / "part5").open("ab") as file:
        file.write(b"x")


def changed_in_place(source: Path) -> None:
    path = source / "a" / "part0"
    with path.open("r+b") as file:
        file.write(b"other")


@pytest.mark.parametrize("change", [changed_size, changed_in_place])
def test_what_has_changed_meanwhile_is_sent_whole(
    source: Path, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    place = tmp_path / "to"
    broken_off(stream_of(source), 20 * MIB, place)
    change(source)
    done, _ = gone_on(source, place)
    assert done.kept_bytes == 0
    assert tree_of(place) == tree_of(source)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["from", "to"]


def test_a_change_that_hides_its_time_is_found_by_its_digest(source: Path, tmp_path: Path) -> None:
    place = tmp_path / "to"
    broken_off(stream_of(source), 20 * MIB, place)
    path = source / "a" / "part0"
    before = path.stat()
    changed_in_place(source)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(CopyError, match="what was kept of it is not what is there"):
        gone_on(source, place)
    done, _ = gone_on(source, place)  # nothing was kept of it any more
    assert (done.kept_bytes, tree_of(place)) == (0, tree_of(source))


def test_what_was_kept_is_trusted_as_little_as_a_stream(source: Path, tmp_path: Path) -> None:
    place, outside = tmp_path / "to", tmp_path / "outside"
    outside.write_bytes(b"mine")
    broken_off(stream_of(source), 20 * MIB, place)
    left = kept(place, source.name)
    (beside,) = tmp_path.glob(".to.gw-copy-kept")
    last = max((beside / "things" / "b").iterdir(), key=lambda each: each.name)
    last.unlink()
    last.symlink_to(outside)
    with pytest.raises(CopyError, match="what was kept of it is not what is there"):
        receive(io.BytesIO(stream_of(source, left=left)).read, place)
    assert outside.read_bytes() == b"mine"


def test_a_damaged_stream_keeps_nothing(source: Path, tmp_path: Path) -> None:
    flipped = bytearray(stream_of(source))
    flipped[len(flipped) // 2] ^= 1
    with pytest.raises(CopyError, match="digest differs"):
        receive(io.BytesIO(flipped).read, tmp_path / "to")
    assert [each.name for each in tmp_path.iterdir()] == ["from"]


def test_of_a_small_copy_nothing_is_kept(source: Path, tmp_path: Path) -> None:
    broken_off(stream_of(source), KEPT_BYTES_MIN - MIB, tmp_path / "to")
    assert [each.name for each in tmp_path.iterdir()] == ["from"]


def test_progress_begins_where_it_goes_on(source: Path, tmp_path: Path) -> None:
    place = tmp_path / "to"
    broken_off(stream_of(source), 20 * MIB, place)
    sent: list[tuple[int, int]] = []
    received: list[tuple[int, int]] = []
    out = io.BytesIO()
    left = kept(place, source.name)
    send(source, out.write, kept=left, told=lambda through, whole: sent.append((through, whole)))
    receive(
        io.BytesIO(out.getvalue()).read,
        place,
        told=lambda through, whole: received.append((through, whole)),
    )
    for told in (sent, received):
        assert told[0][0] > 18 * MIB
        assert told[-1] == (36 * MIB, 36 * MIB)
