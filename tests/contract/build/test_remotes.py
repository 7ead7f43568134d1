"""What every place for artifacts keeps to: whole or not there, the same bytes back, absence said."""

import hashlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gigawatt.build.remote import Remote, SharedDirectory
from gigawatt.build.s3 import S3, Pace
from gigawatt.build.s3_client import connect, parse_place
from gigawatt.model.refusal import RefusalCode, RefusalError
from tests.s3_server import BUCKET, PART_BYTES_MIN, S3Server, running_s3

pytestmark = pytest.mark.slow

SMALL, LARGE = b"small", bytes(range(256)) * 1024  # in one piece; in parts, the last one shorter


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with running_s3() as running:
        yield running


@pytest.fixture(params=["directory", "s3", "s3 without a prefix"])
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Remote]:
    if request.param == "directory":
        yield SharedDirectory(tmp_path / "shared")
        return
    running: S3Server = request.getfixturevalue("server")
    prefix = "" if request.param.endswith("prefix") else f"/{tmp_path.name}"
    place = parse_place(f"s3://{BUCKET}{prefix}?endpoint={running.endpoint}")
    with closing(connect(place, str(running.credentials(tmp_path / "keys")), tries=2)) as client:
        pace = Pace(part_bytes=PART_BYTES_MIN + 1)
        yield S3(place, client, state=tmp_path / "state", pace=pace)


def stored(place: Path, data: bytes) -> str:
    place.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("data", [b"", SMALL, LARGE])
def test_what_is_sent_comes_back_and_can_be_removed(
    remote: Remote, tmp_path: Path, data: bytes
) -> None:
    remote.check()
    name = stored(tmp_path / "file", data)
    assert not remote.has(name)
    remote.send(name, tmp_path / "file")
    assert remote.has(name)
    assert b"".join(remote.chunks(name)) == data
    remote.send(name, tmp_path / "file")
    remote.remove(name)
    assert not remote.has(name)
    remote.remove(name)
    assert remote.sweep() == 0


def test_what_is_there_is_listed_and_whose_place_it_is(remote: Remote, tmp_path: Path) -> None:
    remote.check()
    assert remote.owner() == ""
    remote.own("me")
    assert remote.owner() == "me"
    before = {each.hex_digits for each in remote.listed()}
    names = {stored(tmp_path / "file", data): len(data) for data in (SMALL, LARGE)}
    for data in (SMALL, LARGE):
        name = stored(tmp_path / "file", data)
        remote.send(name, tmp_path / "file")
    found = {each.hex_digits: each for each in remote.listed() if each.hex_digits not in before}
    assert {name: each.size_bytes for name, each in found.items()} == names
    assert all(each.modified_ms > 1_700_000_000_000 for each in found.values())
    for name in names:
        remote.remove(name)
    assert {each.hex_digits for each in remote.listed()} == before


def test_what_is_not_there_is_said_before_the_first_byte(remote: Remote) -> None:
    with pytest.raises(RefusalError) as refused:
        next(remote.chunks("0" * 64))
    assert refused.value.code is RefusalCode.NOT_FOUND
    assert remote.url in refused.value.detail


def test_a_place_is_named_without_its_secrets(remote: Remote, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    secret = keys.read_text().split()[-1] if keys.exists() else "none"
    assert secret not in remote.url + repr(remote)
