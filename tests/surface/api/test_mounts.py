"""Volumes of endpoints and workspaces: checked, settled, placed and kept as those of jobs are."""

from pathlib import Path
from typing import Any

import pytest

from gigawatt.model.tenant import Role
from gigawatt.model.volume import Mount
from tests.surface.api.conftest import Play
from tests.surface.api.site import Site
from tests.surface.api.test_endpoints import SERVE, phase, serve, with_model
from tests.surface.api.test_volumes import ONE, TWO, aged, created, pruned_contents, pushed
from tests.surface.api.test_workspaces import BODY, in_phase, made

pytestmark = pytest.mark.slow

KINDS: list[tuple[str, dict[str, Any]]] = [
    ("/v1/endpoints", SERVE),
    ("/v1/workspaces", BODY),
]


def launched(site: Site, name: str) -> tuple[Mount, ...]:
    """What the newest launch of that name mounts."""
    launches = [each.launch for each in site.engine.machines.attempts.values()]
    return [each for each in launches if each.name == name][-1].volumes


async def with_data(site: Site) -> None:
    await created(site)
    await pushed(site, ONE)
    await with_model(site)


def test_a_replica_mounts_the_version_that_was_newest_when_the_spec_was_put(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await with_data(site)
        endpoint = await serve(site, volumes=["corpus:in"], replicas={"min": 1, "max": 1})
        assert endpoint["volumes"] == [{"volume": "corpus:1", "path": "in", "mode": "ro"}]
        await pushed(site, TWO)
        await phase(site, "ready")
        (mount,) = launched(site, "gpt")
        assert (mount.volume, mount.number, mount.path) == ("corpus", 1, "in")
        again = await site.call(
            "POST", "/v1/endpoints", {**SERVE, "volumes": ["corpus:in"], "name": "gpt"}
        )
        assert again.json()["volumes"][0]["volume"] == "corpus:2"

    play(scenario)


def test_a_workspace_mounts_what_it_names_again_at_every_start(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await with_data(site)
        view = await made(site, volumes={"corpus": "in"})
        assert view["volumes"] == [{"volume": "corpus:1", "path": "in", "mode": "ro"}]
        await in_phase(site, "running")
        first = launched(site, "lab")
        await pushed(site, TWO)
        await site.call("POST", "/v1/workspaces/lab/suspend")
        await in_phase(site, "suspended")
        await site.call("POST", "/v1/workspaces/lab/start")
        await in_phase(site, "running")
        assert launched(site, "lab") == first

    play(scenario)


def test_one_like_a_job_sees_the_jobs_data(play: Play, tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()

    async def scenario(site: Site) -> None:
        await with_data(site)
        site.services.volume_roots = (str(tmp_path),)
        body = {"path": str(tmp_path / "shared")}
        await site.call("POST", "/v1/volumes/scratch/path", body)
        await site.submit(volumes=["corpus:in", "scratch:out:rw"])
        await pushed(site, TWO)
        view = await made(site, like="job")
        assert view["volumes"] == [
            {"volume": "corpus:1", "path": "in", "mode": "ro"},
            {"volume": "scratch", "path": "out", "mode": "rw"},
        ]
        own = await made(site, name="own", like="job", volumes=["corpus:2"])
        assert [each["volume"] for each in own["volumes"]] == ["corpus:2"]
        assert (await made(site, name="none", like="job", volumes=[]))["volumes"] == []

    play(scenario)


@pytest.mark.parametrize(("path", "body"), KINDS)
def test_a_directory_that_not_every_node_sees_is_refused_with_a_way_on(
    play: Play, tmp_path: Path, path: str, body: dict[str, Any]
) -> None:
    (tmp_path / "shared").mkdir()

    async def scenario(site: Site) -> None:
        await with_data(site)
        site.services.volume_roots = (str(tmp_path),)
        directory = str(tmp_path / "shared")
        await site.call("POST", "/v1/volumes/scratch/path", {"path": directory})
        site.engine.shared = False
        refused = await site.call("POST", path, {**body, "volumes": ["scratch"]})
        problem = refused.json()
        assert (problem["status"], problem["field"]) == (422, "volumes.0.volume")
        assert problem["detail"] == (
            f"volume scratch is the directory {directory}, and not every node sees this machine's files"
        )
        assert problem["hint"].startswith(f"gw data push NAME {directory} ")

    play(scenario)


def test_one_like_a_job_whose_data_is_gone_or_elsewhere_says_so(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await with_data(site)
        job = await site.submit(volumes=["corpus"])
        await site.call("POST", f"/v1/jobs/{job['id']}/cancel")
        await site.phase(job, "cancelled")
        await site.call("POST", "/v1/projects", {"name": "nlp"})
        body = {**BODY, "like": job["id"]}
        away = await site.call("POST", "/v1/workspaces?project=nlp", body)
        assert away.status_code in {404, 409}
        await site.call("DELETE", "/v1/volumes/corpus/versions/1")
        gone = (await site.call("POST", "/v1/workspaces", body)).json()
        assert (gone["field"], gone["status"]) == ("like", 404)
        assert "is not to be had any more: volume corpus has no version 1" in gone["detail"]
        assert gone["hint"] == "give volumes yourself (--volume), or volumes: [] for none"

    play(scenario)


@pytest.mark.parametrize(("path", "body"), KINDS)
@pytest.mark.parametrize(
    ("volumes", "field"),
    [
        (["corpse"], "volumes.0.volume"),
        (["corpus:7"], "volumes.0.volume"),
        (["corpus:in:rw"], "volumes.0.mode"),
        (["corpus:/abs"], "volumes.0.path"),
        (["corpus:a", "corpus:b"], "volumes.1.volume"),
        (["corpus:in", "other:in/deeper"], "volumes.1.path"),
    ],
)
def test_what_is_wrong_with_volumes_is_refused_at_its_field(
    play: Play, path: str, body: dict[str, Any], volumes: list[str], field: str
) -> None:
    async def scenario(site: Site) -> None:
        await with_data(site)
        response = await site.call("POST", path, {**body, "volumes": volumes})
        assert response.status_code >= 400
        assert response.json()["field"] == field, response.text

    play(scenario)


def test_no_other_project_or_tenant_mounts_a_volume(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await with_data(site)
        await site.call("POST", "/v1/projects", {"name": "nlp"})
        project = await site.make_key(Role.PROJECT_ADMIN, project="nlp")
        tenant = await site.make_key(Role.TENANT_ADMIN, tenant="other")
        for key in (project, tenant):
            body = {**BODY, "volumes": ["corpus:1"]}
            response = await site.call("POST", "/v1/workspaces", body, key=key)
            told = (response.status_code, response.json()["detail"])
            assert told == (404, "there is no volume corpus")
        serving = {**SERVE, "volumes": ["corpus:1"]}
        for path in ("/v1/endpoints", "/v1/endpoints?dry_run=true"):
            response = await site.call("POST", path, serving, key=tenant)
            assert response.status_code in {404, 422}
            assert "corpus:1" not in response.text

    play(scenario)


def test_what_is_mounted_is_neither_deleted_nor_pruned(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await with_data(site)
        version = (await site.view("/v1/volumes/corpus/versions/1"))["digest"]
        await serve(site, volumes=["corpus"])
        await made(site, volumes=["corpus"])
        await in_phase(site, "running")
        await site.call("POST", "/v1/workspaces/lab/suspend")
        await in_phase(site, "suspended")
        for at in ("/v1/volumes/corpus", "/v1/volumes/corpus/versions/1"):
            kept = (await site.call("DELETE", at)).json()
            assert (kept["status"], kept["hint"]) == (409, "gw dev delete lab")
            assert kept["detail"] == "corpus:1 is mounted by workspace lab, suspended"
        await site.call("DELETE", "/v1/workspaces/lab")
        kept = (await site.call("DELETE", "/v1/volumes/corpus")).json()
        assert kept["detail"] == "corpus:1 is mounted by endpoint gpt, zero"
        await aged(site, {version})
        assert await pruned_contents(site) == set()
        await site.call("DELETE", "/v1/endpoints/gpt")
        assert (await site.call("DELETE", "/v1/volumes/corpus")).status_code == 200

    play(scenario)
