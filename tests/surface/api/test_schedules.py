"""Schedules over the API: made, seen, changed, each within its project and for its key."""

from typing import Any

import pytest

from gigawatt.model.tenant import Role
from tests.surface.api.conftest import Play
from tests.surface.api.site import Site

pytestmark = pytest.mark.slow

JOB = {"name": "tick", "command": ["true"], "gang": {"cpus": 0.1}}
BODY: dict[str, Any] = {
    "name": "nightly",
    "cron": "@daily",
    "timezone": "Europe/Berlin",
    "job": JOB,
}
NIGHTLY = "/v1/schedules/nightly"


async def create(site: Site, *, key: str | None = None, **fields: Any) -> dict[str, Any]:
    response = await site.call("POST", "/v1/schedules", {**BODY, **fields}, key=key)
    assert response.status_code == 201, response.text
    return response.json()


def test_a_schedule_says_when_it_is_due_and_what_it_submits(play: Play) -> None:
    async def scenario(site: Site) -> None:
        made = await create(site, deadline="30m", overlap="allow")
        assert (made["cron"], made["timezone"], made["deadline_s"]) == (
            "0 0 * * *",
            "Europe/Berlin",
            1800,
        )
        assert (made["phase"], made["job"], made["owner"]) == ("active", "tick", "operator")
        assert made["upcoming"][0] == made["next_ms"]
        assert len(made["upcoming"]) == 5
        assert await site.view(NIGHTLY) == made
        assert (await site.view("/v1/schedules"))["items"] == [made]

    play(scenario)


def test_its_job_is_run_now_and_kept_in_its_history(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await create(site)
        headers = {"Idempotency-Key": "once"}
        made = [await site.call("POST", f"{NIGHTLY}/run", headers=headers) for _ in range(2)]
        assert [each.status_code for each in made] == [201, 201]
        (job,) = {each.json()["id"] for each in made}
        view = await site.view(f"/v1/jobs/{job}")
        assert view["labels"] == {"gigawatt/schedule": "nightly"}
        assert view["cause"]["schedule"] == "nightly"
        (fire,) = (await site.view(f"{NIGHTLY}/fires"))["items"]
        assert (fire["outcome"], fire["job"]) == ("started", job)
        assert (await site.view(NIGHTLY))["last_job"] == job

    play(scenario)


def test_an_array_is_submitted_whole_and_says_where_it_came_from(play: Play) -> None:
    async def scenario(site: Site) -> None:
        made = await create(site, job={**JOB, "sweep": {"LR": [0.1, 0.2, 0.3]}})
        assert (made["job"], made["tasks"]) == ("tick", 3)
        headers = {"Idempotency-Key": "once"}
        runs = [await site.call("POST", f"{NIGHTLY}/run", headers=headers) for _ in range(2)]
        assert [each.status_code for each in runs] == [201, 201]
        (array,) = {each.json()["id"] for each in runs}
        assert runs[0].headers["Location"] == f"/v1/arrays/{array}"
        view = await site.view(f"/v1/arrays/{array}")
        assert (view["tasks"], view["sweep"]) == (3, {"LR": ["0.1", "0.2", "0.3"]})
        assert view["labels"] == {"gigawatt/schedule": "nightly"}
        assert view["cause"]["schedule"] == "nightly"
        (task, *_) = (await site.view(f"/v1/arrays/{array}/tasks"))["items"]
        assert task["cause"]["schedule"] == "nightly"
        assert (await site.view(NIGHTLY))["last_job"] == array

    play(scenario)


def test_a_template_is_filled_in_when_the_schedule_is_made(play: Play) -> None:
    async def scenario(site: Site) -> None:
        file = {"parameters": {"lr": 0.1}, "command": ["t", "${{ lr }}"], "gang": {"cpus": 0.1}}
        await site.call("PUT", "/v1/templates/train", {"file": file})
        template = {"name": "train", "parameters": {"lr": 0.5}}
        made = await create(site, job=None, template=template)
        assert (made["template"], made["template_number"]) == ("train", 1)
        assert made["parameters"] == {"lr": "0.5"}
        await site.call("PUT", "/v1/templates/train", {"file": {**file, "priority": 3}})
        await site.call("DELETE", "/v1/templates/train")
        job = (await site.call("POST", f"{NIGHTLY}/run")).json()
        assert (job["command"], job["priority"]) == (["t", "0.5"], 0)
        assert job["cause"]["template_number"] == 1

    play(scenario)


def test_a_schedule_stops_with_the_key_it_runs_for(play: Play) -> None:
    async def scenario(site: Site) -> None:
        key = (await site.call("POST", "/v1/keys", {"name": "ci"})).json()
        await create(site, key=key["key"])
        await site.call("DELETE", f"/v1/keys/{key['id']}")
        stopped = await site.view(NIGHTLY)
        assert (stopped["phase"], stopped["next_ms"], stopped["upcoming"]) == ("stopped", None, [])
        assert stopped["message"] == "the key of ci, for whom it runs, was revoked"
        resumed = (await site.call("POST", f"{NIGHTLY}/resume")).json()
        assert (resumed["phase"], resumed["owner"], resumed["message"]) == (
            "active",
            "operator",
            "",
        )

    play(scenario)


def test_it_is_paused_resumed_and_deleted_by_those_who_saw_it_last(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await create(site)
        paused = await site.call("POST", f"{NIGHTLY}/pause")
        assert (paused.json()["phase"], paused.headers["ETag"]) == ("paused", '"2"')
        stale = await site.call("POST", f"{NIGHTLY}/resume", headers={"If-Match": '"1"'})
        assert stale.status_code == 412
        resumed = await site.call("POST", f"{NIGHTLY}/resume", headers={"If-Match": '"2"'})
        assert resumed.json()["phase"] == "active"
        assert (await site.call("DELETE", NIGHTLY)).status_code == 204
        assert (await site.call("GET", NIGHTLY)).status_code == 404
        await create(site)
        kinds = [each["kind"] for each in (await site.view("/v1/events"))["items"]]
        assert [kind for kind in kinds if kind.startswith("schedule.")] == [
            "schedule.created",
            "schedule.paused",
            "schedule.resumed",
            "schedule.deleted",
            "schedule.created",
        ]

    play(scenario)


@pytest.mark.parametrize(
    ("field", "value", "detail", "hint"),
    [
        ("cron", "61 * * * *", "has a minute that is not allowed", "minute is 0 to 59"),
        ("cron", 5, "must have five fields", "write minute, hour"),
        ("timezone", "Europe/Berln", "is no time zone", "did you mean 'Europe/Berlin'?"),
        ("overlap", "skpi", "must be", ""),
        ("deadline", "soon", "is not a duration", ""),
        ("job", None, "one of job and template says what is submitted", ""),
        ("job", {**JOB, "after": ["other"]}, "cannot come after another", "second schedule"),
        ("job", {**JOB, "gang": {"nodes": 9}}, "no cluster of this size", "ask for so many"),
        ("job", {"comand": ["x"]}, "is not a known field", "did you mean 'command'?"),
    ],
)
def test_what_could_never_run_is_refused(
    play: Play, field: str, value: object, detail: str, hint: str
) -> None:
    async def scenario(site: Site) -> None:
        response = await site.call("POST", "/v1/schedules", {**BODY, field: value})
        assert response.status_code == 422, response.text
        assert detail in response.json()["detail"]
        assert hint in response.json()["hint"]
        assert (await site.view("/v1/schedules"))["items"] == []

    play(scenario)


def test_another_projects_schedule_is_not_there_and_viewers_only_look(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await create(site)
        await site.call("POST", "/v1/projects", {"name": "other"})
        stranger = await site.make_key(Role.DEVELOPER, project="other")
        viewer = await site.make_key(Role.VIEWER)
        for method, path, seen in (
            ("GET", NIGHTLY, 200),
            ("GET", f"{NIGHTLY}/fires", 200),
            ("POST", f"{NIGHTLY}/run", 403),
            ("POST", f"{NIGHTLY}/pause", 403),
            ("POST", f"{NIGHTLY}/resume", 403),
            ("DELETE", NIGHTLY, 403),
        ):
            assert (await site.call(method, path, key=stranger)).status_code == 404, path
            assert (await site.call(method, path, key=viewer)).status_code == seen, path
        assert (await site.call("POST", "/v1/schedules", BODY, key=viewer)).status_code == 403
        await create(site, key=stranger)

    play(scenario)


def test_labels_are_changed_while_a_job_runs_and_after_it(play: Play) -> None:
    async def scenario(site: Site) -> None:
        job = await site.submit(labels={"a": "1", "b": "2"})
        path = f"/v1/jobs/{job['id']}/labels"
        changed = await site.call("POST", path, {"put": {"a": "3", "c": "4"}, "remove": ["b"]})
        assert changed.json()["labels"] == {"a": "3", "c": "4"}
        await site.call("POST", f"/v1/jobs/{job['id']}/cancel")
        await site.phase(job, "cancelled")
        again = await site.call("POST", path, {"put": {"d": "5"}})
        assert again.json()["labels"] == {"a": "3", "c": "4", "d": "5"}
        assert (await site.view(f"/v1/jobs/{job['id']}"))["phase"] == "cancelled"
        missing = await site.call("POST", path, {"remove": ["x"]})
        assert (missing.status_code, missing.json()["field"]) == (404, "remove")
        many = {"put": {f"l{n}": "" for n in range(32)}}
        assert (await site.call("POST", path, many)).status_code == 422
        viewer = await site.make_key(Role.VIEWER)
        assert (await site.call("POST", path, {}, key=viewer)).status_code == 403

    play(scenario)
