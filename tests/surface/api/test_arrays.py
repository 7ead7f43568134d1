"""Job arrays over the API, on a real store and the real loop."""

from typing import Any

import pytest

from gigawatt.model.launch import AttemptKey
from tests.surface.api.conftest import Play
from tests.surface.api.site import Site

pytestmark = pytest.mark.slow


async def submit(site: Site, **fields: Any) -> dict[str, Any]:
    body = {"name": "many", "command": ["true"], "gang": {"cpus": 0.5}, **fields}
    response = await site.call("POST", "/v1/arrays", body)
    assert response.status_code == 201, response.text
    return response.json()


async def counted(site: Site, array: dict[str, Any], **wanted: int) -> dict[str, Any]:
    """The array, once so many of its tasks are where `wanted` says."""

    async def look() -> dict[str, Any] | None:
        view = await site.view(f"/v1/arrays/{array['id']}")
        return view if view["counts"].items() >= wanted.items() else None

    return await site.until(look)


async def ended(site: Site, array: dict[str, Any]) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        view = await site.view(f"/v1/arrays/{array['id']}")
        return view if view["ended_ms"] else None

    return await site.until(look)


async def exits(
    site: Site, array: dict[str, Any], index: int, *, code: int = 0, n: int = 1
) -> None:
    """Task `index` ends by itself, once its attempt `n` runs."""
    key = AttemptKey(gang=f"{array['id']}.{index}", attempt=n)

    async def runs() -> bool | None:
        return True if key in site.engine.machines.attempts else None

    await site.until(runs)
    site.engine.exit(key, code=code)


def test_an_array_runs_its_tasks_a_window_at_a_time(play: Play) -> None:
    async def scenario(site: Site) -> None:
        array = await submit(site, array="0-4%2")
        assert (array["tasks"], array["parallel"], array["phase"]) == (5, 2, "running")
        assert array["counts"]["running"] == 2
        for index in range(5):
            await exits(site, array, index)
        view = await ended(site, array)
        assert (view["phase"], view["indices"]["succeeded"]) == ("succeeded", "0-4")

    play(scenario)


def test_a_sweep_gives_each_task_its_point_of_the_grid(play: Play) -> None:
    async def scenario(site: Site) -> None:
        array = await submit(site, sweep={"LR": [0.1, 0.2], "SEED": [1, 2, 3]})
        await counted(site, array, running=6)
        key = AttemptKey(gang=f"{array['id']}.4", attempt=1)

        async def launched() -> dict[str, str] | None:
            found = site.engine.machines.attempts.get(key)
            return dict(found.launch.env) if found else None

        env = await site.until(launched)
        assert (env["LR"], env["SEED"]) == ("0.2", "2")
        assert env["GIGAWATT_ARRAY_ID"] == array["id"]
        assert (env["GIGAWATT_ARRAY_INDEX"], env["GIGAWATT_ARRAY_COUNT"]) == ("4", "6")

    play(scenario)


def test_failed_tasks_run_again_with_the_attempts_they_had(play: Play) -> None:
    async def scenario(site: Site) -> None:
        array = await submit(site, array=3)
        for index, code in enumerate((0, 3, 0)):
            await exits(site, array, index, code=code)
        view = await ended(site, array)
        assert (view["phase"], view["indices"]["failed"]) == ("failed", "1")
        assert view["message"] == "1 of 3 tasks failed"
        again = await site.call("POST", f"/v1/arrays/{array['id']}/retry")
        assert again.status_code == 200, again.text
        await exits(site, array, 1, n=2)
        assert (await ended(site, array))["phase"] == "succeeded"
        task = await site.view(f"/v1/jobs/{array['id']}[1]")
        assert [attempt["verdict"] for attempt in task["attempts"]] == ["user", "success"]

    play(scenario)


def test_one_task_of_an_ended_array_can_be_retried(play: Play) -> None:
    async def scenario(site: Site) -> None:
        array = await submit(site, array=1)
        await exits(site, array, 0, code=1)
        await ended(site, array)
        again = await site.call("POST", f"/v1/jobs/{array['id']}[0]/retry")
        assert again.status_code == 200, again.text
        assert (await site.view(f"/v1/arrays/{array['id']}"))["phase"] == "running"
        await exits(site, array, 0, n=2)
        assert (await ended(site, array))["phase"] == "succeeded"

    play(scenario)


def test_cancelling_an_array_stops_what_runs_and_drops_the_rest(play: Play) -> None:
    async def scenario(site: Site) -> None:
        array = await submit(site, array="0-9999%2")
        response = await site.call("POST", f"/v1/arrays/{array['id']}/cancel")
        assert response.status_code == 200
        view = await ended(site, array)
        assert (view["phase"], view["counts"]["cancelled"]) == ("cancelled", 10_000)
        again = await site.call("POST", f"/v1/arrays/{array['id']}/cancel")
        assert (again.status_code, again.json()["type"]) == (409, "urn:gigawatt:problem:conflict")

    play(scenario)


def test_too_many_failures_stop_the_rest(play: Play) -> None:
    async def scenario(site: Site) -> None:
        array = await submit(site, array={"count": 100, "parallel": 2, "max_failures": 1})
        for index in range(2):
            await exits(site, array, index, code=1)
        view = await ended(site, array)
        assert (view["phase"], view["message"]) == (
            "failed",
            "2 tasks failed, and max_failures is 1",
        )
        assert view["counts"]["cancelled"] == 98

    play(scenario)


def test_a_job_that_comes_after_an_array_waits_for_all_of_it(play: Play) -> None:
    async def scenario(site: Site) -> None:
        array = await submit(site, array=2)
        job = await site.submit(name="later", after=["many"])
        assert (job["phase"], job["after"]) == ("blocked", [array["id"]])
        await exits(site, array, 0)
        await counted(site, array, succeeded=1)
        assert (await site.view(f"/v1/jobs/{job['id']}"))["phase"] == "blocked"
        await exits(site, array, 1)
        await site.phase(job, "running")

    play(scenario)


def test_an_array_that_comes_after_a_job_that_fails_never_runs(play: Play) -> None:
    async def scenario(site: Site) -> None:
        job = await site.submit(name="first")
        array = await submit(site, array=5, after=["first"])
        assert (array["phase"], array["reason"]["code"]) == ("blocked", "dependency")
        await site.phase(job, "running")
        site.engine.exit(AttemptKey(gang=job["id"], attempt=1), code=1)
        view = await ended(site, array)
        assert (view["phase"], view["counts"]["cancelled"]) == ("failed", 5)

    play(scenario)


def test_the_list_of_jobs_has_no_tasks_and_the_array_has_them(play: Play) -> None:
    async def scenario(site: Site) -> None:
        array = await submit(site, array=3)
        job = await site.submit(name="alone")
        jobs = await site.view("/v1/jobs")
        assert [each["id"] for each in jobs["items"]] == [job["id"]]
        arrays = await site.view("/v1/arrays")
        assert [each["id"] for each in arrays["items"]] == [array["id"]]
        first = await site.view("/v1/arrays/many/tasks?limit=2")
        rest = await site.view(f"/v1/arrays/many/tasks?limit=2&cursor={first['next']}")
        found = [each["index"] for page in (first, rest) for each in page["items"]]
        assert sorted(found) == [0, 1, 2]
        named = await site.view("/v1/jobs/many[2]")
        assert (named["id"], named["array"]) == (f"{array['id']}.2", array["id"])

    play(scenario)


def test_an_environment_that_cannot_be_built_fails_the_whole_array(play: Play) -> None:
    async def scenario(site: Site) -> None:
        site.workshop.failure = "no such package"
        environment = {"kind": "uv", "requirements": ["nonesuch"]}
        array = await submit(site, array=500, environment=environment)
        view = await ended(site, array)
        assert (view["phase"], view["counts"]["cancelled"]) == ("failed", 500)
        assert view["message"] == "its environment failed: no such package"

    play(scenario)


def test_the_same_key_again_makes_one_array(play: Play) -> None:
    async def scenario(site: Site) -> None:
        body = {"name": "many", "command": ["true"], "array": 3}
        headers = {"Idempotency-Key": "k"}
        first = await site.call("POST", "/v1/arrays", body, headers=headers)
        again = await site.call("POST", "/v1/arrays", body, headers=headers)
        assert (first.status_code, again.status_code) == (201, 201)
        assert first.json()["id"] == again.json()["id"]
        assert len((await site.view("/v1/arrays"))["items"]) == 1

    play(scenario)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/jobs", {"array": 3}, "array"),
        ("/v1/arrays", {}, "array"),
        ("/v1/arrays", {"array": 100_001}, "array.count"),
        ("/v1/arrays", {"array": "5-1"}, "array.indices"),
        ("/v1/arrays", {"array": 3, "sweep": {"A": [1, 2]}}, "array"),
        ("/v1/arrays", {"sweep": {"RANK": [1]}}, "sweep.RANK"),
        ("/v1/arrays", {"sweep": {"A": list(range(400)), "B": list(range(400))}}, "sweep"),
        ("/v1/arrays", {"array": 3, "gang": {"cpus": 100}}, "gang.cpus"),
    ],
)
def test_what_no_array_can_be_is_refused_at_its_field(
    play: Play, path: str, body: dict[str, Any], field: str
) -> None:
    async def scenario(site: Site) -> None:
        response = await site.call("POST", path, {"command": ["true"], **body})
        assert response.status_code == 422, response.text
        problem = response.json()
        assert field in {problem["field"], *(each["field"] for each in problem["faults"])}
        assert (await site.view("/v1/arrays"))["items"] == []

    play(scenario)


def test_a_task_that_has_not_been_started_says_so(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await submit(site, array="0-9%1")
        pending = await site.call("GET", "/v1/jobs/many[9]")
        assert pending.status_code == 404
        assert pending.json()["detail"] == "task 9 of many has not been started"
        outside = await site.call("GET", "/v1/jobs/many[10]")
        assert outside.json()["detail"].endswith("has no task 10: it has 0-9")
        whole = (await site.call("GET", "/v1/jobs/many")).json()
        assert whole["detail"] == "many is an array of 10 tasks, and one job is asked for"
        assert "'many[0]'" in whole["hint"]

    play(scenario)


def test_a_dry_run_says_what_was_understood_and_makes_nothing(play: Play) -> None:
    async def scenario(site: Site) -> None:
        body = {"command": ["true"], "array": "0-9%3"}
        response = await site.call("POST", "/v1/arrays?dry_run=true", body)
        view = response.json()
        assert (response.status_code, view["feasible"]) == (200, True)
        assert view["spec"]["array"] == {"indices": "0-9", "parallel": 3, "max_failures": None}
        grid = {"command": ["true"], "array": "%2", "sweep": {"LR": ["1", "2", "3"]}}
        view = (await site.call("POST", "/v1/arrays?dry_run=true", grid)).json()
        assert view["spec"]["array"] == {"indices": "0-2", "parallel": 2, "max_failures": None}
        assert (await site.view("/v1/arrays"))["items"] == []

    play(scenario)


def test_watching_an_array_ends_with_it(play: Play) -> None:
    async def scenario(site: Site) -> None:
        array = await submit(site, array=2)
        await exits(site, array, 0)
        await exits(site, array, 1)
        stream = await site.call("GET", f"/v1/arrays/{array['id']}/watch")
        assert stream.text.endswith("event: end\ndata: {}\n\n")
        assert '"succeeded":2' in stream.text

    play(scenario)
