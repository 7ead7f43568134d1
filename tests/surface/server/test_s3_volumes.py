"""A bucket on a real instance: mounted by jobs, endpoints' replicas and workspaces, read by fsspec, pulled."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.http import Api
from benchmarks.instance import GW, Instance, stop

import gigawatt as gw
from tests.s3_server import BUCKET, S3Server, running_s3
from tests.surface.server.jobs import python, submit, wait_phase
from tests.waiting import until

pytestmark = pytest.mark.slow

READ = """
import json, os, pathlib
place = pathlib.Path(os.environ["GIGAWATT_DATA_LAKE"])
found = {p.relative_to(place).as_posix(): p.read_text() for p in place.rglob("*") if p.is_file()}
print(json.dumps({"files": found, "environ": dict(os.environ)}))
"""
SERVE = """
import http.server, os
print(open("data/lake/a.txt").read())
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
OBJECTS = {"a.txt": "one", "train/b.txt": "two"}


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with running_s3() as running:
        put(running, OBJECTS)
        yield running


@pytest.fixture(scope="module")
def instance(server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """One that may read buckets of the server, with a secret for them and a volume."""
    data = tmp_path_factory.mktemp("instance") / "data"
    environ = {**os.environ, "GIGAWATT_VOLUME_S3_ENDPOINTS": server.endpoint}
    ports = ("--port", "0", "--gateway-port", "0", "--nodes", "2")
    subprocess.run(
        [*GW, "up", "--detach", "--data", str(data), *ports],
        env=environ,
        check=True,
        capture_output=True,
    )
    try:
        told = json.loads((data / "instance.json").read_text())
        yield Instance(
            data=data,
            api_url=told["api_url"],
            gateway_url=told["gateway_url"],
            token=Path(told["token_path"]).read_text().strip(),
            pid=told["pid"],
        )
    finally:
        stop(data)


@pytest.fixture(scope="module")
def client(instance: Instance, server: S3Server) -> Iterator[gw.Client]:
    with gw.Client(data=instance.data) as made:
        value = f"{server.access_key}:{server.secret_key}"
        made.secrets.put("lake", value, url=f"{server.endpoint}/{BUCKET}")
        url = f"s3://{BUCKET}/lake?endpoint={server.endpoint}"
        made.volumes.create_s3("lake", url, secret="lake")
        yield made


def put(server: S3Server, files: dict[str, str]) -> None:
    with server.client() as client:
        for name, text in files.items():
            client.put_object(Bucket=BUCKET, Key=f"lake/{name}", Body=text.encode())


def test_every_rank_reads_it_and_none_is_given_the_keys(
    instance: Instance, api: Api, client: gw.Client, server: S3Server
) -> None:
    gang = {"nodes": 2, "ranks_per_node": 2, "cpus": 0.2}
    job = submit(api, python(READ), gang=gang, volumes=["lake"])
    view = wait_phase(api, job, "succeeded", "failed", timeout_s=60)
    assert view["phase"] == "succeeded", view
    for rank in range(4):
        said = b"".join(client.job(job["id"]).logs(rank=rank)).decode()
        assert json.loads(said)["files"] == OBJECTS
        assert server.secret_key not in said
    for path in instance.data.rglob("*"):
        if path.is_file() and "secrets" not in path.relative_to(instance.data).parts:
            assert server.secret_key.encode() not in path.read_bytes(), path


def test_it_is_read_in_ranges_by_fsspec_and_pulled(client: gw.Client, tmp_path: Path) -> None:
    files = client.volumes.open("lake:1")
    assert files.cat_file("train/b.txt", 1, 3) == b"wo"
    assert files.cat_file("a.txt") == b"one"
    client.volumes.pull("lake:1", tmp_path / "out")
    (tmp_path / "out" / "a.txt").unlink()
    assert client.volumes.pull("lake:1", tmp_path / "out")["ref"] == "lake:1"
    pulled = {name: (tmp_path / "out" / name).read_text() for name in OBJECTS}
    assert pulled == OBJECTS


def test_a_workspace_finds_it_in_its_home_and_shows_it(
    instance: Instance, client: gw.Client
) -> None:
    client.workspaces.make(
        name="desk", program="shell", gang={"cpus": 0.2}, volumes=["lake:in/lake"]
    )
    view = client.workspaces.wait("desk")
    assert view["phase"] == "running", (view["message"], b"".join(client.workspaces.logs("desk")))
    home = Path(client.workspaces.find("desk")["home"])
    link = home / "in" / "lake"
    assert (link / "a.txt").read_text() == "one"
    client.workspaces.suspend("desk")
    until(lambda: client.workspaces.find("desk")["phase"] == "suspended" or None, what="rest")
    client.workspaces.start("desk")
    assert client.workspaces.wait("desk")["phase"] == "running"
    assert (link / "train" / "b.txt").read_text() == "two"
    shown = subprocess.run(
        [*GW, "dev", "show", "desk"],
        env={**os.environ, "GIGAWATT_DATA": str(instance.data)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "lake:1 at in/lake" in shown
    client.workspaces.delete("desk")
    until(lambda: client.workspaces.found("desk") is None or None, what="desk gone")


def test_a_replica_reads_it(client: gw.Client, tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "w.dat").write_bytes(b"w")
    client.models.push("m", tmp_path / "weights")
    made = client.endpoints.serve(
        name="served",
        model="m",
        command=["python3", "-u", "-c", SERVE],
        replicas={"min": 1, "max": 1},
        gang={"cpus": 0.2},
        volumes=["lake:1"],
    )
    assert made["volumes"] == [{"volume": "lake:1", "path": "data/lake", "mode": "ro"}]
    until(lambda: client.endpoints.find("served")["phase"] == "ready" or None, what="ready")
    assert b"".join(client.endpoints.logs("served", stream="stdout")) == b"one\n"
    with pytest.raises(gw.ApiError, match="is mounted by endpoint served, ready"):
        client.volumes.delete("lake:1")
    client.endpoints.stop("served")


def test_an_object_that_changed_since_fails_the_job_with_what_to_do_and_a_refresh_mends_it(
    api: Api, client: gw.Client, server: S3Server
) -> None:
    put(server, {"late.txt": "first"})
    assert client.volumes.refresh("lake")["ref"] == "lake:2"
    put(server, {"late.txt": "second"})
    job = submit(api, python(READ), gang={"cpus": 0.2}, volumes=["lake:2"])
    view = wait_phase(api, job, "succeeded", "failed", timeout_s=60)
    assert view["phase"] == "failed"
    assert len(view["attempts"]) == 1  # not the infrastructure's fault: no use trying again
    assert "late.txt" in json.dumps(view)
    assert "has changed since it was listed" in json.dumps(view)
    assert client.volumes.refresh("lake")["ref"] == "lake:3"
    job = submit(api, python(READ), gang={"cpus": 0.2}, volumes=["lake"])
    assert wait_phase(api, job, "succeeded", "failed", timeout_s=60)["phase"] == "succeeded"


def test_a_storage_that_is_down_is_the_infrastructures_fault(
    api: Api, client: gw.Client, server: S3Server
) -> None:
    put(server, {"last.txt": "last"})
    reference = client.volumes.refresh("lake")["ref"]
    server.kill()
    retries = {"infrastructure": 1}
    gang = {"cpus": 0.2}
    job = submit(api, python(READ), gang=gang, retries=retries, volumes=[reference])
    view = wait_phase(api, job, "succeeded", "failed", timeout_s=90)
    assert view["phase"] == "failed"
    assert [each["verdict"] for each in view["attempts"]] == ["infrastructure", "infrastructure"]
    assert "cannot be reached" in json.dumps(view)
