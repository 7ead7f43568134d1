"""Files that change hands with an instance on this machine: open, proven, and no way to what a client cannot read."""

import hashlib
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gigawatt.build.seals import ATTRIBUTE
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.sdk.client import Client
from gigawatt.sdk.errors import ApiError
from gigawatt.sdk.handoff import LEAST_BYTES, Handoff, HandoffLostError, connect
from tests.s3_server import Wire
from tests.surface.api.served import served_site

pytestmark = pytest.mark.slow

DATA = hashlib.shake_128(b"seed").digest(4096) * (3 * LEAST_BYTES // 4096) + b"end"
DIGEST = "sha256:" + hashlib.sha256(DATA).hexdigest()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("a-directory-with-a-name-that-no-socket-could-have" * 3)


@pytest.fixture(scope="module")
def served(place: Path) -> Iterator[tuple[Client, Wire]]:
    """A client whose every byte by HTTP goes through a wire."""
    with served_site(place, handoff=True) as (url, key):
        wire = Wire(int(url.rpartition(":")[2]))
        wire.start()
        try:
            with Client(api_url=wire.endpoint, token=key) as client:
                yield client, wire
        finally:
            wire.close()


@pytest.fixture
def handoff(served: tuple[Client, Wire]) -> Handoff:
    found = served[0]._transport.handoff
    assert found is not None
    return found


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "m" / "deep").mkdir(parents=True)
    (tmp_path / "m" / "w.dat").write_bytes(DATA)
    (tmp_path / "m" / "deep" / "small.dat").write_bytes(b"small")
    (tmp_path / "m" / "run.dat").write_bytes(DATA[:-1])
    (tmp_path / "m" / "run.dat").chmod(0o755)
    return tmp_path / "m"


def blob(place: Path, data: bytes) -> Path:
    name = hashlib.sha256(data).hexdigest()
    return place / "artifacts" / "sha256" / name[:2] / name


def asked(handoff: Handoff, message: bytes, *descriptors: int) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.settimeout(30)
        connect(connection, Path(handoff.path))
        socket.send_fds(connection, [message], descriptors)
        data, given, _, _ = socket.recv_fds(connection, 65_536, 4)
        assert given == []
        return json.loads(data)


def test_large_files_come_and_go_without_their_bytes_on_the_wire(
    served: tuple[Client, Wire], files: Path, tmp_path: Path
) -> None:
    client, wire = served
    before = wire.sent + wire.received
    told: list[tuple[int, int]] = []
    view = client.models.push(
        "m", files, progress=lambda through, total: told.append((through, total))
    )
    client.models.export("m", tmp_path / "out")
    assert wire.sent + wire.received - before < 100_000
    total = 2 * len(DATA) + 4
    assert (view["size_bytes"], told[-1]) == (total, (total, total))
    assert (tmp_path / "out" / "w.dat").read_bytes() == DATA
    assert (tmp_path / "out" / "run.dat").stat().st_mode & 0o111
    assert (tmp_path / "out" / "deep" / "small.dat").read_bytes() == b"small"
    assert client.artifacts.send_file(files / "w.dat").sent_bytes == 0
    by_bytes = replace(client.address, local=False)
    with Client(api_url=by_bytes.api_url, token=by_bytes.token) as other:
        other._transport.__dict__["handoff"] = None
        assert other.models.push("m", files)["digest"] == view["digest"]


def test_without_a_good_key_nothing_changes_hands(
    handoff: Handoff, files: Path, place: Path
) -> None:
    stranger = replace(handoff, token="gw_nobody")
    data = os.urandom(LEAST_BYTES)
    (files / "new.dat").write_bytes(data)
    with pytest.raises(ApiError) as refused:
        stranger.hand_in(files / "new.dat", project="", tell=lambda _: None)
    assert refused.value.problem.status == 401
    with pytest.raises(ApiError) as refused, stranger.taken_out(DIGEST, "w.dat"):
        pass
    assert refused.value.problem.status == 401
    assert not blob(place, data).exists()


def test_only_open_files_that_the_client_can_read_are_taken(
    handoff: Handoff, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x")
    message = json.dumps({"token": handoff.token, "op": "put"}).encode()
    reading, writing = os.pipe()
    for descriptor in (
        os.open(path, os.O_WRONLY),
        os.open(path, os.O_PATH),
        os.open(tmp_path, os.O_RDONLY),
        os.open("/dev/zero", os.O_RDONLY),
        reading,
        writing,
    ):
        answer = asked(handoff, message, descriptor)
        assert answer["problem"]["detail"] == (
            "what was handed in is not a file that was opened to be read"
        )
        os.close(descriptor)


@pytest.mark.parametrize(
    "message", [b"{", b"[]", b'{"op": 1}', b'{"op": "put"}', b'{"op": "rm", "token": ""}']
)
def test_what_cannot_be_understood_is_refused(handoff: Handoff, message: bytes) -> None:
    assert asked(handoff, message)["problem"]["status"] in {401, 422}


def test_a_request_without_a_file_or_of_another_kind_is_refused(handoff: Handoff) -> None:
    for op in ("put", "rm", ""):
        message = json.dumps({"token": handoff.token, "op": op}).encode()
        assert asked(handoff, message)["problem"]["detail"] == "there is no such request"
    with pytest.raises(ApiError) as refused, handoff.taken_out(DIGEST[:-1], "w.dat"):
        pass
    assert refused.value.problem.status == 422
    with pytest.raises(ApiError) as refused, handoff.taken_out("sha256:" + "0" * 64, "w.dat"):
        pass
    assert refused.value.problem.status == 404


def test_bytes_that_have_rotted_in_the_store_are_noticed(
    served: tuple[Client, Wire], files: Path, place: Path, tmp_path: Path
) -> None:
    data = os.urandom(LEAST_BYTES)
    (files / "w.dat").write_bytes(data)
    client, _ = served
    client.models.push("rotten", files)
    stored = blob(place, data)
    stored.chmod(0o644)
    for rotten in (data[:-1] + b"x", data + b"x", data[:-1]):
        stored.write_bytes(rotten)
        with pytest.raises(RefusalError) as refused:
            client.models.export("rotten", tmp_path / "out")
        assert refused.value.code is RefusalCode.DIGEST_MISMATCH
        assert not (tmp_path / "out" / "w.dat").exists()
        assert not list((tmp_path / "out").glob("*part"))
        assert not stored.exists()
        client.models.push("rotten", files)
        stored.chmod(0o644)
    client.models.export("rotten", tmp_path / "out")
    assert (tmp_path / "out" / "w.dat").read_bytes() == data


def test_a_file_without_a_seal_is_proven_by_its_digest(
    served: tuple[Client, Wire], files: Path, place: Path, tmp_path: Path
) -> None:
    client, _ = served
    data = os.urandom(LEAST_BYTES)
    (files / "w.dat").write_bytes(data)
    client.models.push("unsealed", files)
    stored = blob(place, data)
    stored.chmod(0o644)
    os.removexattr(stored, ATTRIBUTE)
    client.models.export("unsealed", tmp_path / "out")
    assert (tmp_path / "out" / "w.dat").read_bytes() == data
    os.setxattr(stored, ATTRIBUTE, b"0" * 32)
    with pytest.raises(RefusalError, match="has xxh3:"):
        client.models.export("unsealed", tmp_path / "again")
    os.removexattr(stored, ATTRIBUTE)
    stored.write_bytes(data[:-1] + b"x")
    with pytest.raises(RefusalError, match="has sha256:"):
        client.models.export("unsealed", tmp_path / "again")


def test_where_the_socket_is_gone_the_bytes_are_sent(
    served: tuple[Client, Wire], files: Path, tmp_path: Path
) -> None:
    client, wire = served
    handoff = client._transport.handoff
    assert handoff is not None
    client._transport.__dict__["handoff"] = replace(handoff, path=str(tmp_path / "none.sock"))
    with pytest.raises(HandoffLostError):
        replace(handoff, path=str(tmp_path / "none.sock")).hand_in(
            files / "w.dat", project="", tell=lambda _: None
        )
    (files / "w.dat").write_bytes(os.urandom(LEAST_BYTES))
    before = wire.sent
    client.models.push("sent", files)
    client.models.export("sent", tmp_path / "out")
    client._transport.__dict__["handoff"] = handoff
    assert wire.sent - before > LEAST_BYTES
    assert (tmp_path / "out" / "w.dat").read_bytes() == (files / "w.dat").read_bytes()


def test_the_socket_is_its_owners_alone(place: Path) -> None:
    assert (place / "handoff.sock").stat().st_mode & 0o777 == 0o600


def test_a_role_that_may_not_write_hands_nothing_in(
    served: tuple[Client, Wire], handoff: Handoff, files: Path, place: Path
) -> None:
    client, _ = served
    made = client.keys.create("looks", role="viewer")
    viewer = replace(handoff, token=made.get("key") or "")
    data = os.urandom(LEAST_BYTES)
    (files / "w.dat").write_bytes(data)
    with pytest.raises(ApiError) as refused:
        viewer.hand_in(files / "w.dat", project="", tell=lambda _: None)
    assert refused.value.problem.status == 403
    assert not blob(place, data).exists()
