"""Trees over HTTP alone: large files in ranges side by side, small ones many in an answer, breaks gone on from."""

import hashlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.sdk import ranges
from gigawatt.sdk.client import Client
from gigawatt.sdk.errors import ApiError
from gigawatt.sdk.fetch import fetch_tree
from gigawatt.service.artifacts import PACK_FILES_MAX
from tests.s3_server import Wire
from tests.surface.api.served import served_site

pytestmark = pytest.mark.slow

LARGE = hashlib.shake_128(b"seed").digest(4096) * (3 * ranges.RANGE_BYTES // 4096) + b"end"
SMALL = {f"d{number % 7}/{number:04}": b"%d" % number for number in range(PACK_FILES_MAX + 100)}


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


@pytest.fixture(scope="module")
def tree(served: tuple[Client, Wire], tmp_path_factory: pytest.TempPathFactory) -> str:
    place = tmp_path_factory.mktemp("tree")
    for name, data in {**SMALL, "empty": b"", "large": LARGE}.items():
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_bytes(data)
    (place / "d0" / "0000").chmod(0o755)
    return served[0].artifacts.send_tree(place).digest


def test_a_tree_comes_whole_and_in_few_requests(
    served: tuple[Client, Wire], tree: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client, _ = served
    caplog.set_level("INFO", logger="httpx2")
    told: list[int] = []
    fetch_tree(client._transport, tree, tmp_path, progress=lambda through, _: told.append(through))
    asked = [each.getMessage() for each in caplog.records if "GET" in each.getMessage()]
    assert len(asked) < 20
    assert {name: (tmp_path / name).read_bytes() for name in SMALL} == SMALL
    assert ((tmp_path / "empty").read_bytes(), (tmp_path / "large").read_bytes()) == (b"", LARGE)
    assert (tmp_path / "d0" / "0000").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "d0" / "0007").stat().st_mode & 0o777 == 0o644
    assert told == sorted(told)
    assert told[-1] == sum(map(len, SMALL.values())) + len(LARGE)
    assert not list(tmp_path.rglob("*part"))


def test_only_what_is_not_there_is_asked_for(
    served: tuple[Client, Wire], tree: str, tmp_path: Path
) -> None:
    client, wire = served
    fetch_tree(client._transport, tree, tmp_path)
    (tmp_path / "d3" / "0003").unlink()
    (tmp_path / "d5" / "0012").unlink()
    before = wire.received
    fetch_tree(client._transport, tree, tmp_path)
    assert {name: (tmp_path / name).read_bytes() for name in SMALL} == SMALL
    assert wire.received - before < len(LARGE)


def test_ranges_are_asked_for_side_by_side_and_go_on_after_a_break(
    served: tuple[Client, Wire], tree: str, tmp_path: Path
) -> None:
    client, wire = served
    (tmp_path / "large.gigawatt-part").write_bytes(LARGE[:1000])
    start, cut = wire.received, threading.Event()

    def seen(wire: Wire) -> None:
        if wire.received - start > ranges.RANGE_BYTES and not cut.is_set():
            cut.set()
            wire.cut()
            threading.Timer(0.3, wire.mend).start()

    wire.seen = seen
    try:
        fetch_tree(client._transport, tree, tmp_path)
    finally:
        wire.seen = lambda _: None
    assert cut.is_set()
    assert (tmp_path / "large").read_bytes() == LARGE


@pytest.mark.parametrize(
    ("query", "status", "detail"),
    [
        ("start=0&stop=1001", 413, "1001 files"),
        ("start=5&stop=5", 422, "files 5 to 5 of a tree of 1102"),
        ("start=0&stop=1103", 422, "files 0 to 1103 of a tree of 1102"),
        ("start=-1&stop=5", 422, ""),
        ("start=0", 422, ""),
    ],
)
def test_what_a_tree_does_not_have_or_is_too_much_is_refused(
    served: tuple[Client, Wire], tree: str, query: str, status: int, detail: str
) -> None:
    transport = served[0]._transport
    with pytest.raises(ApiError) as refused:
        transport.read(f"/v1/artifacts/{tree}/files", dict(parse_qsl(query)))
    assert refused.value.problem.status == status
    assert detail in refused.value.problem.detail


def test_files_of_what_is_no_tree_are_not_found(served: tuple[Client, Wire]) -> None:
    client, _ = served
    digest = client.artifacts.send_bytes(json.dumps({"files": []}).encode()).digest
    with pytest.raises(ApiError) as refused:
        client._transport.read(f"/v1/artifacts/{digest}/files", {"start": 0, "stop": 1})
    assert refused.value.problem.status == 404


def test_a_file_of_a_pack_that_is_not_what_it_was_is_noticed(
    tmp_path: Path,
) -> None:
    (tmp_path / "site").mkdir()
    with served_site(tmp_path / "site") as (url, key), Client(api_url=url, token=key) as client:
        (tmp_path / "two").mkdir()
        for name in ("a", "b"):
            (tmp_path / "two" / name).write_bytes(name.encode())
        digest = client.artifacts.send_tree(tmp_path / "two").digest
        name = hashlib.sha256(b"b").hexdigest()
        stored = next((tmp_path / "site").rglob(f"sha256/{name[:2]}/{name}"))
        stored.chmod(0o644)
        stored.write_bytes(b"c")
        with pytest.raises(RefusalError) as refused:
            fetch_tree(client._transport, digest, tmp_path / "out")
        assert refused.value.code is RefusalCode.DIGEST_MISMATCH
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["a"]


def test_a_server_without_ranges_is_refused(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    with served_site(tmp_path / "site") as (url, key), Client(api_url=url, token=key) as client:
        wanted = ranges.Wanted(path="/v1/instance", params={}, start=0, end=10)
        with pytest.raises(RefusalError, match="does not answer ranges"):
            list(ranges.in_order(client._transport, wanted))
