"""Data sets in and out through the client: only what is missing is sent, every byte verified, read in ranges."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.sdk.client import Client
from gigawatt.sdk.errors import ApiError
from tests.surface.api.served import served_site

pytestmark = pytest.mark.slow

FILES = {
    "a.bin": b"a" * 3_000_000,
    "train/0.bin": bytes(range(256)) * 4_000,
    "train/1.bin": b"one",
    "run.sh": b"#!/bin/sh\n",
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, Path]]:
    place = tmp_path_factory.mktemp("site")
    with served_site(place) as (url, key), Client(api_url=url, token=key) as client:
        yield client, place


@pytest.fixture(autouse=True)
def own_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Digests are remembered in a cache directory of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    place = tmp_path / "corpus"
    for name, data in FILES.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    (place / "run.sh").chmod(0o755)
    return place


def held(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


@dataclass
class Told:
    """What a progress was told."""

    seen: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])

    def __call__(self, through: int, total: int) -> None:
        self.seen.append((through, total))


def blob(place: Path, data: bytes) -> Path:
    digest = hashlib.sha256(data).hexdigest()
    return next(place.rglob(f"sha256/{digest[:2]}/{digest}"))


def test_a_data_set_comes_out_as_it_went_in(
    served: tuple[Client, Path], files: Path, tmp_path: Path
) -> None:
    client, _ = served
    told = Told()
    first = client.volumes.push("whole", files, progress=told)
    size = sum(len(data) for data in FILES.values())
    assert (first["ref"], first["files"], first["size_bytes"]) == ("whole:1", 4, size)
    assert told.seen[-1] == (size, size)
    out = tmp_path / "out"
    assert client.volumes.pull("whole", out)["ref"] == "whole:1"
    assert held(out) == FILES
    assert (out / "run.sh").stat().st_mode & 0o111
    assert client.volumes.pull("whole:1", out)["ref"] == "whole:1"


def test_only_what_is_new_is_sent(served: tuple[Client, Path], files: Path) -> None:
    client, _ = served
    client.volumes.push("steps", files)
    (files / "train/1.bin").write_bytes(b"another")
    told = Told()
    second = client.volumes.push("steps", files, progress=told)
    assert second["ref"] == "steps:2"
    assert told.seen[-1] == (7, 7)
    assert client.volumes.push("steps", files)["ref"] == "steps:2"
    assert [each["ref"] for each in client.volumes.versions("steps")] == ["steps:2", "steps:1"]


def test_a_push_that_broke_goes_on_where_it_was(served: tuple[Client, Path], files: Path) -> None:
    client, _ = served
    (files / "a.bin").write_bytes(b"sent before it broke")
    (files / "z.bin").write_bytes(b"not sent")
    client.artifacts.send_file(files / "a.bin")
    told = Told()
    client.volumes.push("resumed", files, progress=told)
    rest = sum(path.stat().st_size for path in files.rglob("*") if path.is_file()) - 20
    through, total = told.seen[-1]
    assert through == total
    assert len(b"not sent") <= total <= rest


def test_a_quota_refuses_before_anything_is_sent(
    served: tuple[Client, Path], tmp_path: Path
) -> None:
    client, place = served
    client.volumes.create("small", quota="1MiB")
    big = tmp_path / "big.bin"
    big.write_bytes(os.urandom(2 << 20))
    with pytest.raises(ApiError) as refused:
        client.volumes.push("small", big)
    assert "this adds 2 MiB, and its quota is 1 MiB" in refused.value.problem.detail
    with pytest.raises(StopIteration):
        blob(place, big.read_bytes())


def test_a_pull_says_what_was_damaged_and_leaves_nothing_of_it(
    served: tuple[Client, Path], tmp_path: Path
) -> None:
    client, place = served
    one = tmp_path / "one.bin"
    one.write_bytes(b"bytes that will be damaged")
    client.volumes.push("damaged", one)
    stored = blob(place, one.read_bytes())
    stored.chmod(0o644)
    stored.write_bytes(b"BYTES that will be damaged")
    with pytest.raises(RefusalError) as refused:
        client.volumes.pull("damaged", tmp_path / "out")
    assert refused.value.code is RefusalCode.DIGEST_MISMATCH
    assert not (tmp_path / "out" / "one.bin").exists()


def test_versions_and_directories_are_compared(served: tuple[Client, Path], files: Path) -> None:
    client, _ = served
    client.volumes.push("compared", files)
    (files / "new.txt").write_bytes(b"new")
    (files / "train/1.bin").unlink()
    (files / "run.sh").write_bytes(b"#!/bin/bash\n")
    here = client.volumes.diff("compared", str(files))
    client.volumes.push("compared", files)
    there = client.volumes.diff("compared:1", "compared:2")
    for found in (here, there):
        assert [each["path"] for each in found["added"]] == ["new.txt"]
        assert [each["path"] for each in found["removed"]] == ["train/1.bin"]
        assert found["changed"] == [{"path": "run.sh", "before_bytes": 10, "after_bytes": 12}]
        assert found["same"] == 2
    assert client.volumes.diff("compared", str(files))["same"] == 4


def test_a_version_is_a_file_system_read_in_ranges(
    served: tuple[Client, Path], files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, _ = served
    client.volumes.push("ranged", files)
    fs: Any = client.volumes.open("ranged")
    assert sorted(fs.find("")) == sorted(FILES)
    assert fs.ls("train", detail=False) == ["train/0.bin", "train/1.bin"]
    assert fs.isdir("train")
    assert fs.cat_file("a.bin", -5) == b"aaaaa"
    with fs.open("train/0.bin") as opened:
        opened.seek(255)
        assert opened.read(3) == bytes((255, 0, 1))
        opened.seek(0)
        assert opened.read() == FILES["train/0.bin"]
    with pytest.raises(PermissionError):
        fs.open("train/0.bin", "wb")
    with pytest.raises(FileNotFoundError):
        fs.info("nothing")
    monkeypatch.setenv("GIGAWATT_API", client.address.api_url)
    monkeypatch.setenv("GIGAWATT_TOKEN", client.address.token)
    fsspec: Any = import_module("fsspec")
    with fsspec.open("gw://ranged:1/train/1.bin", "rb") as opened:
        assert opened.read() == b"one"


def test_what_is_open_stays_the_version_that_was_opened(
    served: tuple[Client, Path], files: Path
) -> None:
    client, _ = served
    client.volumes.push("pinned", files)
    fs: Any = client.volumes.open("pinned")
    (files / "train/1.bin").write_bytes(b"later")
    client.volumes.push("pinned", files)
    assert fs.cat_file("train/1.bin") == b"one"
    client.volumes.delete("pinned:1")
    with pytest.raises(ApiError):
        fs.cat_file("train/1.bin")
