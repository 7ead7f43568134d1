"""Policies and pruning through the API, on real files: what goes, what stays and why, and what is said of what is gone."""

import os
from pathlib import Path
from typing import Any

import pytest

from gigawatt.build.trees import TreeFile, encode_manifest, manifest_of
from gigawatt.model.tenant import Role
from tests.surface.api.conftest import Play
from tests.surface.api.site import Site, attempt_key
from tests.surface.api.test_builds import digest_of

pytestmark = pytest.mark.slow

LONG_AGO_S = 1_000_000_000


async def upload(site: Site, data: bytes, *, kind: str = "bundle") -> str:
    digest = digest_of(data)
    response = await site.call("PUT", f"/v1/artifacts/{digest}?kind={kind}", data)
    assert response.status_code == 201, response.text
    path = site.services.artifacts.path(digest)
    os.utime(path, (LONG_AGO_S, LONG_AGO_S))
    return digest


async def ended(site: Site, *, code: int = 0, **fields: Any) -> dict[str, Any]:
    job = await site.submit(**fields)
    await site.phase(job, "running")
    site.engine.exit(attempt_key(job), code=code)
    return await site.phase(job, "succeeded", "failed")


async def pruned(
    site: Site, *kinds: str, older_than: str = "", dry: bool = False
) -> dict[str, Any]:
    body: dict[str, Any] = {"kinds": list(kinds)}
    if older_than:
        body["older_than"] = older_than
    response = await site.call("POST", f"/v1/prune?dry_run={str(dry).lower()}", body)
    assert response.status_code == 200, response.text
    return response.json()


def went(view: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["kind"], each["id"]) for each in view["go"]]


def work_of(site: Site, tmp_path: Path, job: dict[str, Any]) -> Path:
    place = tmp_path / "work" / "default" / "default" / job["id"] / "checkpoints"
    place.mkdir(parents=True)
    (place / "step-1").write_bytes(b"x" * 100)
    os.utime(place.parent, (LONG_AGO_S, LONG_AGO_S))
    return place.parent


def test_nothing_goes_where_no_policy_says_so(play: Play, tmp_path: Path) -> None:
    async def scenario(site: Site) -> None:
        bundle = await upload(site, b"code")
        job = await ended(site, bundle=bundle)
        work_of(site, tmp_path, job)
        view = await pruned(site)
        assert view["go"] == []
        assert {each["why"] for each in view["stay"]} == {
            "its policy keeps it",
            f"artifact default/{bundle} needs it",
        }

    play(scenario)


def test_a_policy_is_shown_and_set_and_wrong_ones_are_named(play: Play) -> None:
    async def scenario(site: Site) -> None:
        path = "/v1/projects/default/retention"
        before = await site.view(path)
        assert {each["own_s"] for each in before["policies"]} == {None}
        response = await site.call("PUT", path, {"logs": "30d", "jobs": "forever"})
        kept = {each["kind"]: each["own_s"] for each in response.json()["policies"]}
        assert (kept["logs"], kept["jobs"], kept["artifacts"]) == (30 * 86_400, 0, None)
        await site.call("PUT", path, {"logs": "default"})
        after = {each["kind"]: each["own_s"] for each in (await site.view(path))["policies"]}
        assert (after["logs"], after["jobs"]) == (None, 0)
        for body, field in (({"logs": "soon"}, "logs"), ({"log": "3d"}, "log")):
            refused = await site.call("PUT", path, body)
            assert (refused.status_code, refused.json()["field"]) == (422, field)
        assert (await site.call("GET", "/v1/projects/none/retention")).status_code == 404
        stale = await site.call("PUT", path, {"logs": "1d"}, headers={"If-Match": '"99"'})
        assert stale.status_code == 412

    play(scenario)


def test_what_a_kept_job_names_by_digest_stays_and_what_its_function_returned(
    play: Play, tmp_path: Path
) -> None:
    async def scenario(site: Site) -> None:
        value = await upload(site, b"a function that travelled as a value", kind="file")
        data = await upload(site, b"a table", kind="file")
        other = await upload(site, b"what nobody names", kind="file")
        env = {"GW_CALL": "inline:", "GW_FUNCTION": value}
        job = await ended(site, env=env, command=["python", "-c", "pass", f"--data={data}"])
        work = work_of(site, tmp_path, job)
        done = await pruned(site, "artifacts", "contents", "checkpoints", older_than="0s")
        assert set(went(done)) == {("artifacts", f"default/{other}"), ("contents", other)}
        assert work.exists()
        done = await pruned(site, older_than="0s")
        assert ("checkpoints", job["id"]) in went(done)
        assert ("contents", value) in went(done)
        assert not work.exists()

    play(scenario)


def test_an_array_goes_as_a_whole_and_not_while_it_lives(play: Play) -> None:
    async def scenario(site: Site) -> None:
        bundle = await upload(site, b"code")
        fields = {"command": ["true"], "bundle": bundle, "array": {"count": 2, "parallel": 1}}
        response = await site.call("POST", "/v1/arrays", fields)
        assert response.status_code == 201, response.text
        array = response.json()["id"]
        for index in range(2):
            task = await site.phase({"id": f"{array}.{index}"}, "running")
            site.engine.exit(attempt_key(task), code=0)
            await site.phase(task, "succeeded")
            live = await pruned(site, older_than="0s")
            assert [kind for kind, _ in went(live) if kind in {"jobs", "contents"}] == (
                [] if index == 0 else ["jobs", "jobs", "jobs", "contents"]
            )
        for path in (f"/v1/arrays/{array}", f"/v1/jobs/{array}.0"):
            assert (await site.call("GET", path)).status_code == 410
        again = await site.call("POST", f"/v1/arrays/{array}/retry")
        assert again.status_code == 410

    play(scenario)


def test_a_job_goes_with_its_files_and_its_bundle_and_is_told_as_gone(
    play: Play, tmp_path: Path
) -> None:
    async def scenario(site: Site) -> None:
        bundle = await upload(site, b"code")
        job = await ended(site, bundle=bundle)
        work = work_of(site, tmp_path, job)
        ledger = await site.view("/v1/ledger")
        planned = await pruned(site, older_than="0s", dry=True)
        assert work.exists()
        done = await pruned(site, older_than="0s")
        assert went(done) == went(planned)
        assert went(done)[0] == ("jobs", job["id"])
        assert set(went(done)[1:]) == {
            ("artifacts", f"default/{bundle}"),
            ("contents", bundle),
            ("checkpoints", job["id"]),
        }
        assert not work.exists()
        assert not site.services.artifacts.path(bundle).exists()
        assert list((tmp_path / "discarded").iterdir()) == []
        gone = await site.call("GET", f"/v1/jobs/{job['id']}")
        assert gone.status_code == 410
        assert "was removed by operator" in gone.json()["detail"]
        retried = await site.call("POST", f"/v1/jobs/{job['id']}/retry")
        assert retried.status_code == 410
        after = await site.view("/v1/ledger")
        assert after["classes"]["useful"] >= ledger["classes"]["useful"]
        assert went(await pruned(site, older_than="0s")) == []

    play(scenario)


def test_a_failed_job_keeps_what_a_retry_needs_and_a_live_one_all(
    play: Play, tmp_path: Path
) -> None:
    async def scenario(site: Site) -> None:
        bundle = await upload(site, b"code")
        failed = await ended(site, code=3, bundle=bundle)
        work_of(site, tmp_path, failed)
        live = await site.submit(bundle=await upload(site, b"more"))
        await site.phase(live, "running")
        view = await pruned(site, "checkpoints", "artifacts", "contents", older_than="0s")
        assert view["go"] == []
        assert f"job {failed['id']} needs it" in {each["why"] for each in view["stay"]}
        assert (await site.call("POST", f"/v1/jobs/{failed['id']}/retry")).status_code == 200

    play(scenario)


def test_a_registered_model_keeps_its_files(play: Play) -> None:
    async def scenario(site: Site) -> None:
        bundle = await upload(site, b"weights", kind="file")
        response = await site.call("POST", "/v1/models", {"name": "m", "digest": bundle})
        assert response.status_code == 201, response.text
        loose = await upload(site, b"loose", kind="file")
        view = await pruned(site, older_than="0s")
        assert went(view) == [("artifacts", f"default/{loose}"), ("contents", loose)]
        assert site.services.artifacts.exists(bundle)

    play(scenario)


def test_files_of_a_tree_stay_as_long_as_the_tree(play: Play) -> None:
    async def scenario(site: Site) -> None:
        digest = await upload(site, b"weights", kind="file")
        file = TreeFile(path="w", size=7, sha256=digest.removeprefix("sha256:"), executable=False)
        tree = await upload(site, encode_manifest(manifest_of([file])), kind="tree")
        made = await site.call("POST", "/v1/models", {"name": "m", "digest": tree})
        assert made.status_code == 201, made.text
        view = await pruned(site, older_than="0s")
        assert went(view) == [("artifacts", f"default/{digest}")]
        assert site.services.artifacts.exists(digest)

    play(scenario)


def test_what_was_only_just_sent_is_left_alone(play: Play) -> None:
    async def scenario(site: Site) -> None:
        digest = await upload(site, b"code")
        site.services.artifacts.use(digest)
        view = await pruned(site, older_than="0s")
        assert went(view) == [("artifacts", f"default/{digest}")]
        assert site.services.artifacts.exists(digest)
        assert (
            await site.call("PUT", f"/v1/artifacts/{digest}?kind=bundle", b"code")
        ).status_code == 201

    play(scenario)


def test_a_project_admin_prunes_its_project_and_nothing_of_nobodys(
    play: Play, tmp_path: Path
) -> None:
    async def scenario(site: Site) -> None:
        await site.call("POST", "/v1/projects", {"name": "other"})
        job = await ended(site)
        orphan = tmp_path / "work" / "default" / "default" / "job-gone"
        orphan.mkdir(parents=True)
        os.utime(orphan, (LONG_AGO_S, LONG_AGO_S))
        key = await site.make_key(Role.PROJECT_ADMIN, project="other")
        body = {"older_than": "0s"}
        mine = await site.call("POST", "/v1/prune", body, key=key)
        assert mine.json()["go"] == []
        foreign = await site.call("POST", "/v1/prune?project=default", body, key=key)
        assert foreign.status_code == 404
        viewer = await site.make_key(Role.VIEWER)
        assert (await site.call("POST", "/v1/prune", body, key=viewer)).status_code == 403
        everything = await pruned(site, older_than="0s")
        assert set(went(everything)) == {("jobs", job["id"]), ("checkpoints", "job-gone")}
        assert not orphan.exists()

    play(scenario)
