"""What is stored and is not any more what it was: told, and put right where it can be."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from gigawatt.build.artifacts import ArtifactStore
from gigawatt.build.making import remove_tree
from gigawatt.build.remote import open_remote
from gigawatt.model.refusal import RefusalCode, RefusalError

DATA = b"weights" * 1000


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "artifacts"
    remove_tree(tmp_path / "artifacts")  # pytest cannot delete read-only directories


def damage(store: ArtifactStore, digest: str) -> None:
    path = store.path(digest)
    path.chmod(0o644)
    path.write_bytes(DATA[::-1])


def test_a_damaged_copy_is_told_deleted_and_can_be_stored_again(root: Path) -> None:
    store = ArtifactStore(root)
    digest = store.put_stream(digest_of(DATA), [DATA]).digest
    assert store.sound(digest).read_bytes() == DATA
    damage(store, digest)
    with pytest.raises(RefusalError) as caught:
        store.sound(digest)
    refusal = caught.value
    assert refusal.code is RefusalCode.DIGEST_MISMATCH
    assert digest_of(DATA[::-1]) in refusal.detail
    assert not store.exists(digest)
    store.put_stream(digest, [DATA])
    assert store.sound(digest).read_bytes() == DATA


def test_a_damaged_copy_is_fetched_anew_from_where_artifacts_are_kept(
    root: Path, tmp_path: Path
) -> None:
    shared = open_remote(f"file://{tmp_path}/shared", credentials="", state=tmp_path / "state")
    store = ArtifactStore(root, shared)
    digest = store.put_stream(digest_of(DATA), [DATA]).digest
    damage(store, digest)
    assert store.sound(digest).read_bytes() == DATA
