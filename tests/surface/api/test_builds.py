"""Environments, artifacts and models."""

import hashlib
import json
from typing import Any

import httpx2
import pytest

from gigawatt.model.tenant import Role
from tests.surface.api.conftest import Play
from tests.surface.api.site import Site

pytestmark = pytest.mark.slow

SIX = {"kind": "uv", "requirements": ["six"]}


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


async def put(site: Site, data: bytes, kind: str = "file", **more: Any) -> httpx2.Response:
    return await site.call("PUT", f"/v1/artifacts/{digest_of(data)}?kind={kind}", data, **more)


def manifest(**files: bytes) -> bytes:
    entries = [
        {
            "path": path,
            "size": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "executable": False,
        }
        for path, data in sorted(files.items())
    ]
    body = {"format": "gigawatt-tree-1", "files": entries}
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()


def test_an_environment_is_built_once_for_all_who_ask(play: Play) -> None:
    async def scenario(site: Site) -> None:
        first = await site.call("POST", "/v1/environments", SIX)
        second = await site.call("POST", "/v1/environments", SIX)
        assert (first.status_code, first.json()["id"]) == (201, second.json()["id"])
        path = f"/v1/environments/{first.json()['id']}"
        assert first.headers["location"] == path

        async def ready() -> dict[str, Any] | None:
            view = await site.view(path)
            return view if view["phase"] == "ready" else None

        view = await site.until(ready)
        assert (view["requirements"], view["lock"]) == (["six"], "six==1.17.0\n")
        assert len((await site.view("/v1/environments?phase=ready"))["items"]) == 1
        assert (await site.view("/v1/environments?phase=failed"))["items"] == []

    play(scenario)


def test_an_environment_that_cannot_be_built_says_why_in_the_tools_own_words(play: Play) -> None:
    async def scenario(site: Site) -> None:
        site.workshop.failure = "no version of six==99 was found"
        job = await site.submit(environment=SIX)
        view = await site.phase(job, "failed")
        assert "no version of six==99 was found" in view["message"]
        environment = await site.view(f"/v1/environments/{job['environment']}")
        assert (environment["phase"], environment["message"]) == (
            "failed",
            "no version of six==99 was found",
        )

    play(scenario)


def test_the_hosts_environment_is_not_built(play: Play) -> None:
    async def scenario(site: Site) -> None:
        response = await site.call("POST", "/v1/environments", {"kind": "host"})
        assert (response.status_code, response.json()["field"]) == (422, "kind")

    play(scenario)


def test_an_artifact_is_kept_under_its_digest(play: Play) -> None:
    async def scenario(site: Site) -> None:
        data = b"weights" * 100_000
        path = f"/v1/artifacts/{digest_of(data)}"
        assert (await site.call("HEAD", path)).status_code == 404
        first = await put(site, data, "bundle")
        assert (first.status_code, first.json()["size_bytes"]) == (201, len(data))
        assert (await put(site, data, "bundle")).status_code == 200
        head = await site.call("HEAD", path)
        assert (head.status_code, head.headers["x-artifact-kind"]) == (200, "bundle")
        whole = await site.call("GET", path)
        assert (whole.content == data, whole.headers["etag"]) == (True, f'"{digest_of(data)}"')
        part = await site.call("GET", path, headers={"Range": "bytes=2-5"})
        assert (part.status_code, part.content) == (206, data[2:6])
        job = await site.submit(bundle=digest_of(data))
        assert job["bundle"] == digest_of(data)

    play(scenario)


def test_bytes_that_do_not_have_the_digest_are_refused_and_not_kept(play: Play) -> None:
    async def scenario(site: Site) -> None:
        path = f"/v1/artifacts/{digest_of(b'right')}"
        response = await site.call("PUT", path, b"wrong")
        assert (response.status_code, response.json()["type"]) == (
            422,
            "urn:gigawatt:problem:digest-mismatch",
        )
        assert digest_of(b"right") in response.json()["detail"]
        assert digest_of(b"wrong") in response.json()["detail"]
        assert (await site.call("GET", path)).status_code == 404
        for wrong in ("sha256:abc", "md5:" + "0" * 32, "x"):
            assert (await site.call("PUT", f"/v1/artifacts/{wrong}", b"")).status_code == 422

    play(scenario)


def test_who_only_knows_a_digest_is_not_given_the_bytes(play: Play) -> None:
    async def scenario(site: Site) -> None:
        secret = b"another tenant's weights"
        await put(site, secret)
        foreign = await site.make_key(Role.DEVELOPER, tenant="other")
        path = f"/v1/artifacts/{digest_of(secret)}"
        assert (await site.call("GET", path, key=foreign)).status_code == 404
        response = await site.call("PUT", path, b"", key=foreign)
        assert response.json()["type"].endswith(":digest-mismatch")
        assert (await site.call("GET", path, key=foreign)).status_code == 404

    play(scenario)


def test_an_artifact_over_its_limit_is_refused(play: Play) -> None:
    async def scenario(site: Site) -> None:
        site.services.artifact_bytes_max = 10
        assert (await put(site, b"0123456789")).status_code == 201
        response = await put(site, b"0123456789a")
        assert (response.status_code, "10 bytes" in response.json()["detail"]) == (413, True)

    play(scenario)


def test_a_tree_is_taken_once_all_its_files_are_there(play: Play) -> None:
    async def scenario(site: Site) -> None:
        tree = manifest(a=b"first", b=b"second")
        await put(site, b"first")
        response = await put(site, tree, "tree")
        assert (response.status_code, response.json()["field"]) == (409, "digest")
        assert digest_of(b"second") in response.json()["detail"]
        await put(site, b"second")
        response = await put(site, tree, "tree")
        assert (response.status_code, response.json()["files"]) == (201, 2)
        assert response.json()["size_bytes"] == len(b"firstsecond")

    play(scenario)
