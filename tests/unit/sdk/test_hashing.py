"""Digests of a directory's files: right, remembered while nothing changes, and not a moment longer."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.sdk.hashing import SETTLED_NS, hashed_files

LONG_AGO_NS = 1_700_000_000_000_000_000


def written(place: Path, **files: bytes) -> Path:
    for name, data in files.items():
        place.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    return place


def digests(place: Path, memory: Path | None = None) -> dict[str, str]:
    return {each.path: each.sha256 for each in hashed_files(place, memory=memory)}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def settle(memory: Path) -> dict[str, list[object]]:
    """What is remembered; of files as young as a test's, nothing is."""
    (place,) = memory.iterdir()
    return json.loads(place.read_text())["files"]


def test_files_are_found_with_their_digests_by_path(tmp_path: Path) -> None:
    place = written(tmp_path / "d", b=b"two", a=b"one")
    (place / "b").chmod(0o755)
    found = hashed_files(place)
    assert [(each.path, each.size, each.executable) for each in found] == [
        ("a", 3, False),
        ("b", 3, True),
    ]
    assert digests(place / "a") == {"a": sha256(b"one")}


def test_a_file_that_has_just_changed_is_not_remembered(tmp_path: Path) -> None:
    place, memory = written(tmp_path / "d", a=b"one"), tmp_path / "memory"
    digests(place, memory)
    assert settle(memory) == {}


def test_what_is_remembered_is_not_read_again_until_it_changes(tmp_path: Path) -> None:
    place, memory = written(tmp_path / "d", a=b"one", b=b"two"), tmp_path / "memory"
    digests(place, memory)
    (file,) = memory.iterdir()
    status = (place / "a").stat()
    stamp = [status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns]
    file.write_text(json.dumps({"format": 1, "files": {"a": [stamp, "f" * 64]}}))
    assert digests(place, memory) == {"a": "f" * 64, "b": sha256(b"two")}
    assert digests(place) == {"a": sha256(b"one"), "b": sha256(b"two")}
    os.utime(place / "a", ns=(LONG_AGO_NS, LONG_AGO_NS + SETTLED_NS))
    assert digests(place, memory)["a"] == sha256(b"one")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1, "files": []}', '{"format": 9}'])
def test_a_memory_that_makes_no_sense_is_forgotten(tmp_path: Path, text: str) -> None:
    place, memory = written(tmp_path / "d", a=b"one"), tmp_path / "memory"
    digests(place, memory)
    (file,) = memory.iterdir()
    file.write_text(text)
    assert digests(place, memory) == {"a": sha256(b"one")}


def test_links_are_followed_inside_and_refused_outside(tmp_path: Path) -> None:
    place = written(tmp_path / "d", a=b"one")
    (place / "inside").symlink_to("a")
    assert digests(place)["inside"] == sha256(b"one")
    (place / "outside").symlink_to("/etc/hostname")
    with pytest.raises(RefusalError) as refused:
        digests(place)
    assert (refused.value.code, refused.value.field) == (RefusalCode.UNSUPPORTED, "path")


def test_nothing_and_no_directory_are_refused(tmp_path: Path) -> None:
    for place, code in ((tmp_path / "x", RefusalCode.NOT_FOUND), (tmp_path, RefusalCode.INVALID)):
        with pytest.raises(RefusalError) as refused:
            digests(place)
        assert refused.value.code is code
