"""Files and directories as one run of bytes."""

import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest

from gigawatt.engine.supervisor.parcel import DIGEST_BYTES, state_of, unpack_parcel, write_parcel


def a_tree(root: Path) -> Path:
    (root / "inner" / "deep").mkdir(parents=True)
    (root / "inner" / "deep" / "words").write_text("words")
    (root / "twin").hardlink_to(root / "inner" / "deep" / "words")
    (root / "run.sh").write_text("true")
    (root / "run.sh").chmod(0o755)
    (root / "away").symlink_to("/nowhere")
    os.utime(root / "run.sh", ns=(5, 1_234_567_890_123_456_789))
    (root / "inner").chmod(0o500)
    return root


def parcel(path: Path, *, skip: int = 0) -> bytes:
    out = io.BytesIO()
    write_parcel(path, out.write, skip=skip)
    return out.getvalue()


def unpacked(data: bytes, target: Path) -> Path:
    part = target.parent / "part"
    part.write_bytes(data)
    unpack_parcel(part, target)
    return target


def test_what_is_unpacked_is_what_was_written(tmp_path: Path) -> None:
    tree = a_tree(tmp_path / "tree")
    (tmp_path / "to").mkdir()
    copy = unpacked(parcel(tree), tmp_path / "to" / "copy")
    assert (copy / "twin").read_text() == (copy / "inner" / "deep" / "words").read_text() == "words"
    assert (copy / "away").readlink() == Path("/nowhere")
    assert (copy / "run.sh").stat().st_mtime_ns == 1_234_567_890_123_456_789
    assert (copy / "run.sh").stat().st_mode & 0o777 == 0o755
    assert (copy / "inner").stat().st_mode & 0o777 == 0o500
    assert parcel(copy) == parcel(tree)


def test_a_file_is_a_parcel_too_and_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    source = tmp_path / "weights"
    source.write_bytes(b"w" * 3_000_000)
    target = a_tree(tmp_path / "old")
    assert unpacked(parcel(source), target).read_bytes() == source.read_bytes()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["old", "part", "weights"]


def test_it_can_be_gone_on_with_from_any_byte(tmp_path: Path) -> None:
    tree = a_tree(tmp_path / "tree")
    whole = parcel(tree)
    for skip in (0, 1, 700, 10_240, len(whole) - DIGEST_BYTES, len(whole) - 1, len(whole)):
        assert parcel(tree, skip=skip) == whole[skip:]


@pytest.mark.parametrize("left", [-1, 600, 0])
def test_what_is_cut_short_is_not_laid_out(tmp_path: Path, left: int) -> None:
    damaged = parcel(a_tree(tmp_path / "tree"))[:left]
    with pytest.raises(OSError, match="cut short"):
        unpacked(damaged, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_what_is_changed_on_its_way_is_not_laid_out(tmp_path: Path) -> None:
    data = bytearray(parcel(a_tree(tmp_path / "tree")))
    data[1_500] ^= 1
    with pytest.raises(OSError, match="another digest"):
        unpacked(bytes(data), tmp_path / "copy")


def test_nothing_is_laid_out_outside_of_itself(tmp_path: Path) -> None:
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("../out"), io.BytesIO())
    data = body.getvalue()
    with pytest.raises(OSError, match="outside of itself"):
        unpacked(data + hashlib.sha256(data).digest(), tmp_path / "copy")
    assert not (tmp_path / "out").exists()


def test_a_state_is_told_without_reading_and_is_another_after_any_change(tmp_path: Path) -> None:
    tree = a_tree(tmp_path / "tree")
    before, size = state_of(tree)
    assert size == len("words") * 2 + len("true")
    (tmp_path / "aside").mkdir()
    tree.rename(tmp_path / "aside" / "tree")
    unpacked(parcel(tmp_path / "aside" / "tree"), tree)
    assert state_of(tree) == (before, size)
    os.utime(tree / "run.sh", ns=(5, 6))
    assert state_of(tree)[0] != before
