"""Small files go to the store many at a time, each proven, and only those that it lacks."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.sdk.client import Client
from gigawatt.sdk.errors import ApiError
from gigawatt.sdk.small_files import PACK_FILES, SmallFile, send_small
from tests.s3_server import Wire
from tests.surface.api.served import served_site

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, Wire]]:
    with served_site(tmp_path_factory.mktemp("site")) as (url, key):
        wire = Wire(int(url.rpartition(":")[2]))
        wire.start()
        try:
            with Client(api_url=wire.endpoint, token=key) as client:
                yield client, wire
        finally:
            wire.close()


@pytest.fixture(autouse=True)
def own_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Digests are remembered in a cache directory of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    place = tmp_path / "many"
    place.mkdir()
    for number in range(PACK_FILES + 20):
        (place / f"{number}.dat").write_bytes(os.urandom(40))
    (place / "same.dat").write_bytes((place / "0.dat").read_bytes())
    (place / "empty").write_bytes(b"")
    (place / "large.dat").write_bytes(os.urandom(1 << 20))
    return place


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def pack_of(*files: tuple[str, int], data: bytes) -> bytes:
    listed = [{"digest": digest, "size": size} for digest, size in files]
    return json.dumps({"files": listed}).encode() + b"\n" + data


def put(client: Client, body: bytes) -> Any:
    return client._transport.upload("/v1/packs", lambda: [body], len(body), {})


def held(directory: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in directory.iterdir()}


def test_a_model_of_many_files_goes_in_a_few_requests(
    served: tuple[Client, Wire], files: Path, tmp_path: Path
) -> None:
    client, wire = served
    told: list[tuple[int, int]] = []
    before = wire.sent
    client.models.push("many", files, progress=lambda through, total: told.append((through, total)))
    size = sum(each.stat().st_size for each in files.iterdir())
    assert wire.sent - before < size + 400 * len(list(files.iterdir()))
    assert told[-1] == (size, size)
    client.models.export("many", tmp_path / "out")
    assert held(tmp_path / "out") == held(files)
    (files / "1.dat").write_bytes(b"another")
    assert client.artifacts.send_tree(files).sent_bytes == len(b"another")


def test_a_data_set_of_many_files_sends_what_is_lacking(
    served: tuple[Client, Wire], files: Path, tmp_path: Path
) -> None:
    client, _ = served
    client.volumes.push("many", files)
    (files / "1.dat").write_bytes(b"yet another")
    client.volumes.push("many", files)
    client.volumes.pull("many", tmp_path / "out")
    assert held(tmp_path / "out") == held(files)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"no json\nabc", 422),
        (b"[" * 100_000, 422),
        (pack_of(data=b""), 422),
        (pack_of((digest_of(b"abc"), 3), data=b"ab"), 422),
        (pack_of((digest_of(b"abc"), 3), data=b"abcd"), 422),
        (pack_of((digest_of(b"abc"), 3), data=b"abx"), 422),
        (pack_of(("abc", 3), data=b"abc"), 422),
    ],
)
def test_what_is_no_pack_is_refused(served: tuple[Client, Wire], body: bytes, status: int) -> None:
    client, _ = served
    with pytest.raises(ApiError) as refused:
        put(client, body)
    assert refused.value.problem.status == status
    assert not client.artifacts.has(digest_of(b"abx"), kind="file")


def test_a_pack_says_what_is_new(served: tuple[Client, Wire]) -> None:
    client, _ = served
    body = pack_of((digest_of(b"one"), 3), (digest_of(b"four"), 4), data=b"onefour")
    assert put(client, body) == {"files": 2, "new": 2}
    assert put(client, body) == {"files": 2, "new": 0}
    assert client.artifacts.has(digest_of(b"four"), kind="file")


def test_a_file_that_changes_while_it_is_sent_is_refused(
    served: tuple[Client, Wire], tmp_path: Path
) -> None:
    client, _ = served
    (tmp_path / "file").write_bytes(b"more than it had")
    file = SmallFile(path=tmp_path / "file", digest=digest_of(b"it had"), size=6)
    with pytest.raises(RefusalError) as refused:
        send_small(client._transport, [file], {}, lambda _: None)
    assert refused.value.code is RefusalCode.CONFLICT
