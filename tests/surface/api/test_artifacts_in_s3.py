"""An instance whose artifacts are kept in S3: registered once they are there, read from there when they are not here."""

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gigawatt.build.making import remove_tree
from gigawatt.build.s3 import S3, Pace
from gigawatt.build.s3_client import connect, parse_place
from gigawatt.sdk.client import Client
from gigawatt.sdk.errors import ApiError
from tests.s3_server import BUCKET, PART_BYTES_MIN, S3Server, Wire, running_s3, wire_to
from tests.surface.api.served import served_site
from tests.unit.weights.samples import two_tensors

pytestmark = pytest.mark.slow

FILES = {
    "config.json": json.dumps({"architectures": ["TinyForCausalLM"]}).encode(),
    "model.safetensors": two_tensors(),
    "extra.dat": bytes(range(256)) * 2048,
}


@pytest.fixture
def server() -> Iterator[S3Server]:
    with running_s3() as running:
        yield running


@pytest.fixture
def wire(server: S3Server) -> Iterator[Wire]:
    with wire_to(server) as running:
        yield running


@pytest.fixture
def client(server: S3Server, wire: Wire, tmp_path: Path) -> Iterator[Client]:
    place = parse_place(f"s3://{BUCKET}/p?endpoint={wire.endpoint}")
    keys = server.credentials(tmp_path / "keys")
    (tmp_path / "site").mkdir()
    with closing(connect(place, str(keys), tries=1)) as made:
        remote = S3(place, made, state=tmp_path / "state", pace=Pace(part_bytes=PART_BYTES_MIN))
        with (
            served_site(tmp_path / "site", remote=remote) as (url, key),
            Client(api_url=url, token=key) as client,
        ):
            client._transport.patience_s = 0.0
            yield client


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "tiny").mkdir()
    for name, data in FILES.items():
        (tmp_path / "tiny" / name).write_bytes(data)
    return tmp_path / "tiny"


def test_a_model_comes_back_from_s3_where_the_cache_is_gone(
    client: Client, server: S3Server, files: Path, tmp_path: Path
) -> None:
    client.models.push("tiny", files)
    assert len(server.keys()) == len(FILES) + 1  # and the manifest
    remove_tree(tmp_path / "site" / "artifacts")
    out = tmp_path / "out"
    client.models.export("tiny", out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == FILES
    assert client.models.push("again", files)["digest"] == client.models.version("tiny")["digest"]
    assert len(server.keys()) == len(FILES) + 1


def test_nothing_is_registered_where_s3_fails_in_the_middle_and_the_next_push_goes_through(
    client: Client, server: S3Server, wire: Wire, files: Path, tmp_path: Path
) -> None:
    wire.seen = lambda wire: wire.cut() if wire.sent > 3 * PART_BYTES_MIN else None
    with pytest.raises(ApiError) as refused:
        client.models.push("tiny", files)
    assert refused.value.problem.status == 503
    assert f"s3://{BUCKET}/p at {wire.endpoint} cannot be reached" in refused.value.problem.detail
    assert server.secret_key not in str(refused.value.problem)
    with pytest.raises(ApiError, match="there is no model tiny"):
        client.models.find("tiny")
    wire.mend()
    assert client.models.push("tiny", files)["ref"] == "tiny:1"
    shutil.rmtree(tmp_path / "site" / "artifacts" / "sha256")
    client.models.export("tiny", tmp_path / "out")
