"""Checkpoints over the API: the list, reading them again, and jobs that start from another's."""

from typing import Any

import pytest

from gigawatt import clock
from gigawatt.model.checkpoint import Checkpoint
from gigawatt.model.observation import CheckpointSaved
from gigawatt.model.tenant import Role
from tests.surface.api.conftest import Play
from tests.surface.api.site import Site, attempt_key

pytestmark = pytest.mark.slow


async def with_checkpoints(site: Site, *steps: int, **fields: Any) -> dict[str, Any]:
    """A running job that has saved these steps."""
    job = await site.submit(**fields)
    await site.phase(job, "running")
    for step in steps:
        saved = Checkpoint(
            step=step,
            path=f"/c/{job['id']}/step-{step}",
            at_ms=clock.now_ms() + step,
            size_bytes=4096,
            files=2,
            metrics=(("val_loss", 1 / step),),
        )
        site.engine.tell(CheckpointSaved(key=attempt_key(job), rank=0, checkpoint=saved))

    async def recorded() -> dict[str, Any] | None:
        view = await site.view(f"/v1/jobs/{job['id']}")
        return view if view["checkpoint"] and view["checkpoint"]["step"] == steps[-1] else None

    return await site.until(recorded)


def test_a_jobs_checkpoints_are_listed_newest_first(play: Play) -> None:
    async def scenario(site: Site) -> None:
        job = await with_checkpoints(site, 1, 2)
        page = await site.view(f"/v1/jobs/{job['id']}/checkpoints")
        assert page["next"] == ""
        assert [each["step"] for each in page["items"]] == [2, 1]
        newest = page["items"][0]
        assert (newest["state"], newest["newest"], newest["size_bytes"]) == ("valid", True, 4096)
        assert newest["metrics"] == {"val_loss": 0.5}

    play(scenario)


def test_one_that_reads_differently_is_said_and_is_on_record_as_invalid(play: Play) -> None:
    async def scenario(site: Site) -> None:
        job = await with_checkpoints(site, 1, 2)
        path = f"/v1/jobs/{job['id']}/checkpoints"
        site.engine.machines.broken[f"/c/{job['id']}/step-2"] = "shard-0 has 3 bytes"
        page = await site.view(f"{path}/verify")
        assert [(each["valid"], each["fault"]) for each in page["items"]] == [
            (False, "shard-0 has 3 bytes"),
            (True, ""),
        ]

        async def known() -> list[dict[str, Any]] | None:
            items = (await site.view(path))["items"]
            return items if items[0]["state"] == "invalid" else None

        invalid, valid = await site.until(known)
        assert (invalid["why"], invalid["newest"]) == ("shard-0 has 3 bytes", False)
        assert valid["newest"]
        assert valid["digest"].startswith("sha256:")
        one = await site.view(f"{path}/verify?step=1")
        assert [each["step"] for each in one["items"]] == [1]
        none = await site.call("GET", f"{path}/verify?step=7")
        assert (none.status_code, none.json()["hint"]) == (404, "it has steps 1")

    play(scenario)


def test_a_job_starts_from_another_jobs_newest_or_named_step(play: Play) -> None:
    async def scenario(site: Site) -> None:
        job = await with_checkpoints(site, 1, 2, name="source")
        body = {"command": "true", "name": "next", "from": "source"}
        tried = await site.call("POST", "/v1/jobs?dry_run=true", body)
        assert tried.json()["spec"]["from"] == f"{job['id']}@2"
        named = await site.call("POST", "/v1/jobs?dry_run=true", {**body, "from": "source@1"})
        assert named.json()["spec"]["from"] == f"{job['id']}@1"
        second = await site.submit(**body)
        view = await site.phase(second, "running")
        (started,) = site.engine.machines.attempts[attempt_key(view)].launch.resume
        assert started.checkpoint.path == f"/c/{job['id']}/step-2"

    play(scenario)


@pytest.mark.parametrize(
    ("written", "detail"),
    [
        ("nobody", "there is no job nobody"),
        ("source@7", "has no valid checkpoint of step 7"),
        ("source@last", "names no step after its @"),
        ("bare", "has no valid checkpoint"),
    ],
)
def test_a_start_from_what_is_not_there_is_refused(play: Play, written: str, detail: str) -> None:
    async def scenario(site: Site) -> None:
        await with_checkpoints(site, 1, name="source")
        await site.submit(name="bare")
        body = {"command": "true", "name": "next", "from": written}
        refused = await site.call("POST", "/v1/jobs", body)
        assert refused.status_code in {404, 422}
        assert refused.json()["field"] == "from"
        assert detail in refused.json()["detail"]

    play(scenario)


def test_a_checkpoint_of_another_project_cannot_be_started_from(play: Play) -> None:
    async def scenario(site: Site) -> None:
        job = await with_checkpoints(site, 1, name="source")
        await site.call("POST", "/v1/projects", {"name": "other"})
        body = {"command": "true", "name": "next", "from": job["id"]}
        refused = await site.call("POST", "/v1/jobs?project=other", body)
        assert (refused.status_code, refused.json()["field"]) == (404, "from")

    play(scenario)


def test_a_missing_origin_fails_the_job_and_says_so(play: Play) -> None:
    async def scenario(site: Site) -> None:
        job = await with_checkpoints(site, 1, name="source")
        site.engine.machines.broken[f"/c/{job['id']}/step-1"] = "it is not there"
        second = await site.submit(name="next", **{"from": "source"})
        view = await site.phase(second, "failed")
        assert "the checkpoint that it starts from is not valid" in view["message"]
        assert view["attempts"][0]["charged_to"] == "user"

    play(scenario)


def test_viewers_list_checkpoints_and_do_not_have_them_read(play: Play) -> None:
    async def scenario(site: Site) -> None:
        job = await with_checkpoints(site, 1)
        viewer = await site.make_key(Role.VIEWER)
        path = f"/v1/jobs/{job['id']}/checkpoints"
        assert (await site.call("GET", path, key=viewer)).status_code == 200
        assert (await site.call("GET", f"{path}/verify", key=viewer)).status_code == 403

    play(scenario)
