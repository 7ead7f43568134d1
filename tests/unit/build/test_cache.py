"""The cache of a remote place: the longest unused go, what is linked, asked for or needed stays, and nothing is lost."""

import hashlib
import os
from pathlib import Path

import pytest

from gigawatt.build.artifacts import ArtifactStore
from gigawatt.build.cache import GRACE_MS
from gigawatt.build.remote import SharedDirectory
from gigawatt.clock import now_ms

SIZE = 1_000


def data_of(number: int) -> bytes:
    return hashlib.shake_128(str(number).encode()).digest(SIZE)


def digest_of(number: int) -> str:
    return "sha256:" + hashlib.sha256(data_of(number)).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    remote = SharedDirectory(tmp_path / "remote")
    return ArtifactStore(tmp_path / "store", remote, cache_bytes_max=5 * SIZE)


def put(store: ArtifactStore, number: int) -> None:
    """Files of lower numbers were used before those of higher ones, all of them a while ago."""
    store.put_stream(digest_of(number), [data_of(number)])
    age(store, number, GRACE_MS + 100_000 - number * 1_000)


def age(store: ArtifactStore, number: int, ms: int) -> None:
    os.utime(store.path(digest_of(number)), (0, (now_ms() - ms) / 1000))


def here(store: ArtifactStore) -> list[int]:
    return [number for number in range(20) if digest_of(number) in store.contents()]


def test_the_longest_unused_go_and_come_back_when_they_are_asked_for(store: ArtifactStore) -> None:
    for number in range(6):
        put(store, number)
    assert here(store) == [2, 3, 4, 5]  # room is made for a little more than what comes
    put(store, 6)
    assert here(store) == [2, 3, 4, 5, 6]
    assert store.ready(digest_of(0)).read_bytes() == data_of(0)
    assert 0 in here(store)
    assert len(here(store)) * SIZE <= 5 * SIZE


def test_what_was_asked_for_just_now_stays(store: ArtifactStore) -> None:
    for number in range(5):
        put(store, number)
    store.ready(digest_of(0))
    put(store, 5)
    put(store, 6)
    assert 0 in here(store)
    assert 1 not in here(store)


def test_what_is_laid_out_and_what_live_work_reads_stays(
    store: ArtifactStore, tmp_path: Path
) -> None:
    for number in range(5):
        put(store, number)
    (tmp_path / "link").hardlink_to(store.path(digest_of(0)))
    store.cache.spare(lambda digest: digest == digest_of(1))
    put(store, 5)
    put(store, 6)
    assert here(store)[:2] == [0, 1]
    assert 2 not in here(store)


def test_without_another_place_or_a_limit_nothing_goes(tmp_path: Path) -> None:
    alone = ArtifactStore(tmp_path / "alone", cache_bytes_max=SIZE)
    free = ArtifactStore(tmp_path / "free", SharedDirectory(tmp_path / "remote"))
    for number in range(8):
        put(alone, number)
        put(free, number)
    assert here(alone) == here(free) == list(range(8))
