"""S3 that fails in the middle, sends wrong bytes, or does not let us in: a clear word, and nothing half kept."""

import asyncio
import hashlib
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from gigawatt.build.artifacts import ArtifactStore
from gigawatt.build.remote import OWNER
from gigawatt.build.s3 import S3, Pace
from gigawatt.build.s3_client import connect, parse_place
from gigawatt.model.refusal import RefusalCode, RefusalError
from tests.s3_server import BUCKET, PART_BYTES_MIN, S3Server, Wire, running_s3, wire_to

pytestmark = pytest.mark.slow

DATA = bytes(range(256)) * 4096  # 16 parts
DIGEST = "sha256:" + hashlib.sha256(DATA).hexdigest()
KEY = f"p/sha256/{DIGEST[7:9]}/{DIGEST[7:]}"
OWNER_KEY = f"p/{OWNER}"


@pytest.fixture
def server() -> Iterator[S3Server]:
    with running_s3() as running:
        yield running


@pytest.fixture
def wire(server: S3Server) -> Iterator[Wire]:
    with wire_to(server) as running:
        yield running


@contextmanager
def remote_at(endpoint: str, keys: Path, state: Path, *, bucket: str = BUCKET) -> Generator[S3]:
    place = parse_place(f"s3://{bucket}/p?endpoint={endpoint}")
    pace = Pace(part_bytes=PART_BYTES_MIN, tries=2)
    with closing(connect(place, str(keys), tries=2)) as client:
        yield S3(place, client, state=state, pace=pace)


@pytest.fixture
def remote(server: S3Server, wire: Wire, tmp_path: Path) -> Iterator[S3]:
    keys = server.credentials(tmp_path / "keys")
    with remote_at(wire.endpoint, keys, tmp_path / "state") as remote:
        yield remote


@pytest.fixture
def store(remote: S3, tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "store", remote)


def here(store: ArtifactStore) -> list[Path]:
    """Files of artifacts, or parts of them; marks of what was wanted are none."""
    root = store.path(DIGEST).parents[2]
    marks = root / "used"
    return [path for path in root.rglob("*") if path.is_file() and not path.is_relative_to(marks)]


def refused(store: ArtifactStore) -> RefusalError:
    with pytest.raises(RefusalError) as caught:
        store.put_stream(DIGEST, [DATA])
    return caught.value


def test_a_wire_that_is_cut_in_the_middle_of_an_upload(
    server: S3Server, wire: Wire, remote: S3, store: ArtifactStore, tmp_path: Path
) -> None:
    wire.seen = lambda wire: wire.cut() if wire.sent > 5 * PART_BYTES_MIN else None
    error = refused(store)
    assert error.code is RefusalCode.UNAVAILABLE
    assert f"s3://{BUCKET}/p at {wire.endpoint} cannot be reached" in error.detail
    assert here(store) == []
    assert server.keys() == []
    assert server.uploads() == 1  # there was no way to take it back
    wire.mend()
    assert remote.sweep() == 1  # as the next start does
    assert (server.uploads(), list((tmp_path / "state").iterdir())) == (0, [])
    store.put_stream(DIGEST, [DATA])
    assert (server.keys(), server.uploads()) == ([KEY], 0)


def test_an_upload_that_is_refused_in_the_middle_is_taken_back_at_once(
    server: S3Server, wire: Wire, store: ArtifactStore, tmp_path: Path
) -> None:
    def break_once(wire: Wire) -> None:
        if wire.sent > 5 * PART_BYTES_MIN:
            wire.mend()
            with server.client() as client:
                for upload in client.list_multipart_uploads(Bucket=BUCKET)["Uploads"]:
                    name = {"Key": upload["Key"], "UploadId": upload["UploadId"]}
                    client.abort_multipart_upload(Bucket=BUCKET, **name)

    wire.seen = break_once
    assert refused(store).code is RefusalCode.UNAVAILABLE
    assert (server.keys(), server.uploads(), here(store)) == ([], 0, [])
    assert list((tmp_path / "state").iterdir()) == []


def test_a_server_that_is_killed_in_the_middle_of_an_upload(
    server: S3Server, wire: Wire, store: ArtifactStore
) -> None:
    wire.seen = lambda wire: server.kill() if wire.sent > 5 * PART_BYTES_MIN else None
    error = refused(store)
    assert error.code is RefusalCode.UNAVAILABLE
    assert "nothing was half kept" in error.hint
    assert here(store) == []


def test_a_server_that_is_killed_in_the_middle_of_a_download(
    server: S3Server, wire: Wire, remote: S3, store: ArtifactStore, tmp_path: Path
) -> None:
    store.put_stream(DIGEST, [DATA])
    other = ArtifactStore(tmp_path / "other", remote)
    begin = wire.received
    wire.seen = lambda wire: server.kill() if wire.received - begin > 5 * PART_BYTES_MIN else None
    with pytest.raises(RefusalError) as caught:
        other.ready(DIGEST)
    assert caught.value.code is RefusalCode.UNAVAILABLE
    assert here(other) == []
    assert store.ready(DIGEST).read_bytes() == DATA  # what is cached needs no storage


def test_a_download_that_breaks_off_is_taken_up_where_it_broke(
    wire: Wire, remote: S3, store: ArtifactStore, tmp_path: Path
) -> None:
    store.put_stream(DIGEST, [DATA])
    begin = wire.received

    def break_once(wire: Wire) -> None:
        if wire.received - begin > 5 * PART_BYTES_MIN:
            wire.cut()
            wire.mend()

    wire.seen = break_once
    other = ArtifactStore(tmp_path / "other", remote)
    assert other.ready(DIGEST).read_bytes() == DATA


def test_wrong_bytes_are_not_taken(
    server: S3Server, remote: S3, store: ArtifactStore, tmp_path: Path
) -> None:
    store.put_stream(DIGEST, [DATA])
    with server.client() as client:
        client.put_object(Bucket=BUCKET, Key=KEY, Body=DATA[:-1] + b"x")
    other = ArtifactStore(tmp_path / "other", remote)
    with pytest.raises(RefusalError) as caught:
        other.open(DIGEST)
    assert caught.value.code is RefusalCode.DIGEST_MISMATCH
    assert f"has other bytes under the name {DIGEST}" in caught.value.detail
    assert here(other) == []


def test_wrong_keys_and_a_missing_bucket_are_told_apart_and_hold_no_secret(
    server: S3Server, tmp_path: Path
) -> None:
    good = server.credentials(tmp_path / "good")
    wrong = server.credentials(tmp_path / "wrong", secret="no-such-secret-at-all")
    unknown = tmp_path / "unknown"
    unknown.touch(mode=0o600)
    unknown.write_text(wrong.read_text().replace(server.access_key, "NOSUCHKEY"))
    said: list[str] = []
    for keys, bucket in ((wrong, BUCKET), (unknown, BUCKET), (good, "no-such-bucket")):
        with (
            remote_at(server.endpoint, keys, tmp_path / "state", bucket=bucket) as remote,
            pytest.raises(RefusalError) as caught,
        ):
            ArtifactStore(tmp_path / "store", remote).settle()
        assert caught.value.code is RefusalCode.UNAVAILABLE
        assert caught.value.field == "artifacts_url"
        said.append(caught.value.detail.rpartition(": ")[2])
        text = f"{caught.value.detail} {caught.value.hint} {caught.value.__context__!r}"
        assert server.secret_key not in text
        assert "no-such-secret" not in text
        assert not list((tmp_path / "store").rglob("kept-in"))
    assert said == [
        "the secret key is wrong",
        "the access key is not known there",
        "there is no such bucket",
    ]


def test_a_store_that_moves_to_s3_takes_along_what_it_has(
    server: S3Server, remote: S3, tmp_path: Path
) -> None:
    ArtifactStore(tmp_path / "store").put_stream(DIGEST, [DATA])
    moved = ArtifactStore(tmp_path / "store", remote)
    moved.settle()
    assert server.keys() == [OWNER_KEY, KEY]
    server.kill()
    ArtifactStore(tmp_path / "store", remote).settle()  # known already: nothing is asked of it
    with pytest.raises(RefusalError) as caught:
        ArtifactStore(tmp_path / "store").settle()
    assert caught.value.code is RefusalCode.CONFLICT
    assert "kept in s3://artifacts/p" in caught.value.detail


def test_trees_are_laid_out_from_storage_and_many_who_ask_fetch_once(
    wire: Wire, remote: S3, store: ArtifactStore, tmp_path: Path
) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "w.bin").write_bytes(DATA)
    digest = store.put_tree(tmp_path / "tree").digest
    other = ArtifactStore(tmp_path / "other", remote)
    begin = wire.received

    async def ask() -> list[Path]:
        return await asyncio.gather(
            *(asyncio.to_thread(other.materialise, digest) for _ in range(5))
        )

    places = asyncio.run(ask())
    assert {(place / "w.bin").read_bytes() for place in places} == {DATA}
    assert wire.received - begin < 1.5 * len(DATA)
    for place in (*tmp_path.glob("*/trees/*"),):
        place.chmod(0o755)
