"""Volumes that are buckets over the API: made, refreshed, read in ranges, pulled; what is refused, and to whom."""

from collections.abc import Iterator
from typing import Any

import pytest

from gigawatt.build.s3_trees import S3Trees
from gigawatt.model.tenant import Role
from tests.s3_server import BUCKET, S3Server, Wire, running_s3, wire_to
from tests.surface.api.conftest import Play
from tests.surface.api.site import Site, attempt_key
from tests.surface.api.test_volumes import aged, pruned_contents, refused

pytestmark = pytest.mark.slow

BIG = bytes(range(256)) * 20_000  # more than is read at once
AT = "/v1/volumes/lake"


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with running_s3() as running:
        yield running


@pytest.fixture
def wire(server: S3Server) -> Iterator[Wire]:
    put(server, {"lake/a.bin": BIG, "lake/train/b.txt": b"two"})
    with wire_to(server) as running:
        yield running
    left = server.keys()
    with server.client() as client:
        for key in left:
            client.delete_object(Bucket=BUCKET, Key=key)


def put(server: S3Server, objects: dict[str, bytes]) -> None:
    with server.client() as client:
        for key, data in objects.items():
            client.put_object(Bucket=BUCKET, Key=key, Body=data)


async def secret(site: Site, server: S3Server, wire: Wire, **more: Any) -> None:
    site.services.buckets = S3Trees(
        site.services.artifacts, site.services.secrets, endpoints=(wire.endpoint,)
    )
    value = f"{server.access_key}:{server.secret_key}"
    body = {"url": f"{wire.endpoint}/{BUCKET}", "value": value}
    response = await site.call("PUT", "/v1/secrets/lake", body, **more)
    assert response.status_code in {200, 201}, response.text


def bucket(wire: Wire, prefix: str = "lake") -> dict[str, str]:
    return {"url": f"s3://{BUCKET}/{prefix}?endpoint={wire.endpoint}", "secret": "lake"}


async def made(site: Site, server: S3Server, wire: Wire) -> dict[str, Any]:
    await secret(site, server, wire)
    response = await site.call("POST", f"{AT}/s3", bucket(wire))
    assert response.status_code == 201, response.text
    return response.json()


def test_a_bucket_is_a_volume_whose_first_version_is_what_it_holds(
    play: Play, server: S3Server, wire: Wire
) -> None:
    async def scenario(site: Site) -> None:
        volume = await made(site, server, wire)
        assert (volume["kind"], volume["latest"], volume["secret"]) == ("s3", 1, "lake")
        assert volume["url"] == f"s3://{BUCKET}/lake?endpoint={wire.endpoint}&region=us-east-1"
        assert volume["stored_bytes"] == 0
        version = await site.view(f"{AT}/versions/1")
        assert (version["files"], version["size_bytes"]) == (2, len(BIG) + 3)
        files = (await site.view(f"{AT}/versions/1/files?prefix=train/"))["items"]
        assert [(each["path"], each["sha256"]) for each in files] == [("train/b.txt", "")]
        assert len(files[0]["etag"]) == 32
        events = await site.call("GET", "/v1/events")
        assert server.secret_key not in events.text + str(volume)
        assert server.access_key not in events.text + str(volume)

    play(scenario)


def test_a_file_is_read_whole_and_in_ranges_without_the_keys(
    play: Play, server: S3Server, wire: Wire
) -> None:
    async def scenario(site: Site) -> None:
        await made(site, server, wire)
        path = f"{AT}/versions/1/file?path=a.bin"
        viewer = await site.make_key(Role.VIEWER)
        whole = await site.call("GET", path, key=viewer)
        assert (whole.status_code, whole.content) == (200, BIG)
        for asked, start, end in (
            ("bytes=5-9", 5, 10),
            ("bytes=-4", len(BIG) - 4, len(BIG)),
            (f"bytes={len(BIG) - 2}-", len(BIG) - 2, len(BIG)),
            ("bytes=0-4999999", 0, 5_000_000),
        ):
            part = await site.call("GET", path, key=viewer, headers={"Range": asked})
            assert (part.status_code, part.content == BIG[start:end]) == (206, True), asked
            assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{len(BIG)}"
        beyond = await site.call("GET", path, headers={"Range": f"bytes={len(BIG)}-"})
        assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(BIG)}")
        missing = await refused(site, "GET", f"{AT}/versions/1/file?path=a.bim")
        assert (missing["status"], missing["hint"]) == (404, "did you mean 'a.bin'?")

    play(scenario)


def test_a_refresh_makes_a_version_of_what_has_changed_and_none_of_what_has_not(
    play: Play, server: S3Server, wire: Wire
) -> None:
    async def scenario(site: Site) -> None:
        await made(site, server, wire)
        same = await site.call("POST", f"{AT}/refresh", {})
        assert (same.status_code, same.json()["ref"]) == (200, "lake:1")
        put(server, {"lake/train/b.txt": b"three", "lake/c": b"c"})
        new = await site.call("POST", f"{AT}/refresh", {})
        assert (new.status_code, new.json()["ref"], new.json()["files"]) == (201, "lake:2", 3)
        diff = await site.view(f"{AT}/versions/1/diff?to=2")
        assert [each["path"] for each in diff["added"]] == ["c"]
        assert [each["path"] for each in diff["changed"]] == ["train/b.txt"]
        old = await refused(site, "GET", f"{AT}/versions/1/file?path=train/b.txt")
        assert old["status"] == 409
        assert "train/b.txt" in old["detail"]
        assert "has changed since it was listed" in old["detail"]
        assert (await site.call("GET", f"{AT}/versions/1/file?path=a.bin")).content == BIG
        gone = await site.call("DELETE", f"{AT}/versions/1")
        assert gone.status_code == 200

    play(scenario)


def test_nothing_is_made_where_the_bucket_cannot_be_read(
    play: Play, server: S3Server, wire: Wire
) -> None:
    async def scenario(site: Site) -> None:
        await secret(site, server, wire)
        for body, status, field in (
            (bucket(wire, "nothing"), 422, "url"),
            (
                {**bucket(wire), "url": bucket(wire)["url"].replace(BUCKET, "nobucket")},
                403,
                "secret",
            ),
            ({**bucket(wire), "secret": "missing"}, 404, "secret"),
            ({**bucket(wire), "url": f"s3://{BUCKET}?endpoint=http://10.0.0.1"}, 403, "url"),
        ):
            told = await refused(site, "POST", f"{AT}/s3", body)
            assert (told["status"], told["field"]) == (status, field), told
        wire.cut()
        down = await refused(site, "POST", f"{AT}/s3", bucket(wire))
        assert (down["status"], "cannot be reached" in down["detail"]) == (503, True)
        assert (await site.call("GET", AT)).status_code == 404
        wire.mend()
        first = await site.call("POST", f"{AT}/s3", bucket(wire), headers={"Idempotency-Key": "k"})
        again = await site.call("POST", f"{AT}/s3", bucket(wire), headers={"Idempotency-Key": "k"})
        assert (first.status_code, again.json()) == (201, first.json())
        taken = await refused(site, "POST", f"{AT}/s3", bucket(wire))
        assert (taken["status"], taken["field"]) == (409, "name")

    play(scenario)


def test_a_storage_that_does_not_answer_is_said_before_the_first_byte(
    play: Play, server: S3Server, wire: Wire
) -> None:
    async def scenario(site: Site) -> None:
        await made(site, server, wire)
        wire.cut()
        down = await refused(site, "GET", f"{AT}/versions/1/file?path=a.bin")
        assert (down["status"], "cannot be reached" in down["detail"]) == (503, True)

    play(scenario)


def test_it_is_mounted_read_only_and_takes_no_push(
    play: Play, server: S3Server, wire: Wire
) -> None:
    async def scenario(site: Site) -> None:
        volume = await made(site, server, wire)
        version = await site.view(f"{AT}/versions/1")
        job = await site.submit(volumes=["lake:in"])
        await site.phase(job, "running")
        (mount,) = site.engine.machines.attempts[attempt_key(job)].launch.volumes
        assert (mount.ref, mount.digest, mount.writable) == ("lake:1", version["digest"], False)
        body = {"command": ["true"], "volumes": ["lake:in:rw"]}
        told = await refused(site, "POST", "/v1/jobs", body)
        assert (told["status"], told["field"]) == (422, "volumes.0.mode")
        assert "is an S3 volume, which is mounted read-only" in told["detail"]
        for path, sent in (
            (f"{AT}/versions", {"digest": version["digest"]}),
            (f"{AT}/check", {"digest": version["digest"]}),
        ):
            told = await refused(site, "POST", path, sent)
            assert "its bytes are in the bucket, not in the store" in told["detail"]
        told = await refused(site, "PUT", f"{AT}/quota", {"quota": 1})
        assert told["status"] == 422
        await aged(site, {version["digest"]})
        assert await pruned_contents(site) == set()
        assert volume["versions"] == 1

    play(scenario)


def test_a_listing_is_no_tree_that_a_managed_volume_takes(
    play: Play, server: S3Server, wire: Wire
) -> None:
    """Else whoever writes a listing by hand would choose whose secret opens which bucket."""

    async def scenario(site: Site) -> None:
        await made(site, server, wire)
        digest = (await site.view(f"{AT}/versions/1"))["digest"]
        await site.call("POST", "/v1/volumes", {"name": "mine"})
        told = await refused(site, "POST", "/v1/volumes/mine/versions", {"digest": digest})
        assert told["status"] == 422
        assert "this manifest cannot be used" in told["detail"]

    play(scenario)


def test_no_key_of_another_tenant_or_project_sees_a_bucket_and_no_developer_makes_one(
    play: Play, server: S3Server, wire: Wire
) -> None:
    async def scenario(site: Site) -> None:
        await made(site, server, wire)
        digest = (await site.view(f"{AT}/versions/1"))["digest"]
        await site.call("POST", "/v1/projects", {"name": "nlp"})
        project = await site.make_key(Role.PROJECT_ADMIN, project="nlp")
        tenant = await site.make_key(Role.TENANT_ADMIN, tenant="other")
        for key in (project, tenant):
            for method, path in (
                ("GET", AT),
                ("POST", f"{AT}/refresh"),
                ("POST", f"{AT}/refresh?project=default"),
                ("GET", f"{AT}/versions/1"),
                ("GET", f"{AT}/versions/1/files"),
                ("GET", f"{AT}/versions/1/file?path=a.bin"),
                ("GET", f"{AT}/versions/1/diff?to=1"),
                ("DELETE", AT),
            ):
                response = await site.call(method, path, key=key)
                missing = await site.call(method, path.replace("lake", "sea"), key=key)
                assert (response.status_code, missing.status_code) == (404, 404), (method, path)
                told = response.json()["detail"].replace("lake", "sea")
                assert told == missing.json()["detail"]
        # The secret of a project opens nothing for another one.
        other = await site.call("POST", "/v1/volumes/own/s3?project=nlp", bucket(wire), key=project)
        assert (other.status_code, other.json()["field"]) == (404, "secret")
        artifact = await site.call("GET", f"/v1/artifacts/{digest}", key=tenant)
        assert artifact.status_code == 404
        developer = await site.make_key(Role.DEVELOPER)
        theirs = await site.call("POST", "/v1/volumes/own/s3", bucket(wire), key=developer)
        assert theirs.status_code == 403
        assert (await site.call("POST", f"{AT}/refresh", {}, key=developer)).status_code == 200

    play(scenario)
