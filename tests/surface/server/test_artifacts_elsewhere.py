"""An instance whose artifacts are kept beyond its data directory; one that cannot reach them says so in one line."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.instance import GW, stop

from gigawatt.build.making import remove_tree
from gigawatt.sdk.client import Client
from tests.s3_server import BUCKET, S3Server, running_s3

pytestmark = pytest.mark.slow


@pytest.fixture
def server() -> Iterator[S3Server]:
    with running_s3() as running:
        yield running


def up(data: Path, url: str, **more: str) -> "subprocess.CompletedProcess[str]":
    environ = {**os.environ, "GIGAWATT_ARTIFACTS_URL": url, **more}
    command = [*GW, "up", "--detach", "--data", str(data), "--port", "0", "--gateway-port", "0"]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("kind", ["file", "s3"])
def test_a_bundle_and_a_model_outlive_the_cache(
    kind: str, server: S3Server, own_data: Path, tmp_path: Path
) -> None:
    url, more = f"file://{tmp_path}/shared", {}
    if kind == "s3":
        url = f"s3://{BUCKET}/a/b?endpoint={server.endpoint}"
        more = {"GIGAWATT_ARTIFACTS_CREDENTIALS": str(server.credentials(tmp_path / "keys"))}
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "say.py").write_text("print('from the bundle')")
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "w.dat").write_bytes(b"weights")
    done = up(own_data, url, **more)
    assert done.returncode == 0, done.stderr
    assert server.secret_key not in "".join(
        path.read_text() for path in (own_data / "logs").iterdir()
    )
    with Client(data=own_data) as client:
        bundle = client.artifacts.send_bundle(tmp_path / "code").digest
        client.models.push("m", tmp_path / "weights")
    stop(own_data)
    for name in ("sha256", "trees"):
        remove_tree(own_data / "artifacts" / name)
    remove_tree(own_data / "bundles")
    assert up(own_data, url, **more).returncode == 0
    with Client(data=own_data) as client:
        job = client.submit(name="j", command=["python3", "say.py"], bundle=bundle).wait()
        assert job.phase == "succeeded"
        assert b"from the bundle" in b"".join(job.logs())
        client.models.export("m", tmp_path / "out")
    assert (tmp_path / "out" / "w.dat").read_bytes() == b"weights"
    stop(own_data)
    refused = up(own_data, "")
    assert refused.returncode != 0
    assert "artifacts_url is empty" in refused.stderr


def test_wrong_keys_are_told_at_the_start_in_one_line(
    server: S3Server, own_data: Path, tmp_path: Path
) -> None:
    keys = server.credentials(tmp_path / "keys", secret="a-secret-that-is-wrong")
    url = f"s3://{BUCKET}/p?endpoint={server.endpoint}"
    done = up(own_data, url, GIGAWATT_ARTIFACTS_CREDENTIALS=str(keys))
    assert done.returncode != 0
    assert f"s3://{BUCKET}/p at {server.endpoint} cannot be reached" in done.stderr
    assert "the secret key is wrong" in done.stderr
    assert "Traceback" not in done.stderr
    held = b"".join(path.read_bytes() for path in own_data.rglob("*") if path.is_file())
    assert b"a-secret-that-is-wrong" not in held + done.stderr.encode()


def test_a_bundle_that_was_damaged_where_it_is_kept_is_not_the_users_fault(
    own_data: Path, tmp_path: Path
) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "say.py").write_text("print('from the bundle')")
    assert up(own_data, "").returncode == 0
    with Client(data=own_data) as client:
        bundle = client.artifacts.send_bundle(tmp_path / "code").digest
        hex_digits = bundle.removeprefix("sha256:")
        kept = own_data / "artifacts" / "sha256" / hex_digits[:2] / hex_digits
        kept.chmod(0o644)
        kept.write_bytes(b"x" + kept.read_bytes()[1:])
        job = client.submit(name="j", command=["python3", "say.py"], bundle=bundle)
        assert job.wait(check=False).phase == "failed"
        attempts = job.view["attempts"]
        assert {each["charged_to"] for each in attempts} == {"infrastructure"}
        assert f"the stored copy of {bundle} was damaged" in str(attempts[0]["evidence"])
        assert client.artifacts.send_bundle(tmp_path / "code").digest == bundle
        job = client.submit(name="j", command=["python3", "say.py"], bundle=bundle).wait()
        assert job.phase == "succeeded"
