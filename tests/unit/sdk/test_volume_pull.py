"""Versions of buckets onto a disk: side by side, whole or not there, and checked as far as ETags tell."""

import hashlib
import threading
from pathlib import Path

import pytest

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.sdk.volume_pull import FILES_AT_ONCE, PIECE_BYTES, pull_listed
from gigawatt.sdk.volume_views import VolumeFileView

DATA = {
    "a/large": bytes(range(256)) * (PIECE_BYTES // 128) + b"end",
    "a/small": b"small",
    "empty": b"",
}
OF_PARTS = "0" * 32 + "-2"
OTHER = "0" * 32


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def listing(**etags: str) -> list[VolumeFileView]:
    return [
        {
            "path": path,
            "size_bytes": len(data),
            "sha256": "",
            "executable": False,
            "etag": etags.get(Path(path).name, md5(data)),
        }
        for path, data in DATA.items()
    ]


def read(path: str, start: int, end: int) -> bytes:
    return DATA[path][start:end]


def held(directory: Path) -> dict[str, bytes]:
    found = [each for each in directory.rglob("*") if each.is_file()]
    return {each.relative_to(directory).as_posix(): each.read_bytes() for each in found}


def test_every_file_comes_whole_and_progress_tells_of_all(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    untold = pull_listed(
        listing(), read, tmp_path, progress=lambda through, total: told.append((through, total))
    )
    whole = sum(map(len, DATA.values()))
    assert (untold, held(tmp_path), told[-1]) == (0, DATA, (whole, whole))


def test_files_come_side_by_side(tmp_path: Path) -> None:
    all_asked = threading.Barrier(FILES_AT_ONCE, timeout=30)

    def read_together(_path: str, _start: int, _end: int) -> bytes:
        all_asked.wait()
        return b"x"

    files: list[VolumeFileView] = [
        {"path": f"{n}", "size_bytes": 1, "sha256": "", "executable": False, "etag": md5(b"x")}
        for n in range(FILES_AT_ONCE)
    ]
    assert pull_listed(files, read_together, tmp_path, progress=None) == 0


def test_what_etags_do_not_tell_is_counted(tmp_path: Path) -> None:
    assert pull_listed(listing(large=OF_PARTS, small="opaque"), read, tmp_path, progress=None) == 2
    assert held(tmp_path) == DATA


def test_an_etag_that_only_looks_like_an_md5_is_told_from_damage_by_a_second_look(
    tmp_path: Path,
) -> None:
    assert pull_listed(listing(small=OTHER), read, tmp_path, progress=None) == 1
    came: list[bytes] = [b"SMALL", b"small"]

    def damaged(path: str, start: int, end: int) -> bytes:
        return came.pop() if path == "a/small" else read(path, start, end)

    with pytest.raises(RefusalError) as refused:
        pull_listed(listing(small=OTHER), damaged, tmp_path / "again", progress=None)
    assert refused.value.code is RefusalCode.DIGEST_MISMATCH
    assert "a/small" not in held(tmp_path / "again")


@pytest.mark.parametrize("etag", [md5(b"small"), OF_PARTS, OTHER])
def test_a_file_that_is_there_stays_if_its_bytes_are_right_whatever_the_etag_tells(
    tmp_path: Path, etag: str
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "small").write_bytes(b"small")
    pull_listed(listing(small=etag), read, tmp_path, progress=None)
    (tmp_path / "a" / "small").write_bytes(b"SMALL")
    with pytest.raises(RefusalError) as refused:
        pull_listed(listing(small=etag), read, tmp_path, progress=None)
    assert refused.value.code is RefusalCode.CONFLICT
    assert (tmp_path / "a" / "small").read_bytes() == b"SMALL"
