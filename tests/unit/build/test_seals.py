"""Seals are noted by whatever way a file comes into the store, and go unmissed where there are none."""

import hashlib
from pathlib import Path

import pytest
from xxhash import xxh3_128

from gigawatt.build.artifacts import ArtifactStore
from gigawatt.build.seals import ATTRIBUTE, seal, seal_of
from gigawatt.build.uploads import PART_BYTES, Part
from gigawatt.clock import now_ms
from gigawatt.sdk.handoff import LEAST_BYTES

DATA = hashlib.shake_128(b"seed").digest(4096) * (LEAST_BYTES // 4096) + b"end"
DIGEST = "sha256:" + hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "store")


def noted(store: ArtifactStore, digest: str = DIGEST) -> str:
    with store.open(digest) as file:
        return seal_of(file.fileno())


def test_a_file_is_sealed_however_it_comes(store: ArtifactStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(DATA)
    part = Part(number=0, sha256=hashlib.sha256(DATA).hexdigest())
    assert len(DATA) <= PART_BYTES

    def by_parts() -> None:
        store.uploads.put("owner", DIGEST, part, DATA)
        store.uploads.finish("owner", DIGEST, len(DATA))

    for come in (
        by_parts,
        lambda: store.put_file(tmp_path / "file"),
        lambda: store.put_stream(DIGEST, [DATA[:1000], DATA[1000:]]),
    ):
        come()
        assert noted(store) == xxh3_128(DATA).hexdigest()
        assert store.remove(DIGEST, aside=tmp_path / "aside", unused_since_ms=now_ms() + 60_000)


def test_a_small_file_has_no_seal(store: ArtifactStore) -> None:
    small = DATA[: LEAST_BYTES - 1]
    digest = "sha256:" + hashlib.sha256(small).hexdigest()
    store.put_stream(digest, [small])
    assert noted(store, digest) == ""


def test_what_is_no_seal_is_not_taken_for_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    with path.open("rb") as file:
        seal(file.fileno(), "no digits")
        assert seal_of(file.fileno()) == ""


def test_where_there_are_no_attributes_there_are_no_seals() -> None:
    with Path("/proc/self/status").open("rb") as file:
        seal(file.fileno(), "0" * 32)
        assert (seal_of(file.fileno()), ATTRIBUTE.startswith("user.")) == ("", True)
