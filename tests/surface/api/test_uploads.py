"""Large files part by part: taken up where a push broke, over a restart of the instance, and registered once, whole."""

import hashlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gigawatt.build.uploads import PART_BYTES
from gigawatt.model.refusal import RefusalError
from gigawatt.model.tenant import Role
from gigawatt.sdk.client import Client
from gigawatt.sdk.errors import ApiError, UnreachableError
from gigawatt.sdk.transport import Transport
from tests.s3_server import Wire
from tests.surface.api.conftest import Play
from tests.surface.api.served import served_site
from tests.surface.api.site import Site

pytestmark = pytest.mark.slow

DATA = hashlib.shake_128(b"seed").digest(4096) * (3 * PART_BYTES // 4096) + b"end"  # four parts
DIGEST = "sha256:" + hashlib.sha256(DATA).hexdigest()
PARTS = f"/v1/artifacts/{DIGEST}/parts"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "w.dat").write_bytes(DATA)
    return tmp_path / "weights" / "w.dat"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "site").mkdir()
    return tmp_path / "site"


@contextmanager
def reached(place: Path) -> Generator[tuple[Client, Wire]]:
    """A client whose every byte goes through a wire."""
    with served_site(place) as (url, key):
        wire = Wire(int(url.rpartition(":")[2]))
        wire.start()
        try:
            with Client(api_url=wire.endpoint, token=key) as client:
                client._transport.patience_s = 0.0
                yield client, wire
        finally:
            wire.close()


def part(number: int) -> tuple[bytes, str]:
    data = DATA[number * PART_BYTES : (number + 1) * PART_BYTES]
    return data, hashlib.sha256(data).hexdigest()


def test_a_push_that_broke_goes_on_where_it_was_after_a_restart(
    place: Path, file: Path, tmp_path: Path
) -> None:
    with reached(place) as (client, wire):
        wire.seen = lambda wire: wire.cut() if wire.sent > 2.5 * PART_BYTES else None
        with pytest.raises(UnreachableError):
            client.models.push("m", file.parent)
        wire.mend()
        with pytest.raises(ApiError, match="there is no model m"):
            client.models.find("m")
        assert not client.artifacts.has(DIGEST, kind="file")
    with reached(place) as (client, wire):
        there = [each["number"] for each in client._transport.read(PARTS)["parts"]]
        assert there
        lacking = len(DATA) - sum(len(part(number)[0]) for number in there)
        told: list[tuple[int, int]] = []
        client.models.push(
            "m", file.parent, progress=lambda through, total: told.append((through, total))
        )
        assert wire.sent < lacking + (1 << 20)
        assert told[-1] == (len(DATA), len(DATA))
        assert [through for through, _ in told] == sorted(through for through, _ in told)
        assert client.artifacts.send_file(file).sent_bytes == 0
        client.models.export("m", tmp_path / "out")
    assert (tmp_path / "out" / "w.dat").read_bytes() == DATA


def test_a_part_that_rots_while_it_waits_is_sent_again(place: Path, file: Path) -> None:
    with reached(place) as (client, wire):
        for number in range(3):
            data, sha256 = part(number)
            client._transport.upload(
                f"{PARTS}/{number}", lambda data=data: [data], len(data), {"sha256": sha256}
            )
        held = next((place / "artifacts" / "uploads").rglob("data"))
        with held.open("r+b") as stored:
            stored.seek(PART_BYTES)
            stored.write(b"rot")
        before = wire.sent
        assert client.artifacts.send_file(file).sent_bytes == PART_BYTES + 3
        assert wire.sent - before < 1.5 * PART_BYTES
        assert client.artifacts.has(DIGEST, kind="file")


def test_a_file_that_shrinks_while_it_is_sent_is_not_stored(place: Path, file: Path) -> None:
    with reached(place) as (client, wire):

        def shrink(wire: Wire) -> None:
            if wire.sent > PART_BYTES:
                with file.open("r+b") as writer:
                    writer.truncate(2 * PART_BYTES)

        wire.seen = shrink
        with pytest.raises(RefusalError, match="has fewer now"):
            client.artifacts.send_file(file)
        assert not client.artifacts.has(DIGEST, kind="file")


@pytest.fixture
def transport(place: Path) -> Iterator[Transport]:
    with reached(place) as (client, _):
        yield client._transport


def test_parts_are_refused_that_are_not_what_they_are_called(transport: Transport) -> None:
    data, sha256 = part(0)
    for path, body, digest, said in (
        (f"{PARTS}/0", b"other", sha256, "these bytes have the digest"),
        (f"{PARTS}/0", bytes(PART_BYTES + 1), sha256, "a part has at most"),
        (f"{PARTS}/1000000", data, sha256, "lies beyond the"),
        (f"{PARTS}/-1", data, sha256, "must be at least 0"),
        (f"{PARTS}/0", data, "short", "sha256"),
    ):
        with pytest.raises(ApiError) as refused:
            transport.upload(path, lambda body=body: [body], len(body), {"sha256": digest})
        assert refused.value.problem.status in {413, 422}
        assert said in f"{refused.value.problem.detail} {refused.value.problem.field}"
    assert transport.read(PARTS)["parts"] == []
    with pytest.raises(ApiError, match="1 parts are not here yet: 0"):
        transport.upload(PARTS, list, 0, {"size": "5"})
    with pytest.raises(ApiError, match="more than the"):
        transport.upload(PARTS, list, 0, {"size": str(1 << 50)})


def test_viewers_send_nothing(play: Play) -> None:
    async def scenario(site: Site) -> None:
        key = await site.make_key(Role.VIEWER)
        data, sha256 = part(3)
        for method, path, body in (
            ("GET", PARTS, None),
            ("PUT", f"{PARTS}/3?sha256={sha256}", data),
            ("PUT", f"{PARTS}?size=3", b""),
        ):
            response = await site.call(method, path, body, key=key)
            assert response.status_code == 403, path

    play(scenario)
