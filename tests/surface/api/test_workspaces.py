"""Workspaces over the API: made, found, suspended, extended, deleted; what is refused, and to whom they are not there."""

from dataclasses import replace
from typing import Any

from gigawatt.model.tenant import Role
from tests.surface.api.conftest import Play
from tests.surface.api.site import PROXY_URL, Site

BODY = {"name": "lab", "program": "shell", "gang": {"cpus": 0.1}}


async def made(site: Site, **fields: Any) -> dict[str, Any]:
    response = await site.call("POST", "/v1/workspaces", {**BODY, **fields})
    assert response.status_code == 201, response.text
    return response.json()


async def in_phase(site: Site, phase: str, *, name: str = "lab") -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        view = await site.view(f"/v1/workspaces/{name}")
        return view if view["phase"] == phase else None

    return await site.until(look)


async def refused(site: Site, status: int, **fields: Any) -> dict[str, Any]:
    response = await site.call("POST", "/v1/workspaces", {**BODY, **fields})
    assert response.status_code == status, response.text
    return response.json()


def test_one_is_made_and_found_by_name(play: Play) -> None:
    async def scenario(site: Site) -> None:
        view = await made(site, idle="30m", lease="8h", env={"A": "1"})
        running = await in_phase(site, "running")
        assert running["id"] == view["id"]
        assert running["url"] == f"{PROXY_URL}/workspaces/lab/"
        assert running["home"].endswith("/homes/default/default/lab")
        assert (running["idle_s"], running["lease_s"]) == (1_800, 28_800)
        assert running["suspends_ms"] == running["active_ms"] + 1_800_000
        assert running["lease_end_ms"] == running["created_ms"] + 28_800_000
        page = await site.view("/v1/workspaces")
        assert [each["name"] for each in page["items"]] == ["lab"]

    play(scenario)


def test_what_is_not_said_is_what_the_instance_gives(play: Play) -> None:
    async def scenario(site: Site) -> None:
        view = await made(site)
        assert (view["idle_s"], view["lease_s"]) == (3_600, 43_200)
        assert view["program"] == "shell"

    play(scenario)


def test_where_nodes_share_no_files_there_is_none_unless_homes_are_said_to_be_shared(
    play: Play,
) -> None:
    async def scenario(site: Site) -> None:
        site.engine.shared = False
        problem = await refused(site, 422)
        assert problem["detail"] == (
            "the nodes of this instance share no file system that homes could be on"
        )
        assert "GIGAWATT_HOMES" in problem["hint"]
        site.services.workspaces = replace(site.services.workspaces, homes_shared=True)
        assert (await made(site))["name"] == "lab"

    play(scenario)


def test_jupyter_gets_an_environment_for_its_tools(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await made(site, program="jupyter")
        running = await in_phase(site, "running")
        assert running["environment"] == "host"
        (tools,) = (await site.view("/v1/environments"))["items"]
        assert tools["phase"] == "ready"
        launch = next(iter(site.engine.machines.attempts.values())).launch
        assert launch.command[0].endswith(f"/{tools['id']}/bin/python")

    play(scenario)


def test_tools_that_cannot_be_built_fail_it_with_the_resolvers_words(play: Play) -> None:
    async def scenario(site: Site) -> None:
        site.workshop.failure = "no solution found"
        await made(site, program="jupyter")
        failed = await in_phase(site, "failed")
        assert failed["message"] == "its tools cannot be built: no solution found"
        site.workshop.failure = ""
        assert (await site.call("POST", "/v1/workspaces/lab/start")).status_code == 200
        await in_phase(site, "running")

    play(scenario)


def test_it_is_suspended_started_extended_and_deleted(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await made(site)
        running = await in_phase(site, "running")
        answer = await site.call("POST", "/v1/workspaces/lab/extend", {"by": "2h"})
        assert answer.json()["lease_end_ms"] == running["lease_end_ms"] + 7_200_000
        assert (await site.call("POST", "/v1/workspaces/lab/suspend")).status_code == 200
        suspended = await in_phase(site, "suspended")
        assert suspended["message"] == "suspended by operator"
        assert suspended["suspends_ms"] is None
        assert (await site.call("POST", "/v1/workspaces/lab/start")).status_code == 200
        await in_phase(site, "running")
        assert (await site.call("DELETE", "/v1/workspaces/lab")).status_code == 200

        async def gone() -> bool | None:
            return (await site.call("GET", "/v1/workspaces/lab")).status_code == 404 or None

        await site.until(gone)
        again = await made(site)
        assert again["home"] == running["home"]
        assert again["id"] != running["id"]

    play(scenario)


def test_one_like_a_job_has_its_environment_code_and_resources(play: Play) -> None:
    async def scenario(site: Site) -> None:
        environment = {"kind": "uv", "requirements": ["six"]}
        job = await site.submit(
            environment=environment, env={"LR": "1", "A": "job"}, gang={"cpus": 0.3, "nodes": 2}
        )
        view = await made(site, like="job", gang={"cpus": 0.2}, env={"A": "mine"})
        assert view["like"] == job["id"]
        assert view["environment"] == job["environment"]
        assert view["cpus"] == 0.2
        other = await made(site, name="other", like=job["id"], environment="host")
        assert other["environment"] == "host"
        running = await in_phase(site, "running")
        (launch,) = (
            each.launch
            for each in site.engine.machines.attempts.values()
            if each.launch.gang == running["id"]
        )
        assert {"LR": "1", "A": "mine"}.items() <= dict(launch.env).items()

    play(scenario)


def test_wrong_input_is_refused_at_its_field(play: Play) -> None:
    async def scenario(site: Site) -> None:
        unknown = await refused(site, 404, like="trian")
        assert (unknown["field"], unknown["detail"]) == ("like", "there is no job trian")
        impatient = await refused(site, 422, idle="10s")
        assert impatient["field"] == "idle"
        assert impatient["detail"] == "idle is 10 s; this instance allows from 60 to 86400 s"
        assert (await refused(site, 422, idle="2d"))["field"] == "idle"
        assert (await refused(site, 422, lease="30d"))["field"] == "lease"
        endless = await refused(site, 422, lease=0)
        assert endless["detail"].startswith("lease is without end; this instance allows at most")
        assert (await refused(site, 422, program="emacs"))["field"] == "program"
        assert (await refused(site, 422, gang={"nodes": 2}))["field"] == "gang.nodes"
        assert (await refused(site, 422, gang={"cpus": 99}))["field"] == "gang.cpus"
        misspelt = await refused(site, 422, gpu=1)
        assert misspelt["field"] == "gpu"
        assert (await refused(site, 422, env={"RANK": "1"}))["field"] == "env.RANK"
        missing = await refused(site, 404, bundle=f"sha256:{0:064x}")
        assert missing["field"] == "bundle"
        assert (await site.view("/v1/workspaces"))["items"] == []

    play(scenario)


def test_a_name_that_is_taken_is_refused_and_repeated_requests_are_not(play: Play) -> None:
    async def scenario(site: Site) -> None:
        headers = {"Idempotency-Key": "once"}
        first = await site.call("POST", "/v1/workspaces", BODY, headers=headers)
        again = await site.call("POST", "/v1/workspaces", BODY, headers=headers)
        assert first.json()["id"] == again.json()["id"]
        taken = await refused(site, 409)
        assert (taken["field"], taken["hint"]) == (
            "name",
            "gw dev start lab, or choose another name",
        )

    play(scenario)


def test_a_lease_is_extended_within_what_the_instance_allows(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await made(site)
        beyond = await site.call("POST", "/v1/workspaces/lab/extend", {"by": "7d"})
        assert beyond.status_code == 429
        assert beyond.json()["field"] == "by"
        await site.call("POST", "/v1/workspaces/lab/suspend")
        await in_phase(site, "suspended")
        resting = await site.call("POST", "/v1/workspaces/lab/extend", {"by": "1h"})
        assert resting.status_code == 409

    play(scenario)


def test_viewers_see_and_neither_change_nor_enter(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await made(site)
        viewer = await site.make_key(Role.VIEWER)
        assert (await site.call("GET", "/v1/workspaces/lab", key=viewer)).status_code == 200
        for path in ("suspend", "start", "open"):
            answer = await site.call("POST", f"/v1/workspaces/lab/{path}", key=viewer)
            assert answer.status_code == 403, path
        assert (await site.call("DELETE", "/v1/workspaces/lab", key=viewer)).status_code == 403

    play(scenario)


def test_those_of_others_are_not_there(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await made(site)
        await site.call("POST", "/v1/projects", {"name": "other"})
        project = await site.make_key(Role.DEVELOPER, project="other")
        tenant = await site.make_key(Role.TENANT_ADMIN, tenant="else")
        for key in (project, tenant):
            for method, path in (
                ("GET", ""),
                ("POST", "/open"),
                ("POST", "/suspend"),
                ("GET", "/logs"),
                ("DELETE", ""),
            ):
                answer = await site.call(method, f"/v1/workspaces/lab{path}", key=key)
                assert answer.status_code == 404, (method, path)

    play(scenario)


def test_a_purge_removes_the_home(play: Play) -> None:
    async def scenario(site: Site) -> None:
        view = await made(site)
        home = site.workshop.work.parent / "homes" / "default" / "default" / "lab"
        (home / "notes.txt").write_text("mine")
        await site.call("DELETE", "/v1/workspaces/lab?purge=true")

        async def gone() -> bool | None:
            found = await site.view(f"/v1/workspaces/{view['id']}")
            return found["phase"] == "deleted" or None

        await site.until(gone)
        assert not home.exists()

    play(scenario)
