"""Volumes and data sets: versions, quotas, who sees them, what jobs are given of them."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from gigawatt.model.tenant import Role
from gigawatt.service.tokens import Claims, RankTokens
from tests.surface.api.conftest import Play
from tests.surface.api.site import SECRET, Site, attempt_key
from tests.surface.api.test_builds import digest_of, manifest, put

pytestmark = pytest.mark.slow

ONE = {"a.bin": b"a" * 1000, "train/b.bin": b"b" * 2000}
TWO = {"a.bin": b"a" * 1000, "train/b.bin": b"B" * 2500, "train/c.bin": b"c" * 500}


async def created(site: Site, name: str = "corpus", **fields: Any) -> dict[str, Any]:
    response = await site.call("POST", "/v1/volumes", {"name": name, **fields})
    assert response.status_code == 201, response.text
    return response.json()


async def pushed(
    site: Site, files: dict[str, bytes], name: str = "corpus", **fields: Any
) -> dict[str, Any]:
    """A version with these files, pushed file by file."""
    for data in files.values():
        await put(site, data)
    tree = manifest(**files)
    await put(site, tree, kind="tree")
    body = {"digest": digest_of(tree), **fields}
    response = await site.call("POST", f"/v1/volumes/{name}/versions", body)
    assert response.status_code in {200, 201}, response.text
    return response.json()


async def refused(
    site: Site, method: str, path: str, body: Any = None, **more: Any
) -> dict[str, Any]:
    response = await site.call(method, path, body, **more)
    assert response.status_code >= 400, response.text
    return {"status": response.status_code, **response.json()}


def test_a_push_makes_the_next_version_and_the_same_data_none(play: Play) -> None:
    async def scenario(site: Site) -> None:
        volume = await created(site)
        assert (volume["kind"], volume["latest"], volume["versions"]) == ("managed", 0, 0)
        first = await pushed(site, ONE, message="the first")
        assert (first["ref"], first["files"], first["size_bytes"]) == ("corpus:1", 2, 3000)
        assert first["message"] == "the first"
        assert (await pushed(site, ONE))["ref"] == "corpus:1"
        assert (await pushed(site, TWO))["ref"] == "corpus:2"
        after = await site.view("/v1/volumes/corpus")
        assert (after["latest"], after["versions"], after["stored_bytes"]) == (2, 2, 6000)
        listed = (await site.view("/v1/volumes/corpus/versions"))["items"]
        assert [each["ref"] for each in listed] == ["corpus:2", "corpus:1"]
        latest = await site.view("/v1/volumes/corpus/versions/latest")
        assert latest["ref"] == "corpus:2"

    play(scenario)


def test_a_version_is_listed_read_in_ranges_and_compared(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await created(site)
        await pushed(site, ONE)
        await pushed(site, TWO)
        at = "/v1/volumes/corpus/versions"
        page = await site.view(f"{at}/2/files?prefix=train/&limit=1")
        rest = await site.view(f"{at}/2/files?prefix=train/&cursor={page['next']}")
        paths = [each["path"] for each in page["items"] + rest["items"]]
        assert paths == ["train/b.bin", "train/c.bin"]
        whole = await site.call("GET", f"{at}/1/file?path=train/b.bin")
        assert whole.content == b"b" * 2000
        part = await site.call(
            "GET", f"{at}/2/file?path=train/b.bin", headers={"Range": "bytes=2499-"}
        )
        assert (part.status_code, part.content) == (206, b"B")
        diff = await site.view(f"{at}/1/diff?to=2")
        assert (diff["before"], diff["after"], diff["same"]) == ("corpus:1", "corpus:2", 1)
        assert diff["added"] == [{"path": "train/c.bin", "before_bytes": None, "after_bytes": 500}]
        assert diff["removed"] == []
        assert diff["changed"] == [
            {"path": "train/b.bin", "before_bytes": 2000, "after_bytes": 2500}
        ]
        gone = await refused(site, "GET", f"{at}/2/file?path=train/b.bi")
        assert (gone["status"], gone["hint"]) == (404, "did you mean 'train/b.bin'?")

    play(scenario)


def test_a_push_is_checked_before_anything_is_sent(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await created(site, quota=3500)
        await pushed(site, ONE)
        tree = manifest(**TWO)
        await put(site, tree)
        body = {"digest": digest_of(tree)}
        over = await refused(site, "POST", "/v1/volumes/corpus/check", body)
        assert (over["status"], over["field"]) == (429, "quota")
        assert (
            "corpus holds 2.93 KiB, this adds 2.93 KiB, and its quota is 3.42 KiB" in over["detail"]
        )
        grown = await site.call("PUT", "/v1/volumes/corpus/quota", {"quota": "1MiB"})
        assert grown.json()["quota_bytes"] == 1 << 20
        check = (await site.call("POST", "/v1/volumes/corpus/check", body)).json()
        assert check["missing"] == [digest_of(TWO["train/b.bin"]), digest_of(TWO["train/c.bin"])]
        assert (check["missing_bytes"], check["stored_bytes"]) == (3000, 6000)

    play(scenario)


def test_a_quota_holds_also_for_who_does_not_check(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await created(site, quota=3500)
        await pushed(site, ONE)
        for data in TWO.values():
            await put(site, data)
        tree = manifest(**TWO)
        await put(site, tree, kind="tree")
        body = {"digest": digest_of(tree)}
        over = await refused(site, "POST", "/v1/volumes/corpus/versions", body)
        assert (over["status"], over["field"]) == (429, "quota")
        assert (await site.view("/v1/volumes/corpus"))["latest"] == 1
        site.services.project_bytes_max = 4000
        await created(site, "other")
        over = await refused(site, "POST", "/v1/volumes/other/versions", body)
        assert "volumes of project default hold 2.93 KiB" in over["detail"]

    play(scenario)


def test_a_deleted_version_frees_its_bytes_and_its_number_is_never_given_again(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await created(site)
        await pushed(site, ONE)
        await pushed(site, TWO)
        gone = await site.call("DELETE", "/v1/volumes/corpus/versions/2")
        assert gone.json()["ref"] == "corpus:2"
        volume = await site.view("/v1/volumes/corpus")
        assert (volume["latest"], volume["versions"], volume["stored_bytes"]) == (1, 1, 3000)
        missing = await refused(site, "GET", "/v1/volumes/corpus/versions/2")
        assert (missing["status"], missing["detail"]) == (404, "volume corpus has no version 2")
        assert (await pushed(site, TWO))["ref"] == "corpus:3"
        assert (await site.call("DELETE", "/v1/volumes/corpus")).status_code == 200
        assert (await site.view("/v1/volumes"))["items"] == []
        await created(site)
        assert (await pushed(site, ONE))["ref"] == "corpus:4"

    play(scenario)


def test_a_job_is_given_what_a_name_means_when_it_is_submitted(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await created(site)
        one = await pushed(site, ONE)
        job = await site.submit(volumes={"corpus": "in"})
        await pushed(site, TWO)
        await site.phase(job, "running")
        assert job["volumes"] == [{"volume": "corpus:1", "path": "in", "mode": "ro"}]
        launch = site.engine.machines.attempts[attempt_key(job)].launch
        mount = launch.volumes[0]
        assert (mount.volume, mount.digest, mount.size_bytes) == ("corpus", one["digest"], 3000)
        again = (await site.view(f"/v1/jobs/{job['id']}/spec"))["spec"]
        assert again["volumes"] == [{"volume": "corpus:1", "path": "in", "mode": "ro"}]
        held = await refused(site, "DELETE", "/v1/volumes/corpus/versions/1")
        assert (held["status"], "is mounted by job" in held["detail"]) == (409, True)
        assert (await refused(site, "DELETE", "/v1/volumes/corpus"))["status"] == 409
        assert (await site.call("DELETE", "/v1/volumes/corpus/versions/2")).status_code == 200

    play(scenario)


@pytest.mark.parametrize(
    ("volumes", "field", "detail"),
    [
        (["corpsu"], "volumes.0.volume", "there is no volume corpsu"),
        (["corpus:7"], "volumes.0.volume", "volume corpus has no version 7"),
        (["corpus:in:rw"], "volumes.0.mode", "a version of corpus never changes"),
        (["corpus:/abs"], "volumes.0.path", "volumes.0.path must be relative"),
        (["corpus:../up"], "volumes.0.path", "volumes.0.path must be a path below"),
        (["corpus", "corpus:1:other"], "volumes.1.volume", "volumes.1 names corpus again"),
        (["Corpus!"], "volumes.0.volume", "volumes.0.volume names no volume"),
    ],
)
def test_a_job_that_names_what_is_not_there_is_refused(
    play: Play, volumes: list[str], field: str, detail: str
) -> None:
    async def scenario(site: Site) -> None:
        await created(site)
        await pushed(site, ONE)
        body = {"command": ["true"], "volumes": volumes}
        told = await refused(site, "POST", "/v1/jobs", body)
        assert (told["field"], told["detail"].startswith(detail)) == (field, True), told

    play(scenario)


def test_a_path_is_a_volume_only_below_a_root_that_is_allowed(play: Play, tmp_path: Path) -> None:
    root = tmp_path / "shared"
    (root / "default" / "set").mkdir(parents=True)
    (root / "other" / "set").mkdir(parents=True)
    (tmp_path / "secret").mkdir()
    (root / "default" / "escape").symlink_to(tmp_path / "secret")
    (root / "default" / "theirs").symlink_to(root / "other")

    async def scenario(site: Site) -> None:
        async def create(name: str, path: str, **more: Any) -> tuple[int, str]:
            at = f"/v1/volumes/{name}/path"
            response = await site.call("POST", at, {"path": path}, **more)
            return response.status_code, response.json().get("detail", "")

        mine = str(root / "default" / "set")
        assert await create("set", mine) == (403, "no path may be a volume here")
        site.services.volume_roots = (f"{root}/{{project}}",)
        assert (await create("set", mine))[0] == 201
        for path in ("escape", "theirs/set", "../other/set", "missing", "../../secret"):
            status, _ = await create("bad", str(root / "default") + f"/{path}")
            assert status in {403, 404, 422}, path
        for path in ("/etc", "relative", str(root / "other" / "set")):
            assert (await create("bad", path))[0] in {403, 422}
        developer = await site.make_key(Role.DEVELOPER)
        assert (await create("dev", mine, key=developer))[0] == 403
        job = await site.submit(volumes=["set:out:rw"])
        await site.phase(job, "running")
        mount = site.engine.machines.attempts[attempt_key(job)].launch.volumes[0]
        assert (mount.source, mount.writable, mount.digest) == (mine, True, "")
        site.engine.exit(attempt_key(job))
        await site.phase(job, "succeeded")
        (root / "default" / "set").rmdir()
        (root / "default" / "set").symlink_to(tmp_path / "secret")
        body = {"command": ["true"], "volumes": ["set"]}
        assert (await refused(site, "POST", "/v1/jobs", body))["status"] in {403, 409}
        pushing = await refused(
            site, "POST", "/v1/volumes/set/versions", {"digest": digest_of(b"x")}
        )
        assert "only managed ones have versions" in pushing["detail"]

    play(scenario)


def test_no_key_of_another_tenant_or_project_sees_a_volume(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await created(site)
        version = await pushed(site, ONE)
        await site.call("POST", "/v1/projects", {"name": "nlp"})
        project = await site.make_key(Role.PROJECT_ADMIN, project="nlp")
        tenant = await site.make_key(Role.TENANT_ADMIN, tenant="other")
        at = "/v1/volumes/corpus"
        for key in (project, tenant):
            assert (await site.call("GET", "/v1/volumes", key=key)).json()["items"] == []
            for method, path, body in (
                ("GET", at, None),
                ("GET", f"{at}?project=default", None),
                ("DELETE", at, None),
                ("PUT", f"{at}/quota", {"quota": 1}),
                ("GET", f"{at}/versions", None),
                ("GET", f"{at}/versions/1", None),
                ("DELETE", f"{at}/versions/1", None),
                ("GET", f"{at}/versions/1/files", None),
                ("GET", f"{at}/versions/1/file?path=a.bin", None),
                ("GET", f"{at}/versions/1/diff?to=1", None),
                ("POST", f"{at}/check", {"digest": version["digest"]}),
                ("POST", f"{at}/versions", {"digest": version["digest"]}),
            ):
                response = await site.call(method, path, body, key=key)
                missing = await site.call(method, path.replace("corpus", "nothing"), body, key=key)
                assert (response.status_code, missing.status_code) == (404, 404), (method, path)
                told = response.json()["detail"].replace("corpus", "nothing")
                assert told == missing.json()["detail"]
        body = {"command": ["true"], "volumes": ["corpus"]}
        response = await site.call("POST", "/v1/jobs", body, key=project)
        assert (response.status_code, response.json()["detail"]) == (
            404,
            "there is no volume corpus",
        )

    play(scenario)


def test_to_know_a_digest_is_not_to_have_it(play: Play) -> None:
    """A manifest that names another tenant's files is not taken, and gives nothing of them."""

    async def scenario(site: Site) -> None:
        await created(site)
        version = await pushed(site, ONE)
        other = await site.make_key(Role.TENANT_ADMIN, tenant="other")
        digest = version["digest"]
        assert (await site.call("GET", f"/v1/artifacts/{digest}", key=other)).status_code == 404
        tree = manifest(**ONE)
        taken = await site.call("PUT", f"/v1/artifacts/{digest}?kind=tree", tree, key=other)
        assert (taken.status_code, "2 files of this tree" in taken.text) == (409, True)
        path = f"/v1/artifacts/{digest}/file?path=a.bin"
        assert (await site.call("GET", path, key=other)).status_code == 404

    play(scenario)


def test_a_rank_reads_and_pushes_in_its_own_project(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await created(site)
        await pushed(site, ONE)
        job = await site.submit(volumes=["corpus"])
        await site.phase(job, "running")
        claims = Claims(
            gang=job["id"], attempt=1, tenant="default", project="default", expires_ms=1 << 60
        )
        key = RankTokens(SECRET).issue(claims)
        at = "/v1/volumes/corpus/versions"
        read = await site.call("GET", f"{at}/1/file?path=a.bin", key=key)
        assert read.content == ONE["a.bin"]
        for data in TWO.values():
            path = f"/v1/artifacts/{digest_of(data)}?kind=file"
            assert (await site.call("PUT", path, data, key=key)).status_code in {200, 201}
        tree = manifest(**TWO)
        await site.call("PUT", f"/v1/artifacts/{digest_of(tree)}?kind=tree", tree, key=key)
        made = await site.call("POST", at, {"digest": digest_of(tree)}, key=key)
        assert (made.json()["ref"], made.json()["job"]) == ("corpus:2", job["id"])
        assert (await site.call("DELETE", f"{at}/1", key=key)).status_code == 403
        elsewhere = await site.call("GET", "/v1/volumes/corpus?project=other", key=key)
        assert elsewhere.status_code == 404

    play(scenario)


def test_a_retry_needs_its_data_to_be_there_still(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await created(site)
        await pushed(site, ONE)
        job = await site.submit(volumes=["corpus"])
        await site.phase(job, "running")
        await site.call("POST", f"/v1/jobs/{job['id']}/cancel")
        await site.phase(job, "cancelled")
        await site.call("DELETE", "/v1/volumes/corpus/versions/1")
        told = await refused(site, "POST", f"/v1/jobs/{job['id']}/retry")
        assert told["detail"] == "corpus:1 was deleted; it has none"

    play(scenario)


def test_pushes_at_the_same_time_each_become_a_version(play: Play) -> None:
    async def scenario(site: Site) -> None:
        import asyncio

        await created(site)
        made = await asyncio.gather(*(pushed(site, {"n": str(n).encode()}) for n in range(4)))
        assert sorted(each["number"] for each in made) == [1, 2, 3, 4]
        volume = await site.view("/v1/volumes/corpus")
        assert (volume["latest"], volume["stored_bytes"]) == (4, 4)

    play(scenario)


def test_nothing_of_a_version_is_pruned_until_it_is_deleted(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await created(site)
        first = await pushed(site, ONE)
        second = await pushed(site, TWO)
        contents = {digest_of(data) for files in (ONE, TWO) for data in files.values()}
        contents |= {first["digest"], second["digest"]}
        await aged(site, contents)
        assert await pruned_contents(site) == set()
        assert (await pushed(site, ONE))["ref"] == "corpus:3"
        await aged(site, contents)
        await site.call("DELETE", "/v1/volumes/corpus/versions/2")
        only = {digest_of(TWO["train/b.bin"]), digest_of(TWO["train/c.bin"]), second["digest"]}
        assert await pruned_contents(site) == only
        read = await site.call("GET", "/v1/volumes/corpus/versions/3/file?path=a.bin")
        assert read.content == ONE["a.bin"]
        tree = manifest(**ONE)
        await put(site, tree)
        body = {"digest": digest_of(tree)}
        check = (await site.call("POST", "/v1/volumes/corpus/check", body)).json()
        assert check["missing"] == []  # although the records of single files went

    play(scenario)


async def aged(site: Site, digests: set[str]) -> None:
    for digest in digests:
        os.utime(site.services.artifacts.path(digest), (1_000_000_000, 1_000_000_000))


async def pruned_contents(site: Site) -> set[str]:
    response = await site.call("POST", "/v1/prune", {"older_than": "0s"})
    assert response.status_code == 200, response.text
    return {each["id"] for each in response.json()["go"] if each["kind"] == "contents"}


def test_the_manifest_of_the_tests_is_the_stores_own() -> None:
    assert json.loads(manifest(**ONE))["format"] == "gigawatt-tree-1"
