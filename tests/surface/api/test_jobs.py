"""Jobs over the API, on a real store and the real loop."""

import pytest

from tests.surface.api.conftest import Play
from tests.surface.api.site import Site, attempt_key

pytestmark = pytest.mark.slow

WHOLE_CLUSTER = {"nodes": 2, "cpus": 2}


def test_a_job_is_acknowledged_runs_and_ends(play: Play) -> None:
    async def scenario(site: Site) -> None:
        job = await site.submit(labels={"team": "nlp"}, command="python train.py")
        await site.phase(job, "running")
        site.engine.exit(attempt_key(job))
        view = await site.phase(job, "succeeded")
        assert view["labels"] == {"team": "nlp"}
        assert view["command"] == ["sh", "-c", "python train.py"]
        assert view["attempts"][0]["verdict"] == "success"
        assert view["ended_ms"] is not None

    play(scenario)


def test_a_waiting_job_says_why_and_what_would_help(play: Play) -> None:
    async def scenario(site: Site) -> None:
        first = await site.submit(gang=WHOLE_CLUSTER)
        await site.phase(first, "running")
        job = await site.submit(name="second", gang={"nodes": 2, "cpus": 1})
        view = await site.phase(job, "queued")
        assert (view["position"], view["reason"]["code"]) == (1, "resources_busy")
        assert (view["reason"]["need"], view["reason"]["have"]) != (0, 0)
        explained = await site.view(f"/v1/jobs/{job['id']}/explain")
        assert explained["reason"] == view["reason"]
        assert explained["position"] == 1
        assert explained["verdict"] is None

    play(scenario)


def test_a_failed_job_explains_itself_with_evidence(play: Play) -> None:
    async def scenario(site: Site) -> None:
        job = await site.submit()
        await site.phase(job, "running")
        site.engine.exit(attempt_key(job), code=3)
        await site.phase(job, "failed")
        explained = await site.view(f"/v1/jobs/{job['id']}/explain")
        assert (explained["verdict"], explained["charged_to"]) == ("user", "user")
        assert explained["evidence"][0]["detail"].startswith("exit code 3")
        assert explained["message"].startswith("attempt 1 ended")

    play(scenario)


def test_a_cancelled_job_can_be_retried(play: Play) -> None:
    async def scenario(site: Site) -> None:
        job = await site.submit()
        await site.phase(job, "running")
        response = await site.call("POST", f"/v1/jobs/{job['id']}/cancel")
        assert response.status_code == 200
        await site.phase(job, "cancelled")
        again = await site.call("POST", f"/v1/jobs/{job['id']}/cancel")
        assert (again.status_code, again.json()["type"]) == (409, "urn:gigawatt:problem:conflict")
        response = await site.call("POST", f"/v1/jobs/{job['id']}/retry")
        assert response.status_code == 200
        view = await site.phase(job, "running")
        assert [attempt["n"] for attempt in view["attempts"]] == [1, 2]

    play(scenario)


def test_a_job_waits_for_the_newest_of_the_names_it_comes_after(play: Play) -> None:
    async def scenario(site: Site) -> None:
        first = await site.submit(name="prepare")
        job = await site.submit(name="train", after=["prepare"])
        assert (job["phase"], job["after"]) == ("blocked", [first["id"]])
        assert job["reason"]["code"] == "dependency"
        await site.phase(first, "running")
        site.engine.exit(attempt_key(first))
        await site.phase(job, "running")
        late = await site.submit(name="late", after=["prepare", first["id"]])
        assert late["after"] == [first["id"]]
        await site.phase(late, "running")

    play(scenario)


def test_a_job_after_a_failed_or_an_unknown_one_is_refused(play: Play) -> None:
    async def scenario(site: Site) -> None:
        first = await site.submit(name="prepare")
        await site.phase(first, "running")
        site.engine.exit(attempt_key(first), code=1)
        await site.phase(first, "failed")
        body = {"command": "x", "after": ["prepare"]}
        response = await site.call("POST", "/v1/jobs", body)
        assert (response.status_code, response.json()["field"]) == (409, "after")
        response = await site.call("POST", "/v1/jobs", {"command": "x", "after": ["nothing"]})
        assert response.status_code == 404
        assert response.json()["detail"] == "there is no job nothing"

    play(scenario)


def test_a_gang_that_could_never_run_is_refused_with_both_numbers(play: Play) -> None:
    async def scenario(site: Site) -> None:
        response = await site.call("POST", "/v1/jobs", {"command": "x", "gang": {"nodes": 3}})
        problem = response.json()
        assert (response.status_code, problem["type"]) == (422, "urn:gigawatt:problem:impossible")
        assert problem["field"] == "gang.nodes"
        assert "it needs 3 nodes and can have 2 nodes" in problem["detail"]
        body = {"command": "x", "gang": {"memory": "9GiB"}}
        problem = (await site.call("POST", "/v1/jobs", body)).json()
        assert problem["field"] == "gang.memory"
        assert "it needs 9 GiB and can have 8 GiB" in problem["detail"]
        assert (await site.view("/v1/jobs"))["items"] == []

    play(scenario)


def test_a_dry_run_says_where_it_would_go_and_makes_nothing(play: Play) -> None:
    async def scenario(site: Site) -> None:
        body = {"name": "try", "command": "x", "gang": {"nodes": 2, "cpus": 1}}
        dry = (await site.call("POST", "/v1/jobs?dry_run=true", body)).json()
        assert (dry["feasible"], dry["starts_now"], dry["reason"]) == (True, True, None)
        assert [place["rank"] for place in dry["placements"]] == [0, 1]
        assert {place["node"] for place in dry["placements"]} == {"node-0", "node-1"}
        assert dry["spec"]["gang"]["nodes"] == {"min": 2, "max": 2}
        body["gang"] = {"nodes": 5}
        dry = (await site.call("POST", "/v1/jobs?dry_run=true", body)).json()
        assert (dry["feasible"], dry["reason"]["need"], dry["reason"]["have"]) == (False, 5, 2)
        await site.phase(await site.submit(gang=WHOLE_CLUSTER), "running")
        body["gang"] = {"nodes": 1}
        dry = (await site.call("POST", "/v1/jobs?dry_run=true", body)).json()
        assert (dry["feasible"], dry["starts_now"]) == (True, False)
        assert dry["reason"]["code"] == "resources_busy"
        assert len((await site.view("/v1/jobs"))["items"]) == 1

    play(scenario)


def test_a_bundle_that_was_not_uploaded_is_refused(play: Play) -> None:
    async def scenario(site: Site) -> None:
        body = {"command": "x", "bundle": "sha256:" + "0" * 64}
        response = await site.call("POST", "/v1/jobs", body)
        assert (response.status_code, response.json()["field"]) == (404, "bundle")

    play(scenario)


def test_an_environment_that_this_machine_cannot_build_is_refused(play: Play) -> None:
    async def scenario(site: Site) -> None:
        environment = {"kind": "uv", "python": "3.9", "requirements": ["six"]}
        body = {"command": "x", "environment": environment}
        response = await site.call("POST", "/v1/jobs", body)
        problem = response.json()
        assert (response.status_code, problem["field"]) == (422, "environment.python")
        assert problem["type"].endswith(":unsupported")

    play(scenario)


def test_a_job_whose_environment_is_new_waits_for_it(play: Play) -> None:
    async def scenario(site: Site) -> None:
        job = await site.submit(environment={"kind": "uv", "requirements": ["six"]})
        assert job["environment"].startswith("env-")
        await site.phase(job, "running")
        environment = await site.view(f"/v1/environments/{job['environment']}")
        assert (environment["phase"], environment["lock"]) == ("ready", "six==1.17.0\n")

    play(scenario)


def test_a_list_pages_newest_first_without_gaps(play: Play) -> None:
    async def scenario(site: Site) -> None:
        ids = [(await site.submit(name=f"j{n}"))["id"] for n in range(7)]
        seen: list[str] = []
        cursor = ""
        while True:
            page = await site.view(f"/v1/jobs?limit=3&cursor={cursor}")
            seen += [job["id"] for job in page["items"]]
            cursor = page["next"]
            if not cursor:
                break
        assert sorted(seen) == sorted(ids)
        assert len(seen) == 7
        created = [(await site.view(f"/v1/jobs/{job}"))["created_ms"] for job in seen]
        assert created == sorted(created, reverse=True)

    play(scenario)


def test_a_list_is_filtered_by_phase_name_and_time(play: Play) -> None:
    async def scenario(site: Site) -> None:
        ended = await site.submit(name="ended")
        await site.phase(ended, "running")
        site.engine.exit(attempt_key(ended))
        await site.phase(ended, "succeeded")
        live = await site.submit(name="live")
        await site.phase(live, "running")

        async def ids(query: str) -> list[str]:
            return [job["id"] for job in (await site.view(f"/v1/jobs?{query}"))["items"]]

        assert await ids("phase=running&phase=queued") == [live["id"]]
        assert await ids("name=ended") == [ended["id"]]
        assert await ids("until=2001-01-01") == []
        assert len(await ids("since=2001-01-01T00:00:00Z")) == 2
        assert await ids("project=other") == []

    play(scenario)


def test_a_misspelt_filter_is_refused(play: Play) -> None:
    async def scenario(site: Site) -> None:
        for query, field in (
            ("phse=running", "phse"),
            ("phase=runing", "phase"),
            ("limit=0", "limit"),
            ("limit=1000", "limit"),
            ("since=yesterday", "since"),
            ("cursor=abc", "cursor"),
        ):
            response = await site.call("GET", f"/v1/jobs?{query}")
            assert (response.status_code, response.json()["field"]) == (422, field), query
        assert (await site.call("GET", "/v1/jobs?phase=runing")).json()["hint"] == (
            "did you mean 'running'?"
        )

    play(scenario)


def test_a_name_means_the_newest_job_that_has_it(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await site.submit(name="train")
        newest = await site.submit(name="train")
        assert (await site.view("/v1/jobs/train"))["id"] == newest["id"]
        response = await site.call("GET", "/v1/jobs/nothing")
        assert (response.status_code, response.json()["hint"]) == (
            404,
            "gw jobs lists those there are",
        )

    play(scenario)
