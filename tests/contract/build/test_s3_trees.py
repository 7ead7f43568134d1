"""Buckets as volumes, on a real S3 API: listed, laid out, taken up again, and refused when they are not what was listed."""

import asyncio
import hashlib
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gigawatt.build.artifacts import ArtifactStore
from gigawatt.build.buckets import parse_bucket
from gigawatt.build.listings import Listed, encode_listing
from gigawatt.build.s3_client import connect_as
from gigawatt.build.s3_reader import Pace, Reader
from gigawatt.build.s3_trees import S3Trees
from gigawatt.build.secrets import Secret, SecretFiles
from gigawatt.build.wrapping import held_keys
from gigawatt.engine.local.datasets import Datasets, Tree
from gigawatt.model.refusal import RefusalCode, RefusalError
from tests.s3_server import BUCKET, PART_BYTES_MIN, S3Server, Wire, running_s3, wire_to

pytestmark = pytest.mark.slow

OWNER = "acme/default"
BIG = bytes(range(256)) * 1024  # 4 ranges
OBJECTS = {"lake/a.bin": BIG, "lake/train/b.txt": b"two", "lake/train/empty": b""}


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with running_s3() as running:
        yield running


@pytest.fixture
def wire(server: S3Server) -> Iterator[Wire]:
    put(server, OBJECTS)
    with wire_to(server) as running:
        yield running
    left = server.keys()
    with server.client() as client:
        for key in left:
            client.delete_object(Bucket=BUCKET, Key=key)


@pytest.fixture
def secrets(server: S3Server, wire: Wire, tmp_path: Path) -> SecretFiles:
    files = SecretFiles(tmp_path / "secrets", held_keys())
    value = f"{server.access_key}:{server.secret_key}"
    files.put(OWNER, Secret(name="lake", url=f"{wire.endpoint}/{BUCKET}", value=value))
    return files


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "store")


@pytest.fixture
def trees(store: ArtifactStore, secrets: SecretFiles, wire: Wire) -> S3Trees:
    pace = Pace(range_bytes=PART_BYTES_MIN, tries=2)
    return S3Trees(store, secrets, endpoints=(wire.endpoint,), pace=pace)


def put(server: S3Server, objects: dict[str, bytes]) -> None:
    with server.client() as client:
        for key, data in objects.items():
            client.put_object(Bucket=BUCKET, Key=key, Body=data)


def url(wire: Wire, prefix: str = "lake") -> str:
    return f"s3://{BUCKET}/{prefix}?endpoint={wire.endpoint}"


def listed(trees: S3Trees, store: ArtifactStore, wire: Wire) -> str:
    """The digest of what is there now."""
    data = encode_listing(trees.look(OWNER, url(wire), "lake"))
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    store.put_stream(digest, [data])
    return digest


def contents(place: Path) -> dict[str, bytes]:
    found = [path for path in place.rglob("*") if path.is_file()]
    return {f"lake/{path.relative_to(place)}": path.read_bytes() for path in found}


def test_a_listing_is_laid_out_read_only_and_the_same_objects_have_the_same_digest(
    trees: S3Trees, store: ArtifactStore, wire: Wire, tmp_path: Path
) -> None:
    digest = listed(trees, store, wire)
    assert listed(trees, store, wire) == digest
    place = trees.materialise(digest, tmp_path / "node" / "tree")
    assert contents(place) == OBJECTS
    modes = {oct(path.stat().st_mode & 0o777) for path in (place, *place.rglob("*"))}
    assert modes == {"0o444", "0o555"}


def test_a_later_listing_fetches_only_what_changed(
    trees: S3Trees, store: ArtifactStore, server: S3Server, wire: Wire, tmp_path: Path
) -> None:
    trees.materialise(listed(trees, store, wire), tmp_path / "node" / "one")
    put(server, {"lake/train/b.txt": b"three"})
    later = listed(trees, store, wire)
    before = wire.received
    place = trees.materialise(later, tmp_path / "node" / "two")
    assert contents(place) == {**OBJECTS, "lake/train/b.txt": b"three"}
    assert wire.received - before < 2_000  # not the big one again
    assert contents(tmp_path / "node" / "one") == OBJECTS


def test_a_wire_cut_in_the_middle_leaves_no_tree_and_what_was_whole_is_not_fetched_again(
    trees: S3Trees, store: ArtifactStore, server: S3Server, wire: Wire, tmp_path: Path
) -> None:
    put(server, {f"lake/many/{n}": bytes([n]) * PART_BYTES_MIN for n in range(40)})
    digest = listed(trees, store, wire)
    begun = wire.received
    wire.seen = lambda wire: wire.cut() if wire.received - begun > 25 * PART_BYTES_MIN else None
    target = tmp_path / "node" / "tree"
    with pytest.raises(RefusalError) as caught:
        trees.materialise(digest, target)
    assert caught.value.code is RefusalCode.UNAVAILABLE
    assert f"s3://{BUCKET}/lake at {wire.endpoint} cannot be reached" in caught.value.detail
    assert not target.exists()
    assert list((tmp_path / "node" / "objects").glob("??/*.part")) == []
    kept = len(list((tmp_path / "node" / "objects").glob("??/*")))
    assert kept > 0
    wire.mend()
    again = wire.received
    trees.materialise(digest, target)
    assert len(contents(target)) == 43
    whole = sum(map(len, OBJECTS.values())) + 40 * PART_BYTES_MIN
    assert wire.received - again < whole - (kept - 3) * PART_BYTES_MIN + 100_000


@pytest.mark.parametrize("how", ["changed", "gone"])
def test_an_object_that_changed_or_went_since_it_was_listed_is_refused(
    trees: S3Trees, server: S3Server, wire: Wire, tmp_path: Path, how: str
) -> None:
    digest = listed(trees, ArtifactStore(tmp_path / "store"), wire)
    with server.client() as client:
        if how == "gone":
            client.delete_object(Bucket=BUCKET, Key="lake/a.bin")
        else:
            client.put_object(Bucket=BUCKET, Key="lake/a.bin", Body=BIG[::-1])
    with pytest.raises(RefusalError) as caught:
        trees.materialise(digest, tmp_path / "tree")
    assert caught.value.code is RefusalCode.CONFLICT
    assert f"a.bin in s3://{BUCKET}/lake" in caught.value.detail
    assert f"has {how}" in caught.value.detail
    assert not (tmp_path / "tree").exists()


def test_wrong_keys_are_said_without_them_and_the_right_ones_count_at_once(
    trees: S3Trees, secrets: SecretFiles, server: S3Server, wire: Wire
) -> None:
    right = secrets.read(OWNER, "lake")
    for value, why in (
        (f"{server.access_key}:not-the-secret", "the secret key is wrong"),
        ("AKIANOBODY:whatever-it-is", "the access key is not known there"),
    ):
        secrets.put(OWNER, Secret(name="lake", url=right.url, value=value))
        with pytest.raises(RefusalError) as caught:
            trees.look(OWNER, url(wire), "lake")
        error = caught.value
        assert (error.code, error.field) == (RefusalCode.INVALID, "secret")
        assert why in error.detail
        assert not any(part in f"{error.detail} {error.hint}" for part in value.split(":"))
    secrets.put(OWNER, right)
    assert len(trees.look(OWNER, url(wire), "lake").objects) == 3


def test_a_secret_opens_only_the_address_that_it_is_for(
    trees: S3Trees, secrets: SecretFiles, wire: Wire
) -> None:
    right = secrets.read(OWNER, "lake")
    elsewhere = Secret(name="lake", url=f"{wire.endpoint}/{BUCKET}/other", value=right.value)
    secrets.put(OWNER, elsewhere)
    with pytest.raises(RefusalError) as caught:
        trees.look(OWNER, url(wire), "lake")
    assert (caught.value.code, caught.value.field) == (RefusalCode.FORBIDDEN, "secret")
    with pytest.raises(RefusalError) as caught:
        trees.look("other/default", url(wire), "lake")
    assert (caught.value.code, caught.value.field) == (RefusalCode.NOT_FOUND, "secret")


def test_without_a_secret_this_machines_own_keys_are_not_used(
    trees: S3Trees, server: S3Server, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_key)
    with pytest.raises(RefusalError):  # signed with them, it would be answered
        trees.look(OWNER, url(wire), "")


def test_what_this_machine_is_told_of_endpoints_is_not_for_tenants(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Amazon's own needs no entry among the allowed endpoints, so it must be Amazon's own that is asked."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    client: Any = connect_as(parse_bucket("s3://bucket/p", ()), {}, tries=1)
    assert client.meta.endpoint_url == "https://s3.amazonaws.com"
    client.close()


def test_what_does_not_fit_is_refused_before_the_first_byte(
    trees: S3Trees, store: ArtifactStore, wire: Wire, tmp_path: Path
) -> None:
    seen = trees.look(OWNER, url(wire), "lake")
    huge = Listed(path="huge", size=1 << 60, etag="0" * 32)
    data = encode_listing(replace(seen, objects=(*seen.objects[:1], huge)))
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    store.put_stream(digest, [data])
    received = wire.received
    with pytest.raises(RefusalError) as caught:
        trees.materialise(digest, tmp_path / "node" / "tree")
    assert caught.value.code is RefusalCode.DISK_FULL
    assert wire.received == received
    assert not (tmp_path / "node" / "tree").exists()


def test_keys_that_no_directory_can_hold_are_named(
    trees: S3Trees, server: S3Server, wire: Wire
) -> None:
    put(server, {"lake/a.bin/below": b"x", "lake/../up": b"x", "lake/dir/": b""})
    with pytest.raises(RefusalError) as caught:
        trees.look(OWNER, url(wire), "lake")
    assert caught.value.code is RefusalCode.INVALID
    assert "2 keys" in caught.value.detail
    assert "'../up', 'a.bin/below'" in caught.value.detail
    put(server, {"full/dir/": b"what no file can be"})
    with pytest.raises(RefusalError, match=r"1 keys below .*: 'dir/'"):
        trees.look(OWNER, url(wire, "full"), "lake")
    with pytest.raises(RefusalError, match="there is no object below"):
        trees.look(OWNER, url(wire, "nothing"), "lake")


def test_an_object_that_was_sent_in_parts_is_checked_too(
    trees: S3Trees, store: ArtifactStore, server: S3Server, wire: Wire, tmp_path: Path
) -> None:
    for more in (0, 1, PART_BYTES_MIN):  # even, uneven, and more parts than even ones would be
        sent = (b"1" * (PART_BYTES_MIN + more), b"2" * PART_BYTES_MIN, b"3")
        put_parts(server, sent)
        place = trees.materialise(listed(trees, store, wire), tmp_path / f"tree-{more}")
        assert (place / "parts").read_bytes() == b"".join(sent)


def put_parts(server: S3Server, sent: tuple[bytes, ...]) -> None:
    key = {"Bucket": BUCKET, "Key": "lake/parts"}
    with server.client() as client:
        upload = {**key, "UploadId": client.create_multipart_upload(**key)["UploadId"]}
        parts = [
            {
                "PartNumber": n,
                "ETag": client.upload_part(**upload, PartNumber=n, Body=data)["ETag"],
            }
            for n, data in enumerate(sent, 1)
        ]
        client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})


class Wrong(BaseHTTPRequestHandler):
    """A storage whose disk has gone bad: the ETag of one thing, the bytes of another."""

    def do_GET(self) -> None:
        self.send_response(206)
        self.send_header("ETag", f'"{hashlib.md5(b"right").hexdigest()}"')
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"wrong")

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


def test_bytes_that_are_not_those_of_the_etag_are_refused_and_not_kept(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Wrong) as bad:
        threading.Thread(target=bad.serve_forever).start()
        endpoint = f"http://127.0.0.1:{bad.server_port}"
        place = parse_bucket(f"s3://{BUCKET}/p?endpoint={endpoint}", (endpoint,))
        reader = Reader(place, connect_as(place, {}, tries=1))
        one = Listed(path="x", size=5, etag=hashlib.md5(b"right").hexdigest())
        with pytest.raises(RefusalError) as caught:
            reader.fetch(one, tmp_path / "x")
        bad.shutdown()
    assert caught.value.code is RefusalCode.DIGEST_MISMATCH
    assert list(tmp_path.iterdir()) == []


def test_what_no_tree_links_to_any_more_leaves_the_node(
    trees: S3Trees, store: ArtifactStore, wire: Wire, tmp_path: Path
) -> None:
    digest = listed(trees, store, wire)
    kept: set[str] = {digest}
    data = Datasets(tmp_path, trees.materialise, stored=kept.__contains__)
    asyncio.run(data.fetch(Tree(node="n1", digest=digest, size_bytes=len(BIG))))
    objects = tmp_path / "nodes" / "n1" / "data" / "objects"
    files = list(objects.glob("??/*"))
    assert len(files) == 3
    for each in files:
        os.utime(each, (0, 0))
    data.sweep()
    assert len(list(objects.glob("??/*"))) == 3
    kept.clear()
    data.sweep()
    assert list(objects.glob("??/*")) == []
    data.close()
