"""The artifact store: what goes in comes out, and what is not right leaves nothing."""

import asyncio
import hashlib
import os
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.build.artifacts import ArtifactStore
from gigawatt.build.incoming import Incoming, Stored
from gigawatt.build.making import remove_tree
from gigawatt.build.receiving import STREAM_BUFFER_BYTES
from gigawatt.build.trees import TreeFile
from gigawatt.clock import now_ms
from gigawatt.model.refusal import RefusalCode, RefusalError

DATA = b"weights" * 1000


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "artifacts"
    remove_tree(tmp_path / "artifacts")  # pytest cannot delete read-only directories


@pytest.fixture
def store(root: Path) -> ArtifactStore:
    return ArtifactStore(root)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """What a job might have written."""
    path = tmp_path / "final"
    (path / "shards").mkdir(parents=True)
    (path / "config.json").write_text("{}")
    (path / "shards" / "0.bin").write_bytes(DATA)
    (path / "tool.sh").write_text("#!/bin/sh\n")
    (path / "tool.sh").chmod(0o755)
    return path


def files_of(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


def refused(call: str, store: ArtifactStore, *arguments: object) -> RefusalError:
    with pytest.raises(RefusalError) as caught:
        getattr(store, call)(*arguments)
    return caught.value


async def chunks_of(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        await asyncio.sleep(0)
        yield data[start : start + size]


@settings(deadline=None, max_examples=40)
@given(chunks=st.lists(st.binary(max_size=50), max_size=10))
def test_what_goes_in_comes_out(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[bytes]
) -> None:
    store = ArtifactStore(tmp_path_factory.mktemp("artifacts"))
    data = b"".join(chunks)
    stored = store.put_stream(digest_of(data), chunks)
    assert stored == Stored(digest=digest_of(data), size_bytes=len(data))
    with store.open(stored.digest) as file:
        assert file.read() == data


def test_a_stream_may_come_asynchronously(store: ArtifactStore) -> None:
    data = os.urandom(3 * 1024 * 1024 + 17)
    stored = asyncio.run(store.put_stream_async(digest_of(data), chunks_of(data, 70_000)))
    assert stored == Stored(digest=digest_of(data), size_bytes=len(data))
    store.verify(stored.digest)


def test_an_artifact_is_read_only_and_under_its_digest(store: ArtifactStore, root: Path) -> None:
    digest = store.put_stream(digest_of(DATA), [DATA]).digest
    hex_digits = digest.removeprefix("sha256:")
    path = root / "sha256" / hex_digits[:2] / hex_digits
    assert store.path(digest) == path
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert (store.exists(digest), store.size(digest)) == (True, len(DATA))


def test_bytes_with_another_digest_are_refused_and_nothing_is_left(
    store: ArtifactStore, root: Path
) -> None:
    refusal = refused("put_stream", store, digest_of(b"wanted"), [b"got"])
    assert refusal.code is RefusalCode.DIGEST_MISMATCH
    assert digest_of(b"wanted") in refusal.detail
    assert digest_of(b"got") in refusal.detail
    assert files_of(root) == []


def test_a_stream_over_the_limit_is_refused_and_nothing_is_left(
    store: ArtifactStore, root: Path
) -> None:
    with pytest.raises(RefusalError) as caught:
        store.put_stream(digest_of(DATA), [DATA], limit_bytes=len(DATA) - 1)
    assert caught.value.code is RefusalCode.TOO_LARGE
    assert files_of(root) == []


def test_a_stream_that_breaks_leaves_nothing(store: ArtifactStore, root: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"some"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        store.put_stream(digest_of(DATA), broken())
    assert files_of(root) == []


def test_an_upload_that_is_cancelled_leaves_nothing(store: ArtifactStore, root: Path) -> None:
    async def run() -> None:
        reached = asyncio.Event()

        async def stalled() -> AsyncIterator[bytes]:
            yield b"x" * 2_000_000
            reached.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(store.put_stream_async(digest_of(DATA), stalled()))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert files_of(root) == []


def test_what_is_there_is_not_read_again(store: ArtifactStore) -> None:
    def never() -> Iterator[bytes]:
        raise AssertionError
        yield b""

    store.put_stream(digest_of(DATA), [DATA])
    assert store.put_stream(digest_of(DATA), never()).size_bytes == len(DATA)


@pytest.mark.parametrize("call", ["open", "size", "verify", "tree", "materialise"])
def test_an_artifact_that_is_not_there_is_said_so(store: ArtifactStore, call: str) -> None:
    refusal = refused(call, store, digest_of(DATA))
    assert (refusal.code, refusal.field) == (RefusalCode.NOT_FOUND, "digest")


@pytest.mark.parametrize(
    "call", ["path", "open", "size", "verify", "exists", "tree", "materialise"]
)
def test_a_digest_cannot_lead_anywhere_else(store: ArtifactStore, call: str) -> None:
    assert refused(call, store, "sha256:../../../etc/passwd").code is RefusalCode.INVALID


def test_damage_is_found(store: ArtifactStore) -> None:
    digest = store.put_stream(digest_of(DATA), [DATA]).digest
    store.path(digest).chmod(0o644)
    store.path(digest).write_bytes(DATA + b"!")
    refusal = refused("verify", store, digest)
    assert (refusal.code, digest_of(DATA + b"!") in refusal.detail) == (
        RefusalCode.DIGEST_MISMATCH,
        True,
    )


def test_a_directory_is_stored_as_a_tree(store: ArtifactStore, output: Path) -> None:
    stored = store.put_tree(output)
    size = len(DATA) + 2 + 10
    assert (stored.files, stored.size_bytes) == (3, size)
    assert store.tree(stored.digest).files == (
        TreeFile(
            path="config.json",
            size=2,
            sha256=hashlib.sha256(b"{}").hexdigest(),
            executable=False,
        ),
        TreeFile(
            path="shards/0.bin",
            size=len(DATA),
            sha256=hashlib.sha256(DATA).hexdigest(),
            executable=False,
        ),
        TreeFile(
            path="tool.sh",
            size=10,
            sha256=hashlib.sha256(b"#!/bin/sh\n").hexdigest(),
            executable=True,
        ),
    )


def test_a_tree_comes_back_as_a_read_only_directory(store: ArtifactStore, output: Path) -> None:
    digest = store.put_tree(output).digest
    place = store.materialise(digest)
    assert (place / "shards" / "0.bin").read_bytes() == DATA
    modes = {
        str(path.relative_to(place)): stat.S_IMODE(path.stat().st_mode)
        for path in [place, *place.rglob("*")]
    }
    assert modes == {
        ".": 0o555, "config.json": 0o444, "shards": 0o555, "shards/0.bin": 0o444, "tool.sh": 0o555,
    }  # fmt: skip


def test_a_tree_shares_the_bytes_of_the_store(store: ArtifactStore, output: Path) -> None:
    place = store.materialise(store.put_tree(output).digest)
    shared = store.path(digest_of(DATA)).stat().st_ino
    assert (place / "shards" / "0.bin").stat().st_ino == shared


def test_a_tree_is_materialised_once(store: ArtifactStore, output: Path) -> None:
    digest = store.put_tree(output).digest
    first = store.materialise(digest)
    made = first.stat().st_ino
    assert store.materialise(digest) == first
    assert first.stat().st_ino == made


def test_a_tree_may_be_materialised_elsewhere(
    store: ArtifactStore, output: Path, root: Path
) -> None:
    digest = store.put_tree(output).digest
    assert store.materialise(digest, root / "models" / "x") == root / "models" / "x"
    assert (root / "models" / "x" / "config.json").read_text() == "{}"


def test_writing_to_the_original_afterwards_does_not_change_the_tree(
    store: ArtifactStore, output: Path
) -> None:
    digest = store.put_tree(output).digest
    (output / "shards" / "0.bin").write_bytes(b"next")
    store.verify(digest_of(DATA))
    assert (store.materialise(digest) / "shards" / "0.bin").read_bytes() == DATA


def test_one_file_is_a_tree_too(store: ArtifactStore, output: Path) -> None:
    stored = store.put_tree(output / "config.json")
    assert [file.path for file in store.tree(stored.digest).files] == ["config.json"]


def test_symlinks_inside_are_stored_as_what_they_lead_to(
    store: ArtifactStore, output: Path
) -> None:
    (output / "latest").symlink_to("shards")
    (output / "same.json").symlink_to(output / "config.json")
    paths = [file.path for file in store.tree(store.put_tree(output).digest).files]
    assert paths == ["config.json", "latest/0.bin", "same.json", "shards/0.bin", "tool.sh"]


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("/etc/passwd", "outside the directory"),
        ("..", "outside the directory"),
        ("missing", "which is not there"),
        ("link", "in a circle"),
        (".", "in a circle"),
    ],
)
def test_a_symlink_that_leads_astray_is_refused(
    store: ArtifactStore, output: Path, target: str, says: str
) -> None:
    (output / "link").symlink_to(target)
    refusal = refused("put_tree", store, output)
    assert refusal.code is RefusalCode.INVALID
    assert says in refusal.detail


def test_links_that_lead_to_each_other_are_a_circle(store: ArtifactStore, output: Path) -> None:
    (output / "a").mkdir()
    (output / "a" / "to_b").symlink_to("../b")
    (output / "b").mkdir()
    (output / "b" / "to_a").symlink_to("../a")
    assert "leads in a circle" in refused("put_tree", store, output).detail


def test_a_special_file_is_refused(store: ArtifactStore, output: Path) -> None:
    os.mkfifo(output / "pipe")
    assert "pipe is neither a file nor a directory" in refused("put_tree", store, output).detail


def test_the_directory_itself_may_be_a_symlink_that_stays_inside(
    store: ArtifactStore, output: Path, tmp_path: Path
) -> None:
    (tmp_path / "best").symlink_to("final")
    assert store.put_tree(tmp_path / "best") == store.put_tree(output)


def test_a_directory_that_leads_outside_is_refused(
    store: ArtifactStore, output: Path, tmp_path: Path
) -> None:
    (output / "away").symlink_to("/etc")
    (tmp_path / "best").symlink_to("/etc")
    assert "outside the directory" in refused("put_tree", store, tmp_path / "best").detail
    with pytest.raises(RefusalError, match="passes a symlink, outside the directory"):
        store.put_tree(output / "away" / "ssl", within=output)


def test_an_output_that_is_not_there_is_said_so(store: ArtifactStore, tmp_path: Path) -> None:
    assert refused("put_tree", store, tmp_path / "missing").code is RefusalCode.NOT_FOUND


def test_a_tree_over_the_limit_is_refused(store: ArtifactStore, output: Path) -> None:
    with pytest.raises(RefusalError) as caught:
        store.put_tree(output, limit_bytes=len(DATA))
    assert caught.value.code is RefusalCode.TOO_LARGE


def test_a_tree_whose_files_are_missing_is_refused_and_leaves_nothing(
    store: ArtifactStore, output: Path, root: Path
) -> None:
    digest = store.put_tree(output).digest
    store.path(digest_of(DATA)).unlink()
    assert store.lacks(store.tree(digest)) == (digest_of(DATA),)
    refusal = refused("materialise", store, digest)
    assert refusal.code is RefusalCode.NOT_FOUND
    assert "shards/0.bin" in refusal.detail
    assert [path for path in (root / "trees").iterdir() if path.is_dir()] == []


def test_a_file_that_is_no_manifest_is_no_tree(store: ArtifactStore) -> None:
    digest = store.put_stream(digest_of(DATA), [DATA]).digest
    assert refused("materialise", store, digest).code is RefusalCode.INVALID


def test_what_was_of_use_since_it_was_chosen_is_not_removed(
    store: ArtifactStore, output: Path, tmp_path: Path
) -> None:
    digest = store.put_tree(output).digest
    aside = tmp_path / "aside"
    assert not store.remove(digest, aside=aside, unused_since_ms=now_ms() - 60_000)
    assert store.exists(digest)
    assert store.remove(digest, aside=aside, unused_since_ms=now_ms() + 60_000)
    assert not store.exists(digest)


def test_a_sweep_takes_what_was_left_and_leaves_what_is_written(
    store: ArtifactStore, root: Path
) -> None:
    with Incoming(root, 100) as incoming:
        incoming.write(b"still coming")
        (root / "incoming" / "left-by-a-kill").write_bytes(b"half")
        (root / "trees" / "0.partial").mkdir(parents=True)
        assert store.sweep() == 2
        assert incoming.commit().size_bytes == 12
    assert [path.name for path in (root / "incoming").iterdir()] == []


def test_an_upload_that_breaks_or_is_cancelled_between_buffers_leaves_nothing(
    tmp_path: Path,
) -> None:
    store = ArtifactStore(tmp_path)
    data = bytes(STREAM_BUFFER_BYTES)
    digest = f"sha256:{hashlib.sha256(data * 2).hexdigest()}"

    async def broken() -> AsyncIterator[bytes]:
        yield data
        raise ConnectionError

    async def cancelled() -> None:
        begun = asyncio.Event()

        async def endless() -> AsyncIterator[bytes]:
            yield data
            begun.set()
            await asyncio.Event().wait()

        upload = asyncio.create_task(store.put_stream_async(digest, endless()))
        await begun.wait()
        upload.cancel()
        with pytest.raises(asyncio.CancelledError):
            await upload

    with pytest.raises(ConnectionError):
        asyncio.run(store.put_stream_async(digest, broken()))
    asyncio.run(cancelled())
    assert not store.exists(digest)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
