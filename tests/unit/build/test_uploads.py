"""Parts on their way in: kept over restarts, proven one by one and together, told apart by owner."""

import hashlib
from pathlib import Path

import pytest

from gigawatt.build.artifacts import ArtifactStore
from gigawatt.build.uploads import OPEN_MAX, PART_BYTES, STALE_MS, Part
from gigawatt.clock import now_ms
from gigawatt.model.refusal import RefusalCode, RefusalError

DATA = bytes(range(256)) * (PART_BYTES // 256) + b"the last part is shorter"
DIGEST = "sha256:" + hashlib.sha256(DATA).hexdigest()


def part(number: int) -> tuple[Part, bytes]:
    data = DATA[number * PART_BYTES : (number + 1) * PART_BYTES]
    return Part(number=number, sha256=hashlib.sha256(data).hexdigest()), data


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "store")


def put(store: ArtifactStore, *numbers: int, owner: str = "t", digest: str = DIGEST) -> None:
    for number in numbers:
        store.uploads.put(owner, digest, *part(number))


def refused(store: ArtifactStore, owner: str = "t", digest: str = DIGEST) -> RefusalError:
    with pytest.raises(RefusalError) as caught:
        store.uploads.finish(owner, digest, len(DATA))
    return caught.value


def test_parts_in_any_order_and_over_a_restart_make_the_file(
    store: ArtifactStore, tmp_path: Path
) -> None:
    put(store, 1)
    again = ArtifactStore(tmp_path / "store")
    again.sweep()
    assert again.uploads.parts("t", DIGEST) == (part(1)[0],)
    put(again, 0)
    again.uploads.finish("t", DIGEST, len(DATA))
    assert again.ready(DIGEST).read_bytes() == DATA
    assert again.ready(DIGEST).stat().st_mode & 0o777 == 0o444
    assert again.uploads.parts("t", DIGEST) == ()
    assert not list((tmp_path / "store" / "uploads").glob("*/*"))


def test_what_is_missing_is_named(store: ArtifactStore) -> None:
    error = refused(store)
    assert (error.code, error.detail) == (
        RefusalCode.CONFLICT,
        "2 parts are not here yet: 0, 1",
    )
    put(store, 0)
    assert refused(store).detail == "1 parts are not here yet: 1"


def test_what_another_owner_sent_does_not_count(store: ArtifactStore) -> None:
    put(store, 0, 1, owner="a")
    assert store.uploads.parts("b", DIGEST) == ()
    put(store, 0, owner="b")
    assert refused(store, "b").code is RefusalCode.CONFLICT
    store.uploads.finish("a", DIGEST, len(DATA))
    assert refused(store, "b").code is RefusalCode.CONFLICT


def test_a_part_that_is_not_what_it_is_called_is_not_kept(store: ArtifactStore) -> None:
    for data, code in (
        (b"other", RefusalCode.DIGEST_MISMATCH),
        (b"", RefusalCode.INVALID),
        (bytes(PART_BYTES + 1), RefusalCode.TOO_LARGE),
    ):
        with pytest.raises(RefusalError) as caught:
            store.uploads.put("t", DIGEST, part(0)[0], data)
        assert caught.value.code is code
    assert store.uploads.parts("t", DIGEST) == ()


def test_a_part_that_was_damaged_here_is_asked_for_again_and_the_others_stay(
    store: ArtifactStore, tmp_path: Path
) -> None:
    put(store, 0, 1)
    held = next((tmp_path / "store" / "uploads").rglob("data"))
    with held.open("r+b") as file:
        file.write(b"x")
    assert refused(store).detail == "1 parts are not here yet: 0"
    assert store.uploads.parts("t", DIGEST) == (part(1)[0],)
    put(store, 0)
    store.uploads.finish("t", DIGEST, len(DATA))


def test_parts_of_another_file_are_dropped(store: ArtifactStore) -> None:
    wrong = "sha256:" + "0" * 64
    put(store, 0, 1, digest=wrong)
    assert refused(store, digest=wrong).code is RefusalCode.DIGEST_MISMATCH
    assert store.uploads.parts("t", wrong) == ()
    assert not store.exists(wrong)


def test_a_line_that_a_crash_cut_off_does_not_count(store: ArtifactStore, tmp_path: Path) -> None:
    put(store, 0)
    with next((tmp_path / "store" / "uploads").rglob("parts")).open("a") as notes:
        notes.write("1 abc")
    assert store.uploads.parts("t", DIGEST) == (part(0)[0],)


def test_there_are_only_so_many_open_uploads_and_old_ones_go(store: ArtifactStore) -> None:
    small = Part(number=0, sha256=hashlib.sha256(b"x").hexdigest())
    for number in range(OPEN_MAX):
        store.uploads.put("t", f"sha256:{number:064x}", small, b"x")
    with pytest.raises(RefusalError) as caught:
        store.uploads.put("t", DIGEST, small, b"x")
    assert caught.value.code is RefusalCode.LIMIT
    store.uploads.put("another", DIGEST, small, b"x")
    assert store.uploads.sweep(now_ms()) == 0
    assert store.uploads.sweep(now_ms() + STALE_MS + 60_000) == OPEN_MAX + 1
    store.uploads.put("t", DIGEST, small, b"x")
