"""Who may do what, and what others do not even see."""

import pytest

from gigawatt import clock
from gigawatt.model.tenant import Role
from gigawatt.service.tokens import Claims, RankTokens
from tests.surface.api.conftest import Play
from tests.surface.api.site import SECRET, Site, attempt_key

pytestmark = pytest.mark.slow

JOB = {"name": "job", "command": ["true"], "gang": {"cpus": 0.1}}


async def status(site: Site, method: str, path: str, key: str, body: object = None) -> int:
    return (await site.call(method, path, body, key=key)).status_code


def test_a_request_without_a_good_key_is_refused_before_anything_else(play: Play) -> None:
    async def scenario(site: Site) -> None:
        for headers in ({}, {"Authorization": "Basic x"}, {"Authorization": "Bearer gw_wrong"}):
            response = await site.call("POST", "/v1/jobs", {"comand": 1}, key="", headers=headers)
            assert response.status_code == 401
            assert response.headers["WWW-Authenticate"].startswith("Bearer")
            assert response.json()["hint"]
        for path in ("/healthz", "/readyz", "/metrics", "/openapi.json"):
            assert await status(site, "GET", path, "") == 200

    play(scenario)


def test_a_revoked_key_is_refused_at_once(play: Play) -> None:
    async def scenario(site: Site) -> None:
        made = (await site.call("POST", "/v1/keys", {"name": "ci"})).json()
        assert made["key"].startswith("gw_")
        assert made["role"] == "developer"
        assert await status(site, "GET", "/v1/whoami", made["key"]) == 200
        assert await status(site, "DELETE", f"/v1/keys/{made['id']}", site.admin_key) == 200
        response = await site.call("GET", "/v1/whoami", key=made["key"])
        assert (response.status_code, response.json()["detail"]) == (401, "the key ci was revoked")
        listed = (await site.view("/v1/keys"))["items"]
        assert {key["key"] for key in listed} == {""}

    play(scenario)


def test_a_key_can_be_revoked_twice_and_the_leader_lets_go_of_it(play: Play) -> None:
    async def scenario(site: Site) -> None:
        made = (await site.call("POST", "/v1/keys", {"name": "ci"})).json()
        assert made["id"] in site.leader.state.world.keys
        for _ in range(2):
            response = await site.call("DELETE", f"/v1/keys/{made['id']}")
            assert (response.status_code, response.json()["revoked_ms"] > 0) == (200, True)
        assert made["id"] not in site.leader.state.world.keys

    play(scenario)


def test_a_key_that_has_expired_is_refused(play: Play) -> None:
    async def scenario(site: Site) -> None:
        body = {"name": "short", "expires_ms": 1}
        response = await site.call("POST", "/v1/keys", body)
        assert (response.status_code, response.json()["field"]) == (422, "expires_ms")

    play(scenario)


def test_roles_may_do_what_the_table_says(play: Play) -> None:
    async def scenario(site: Site) -> None:
        viewer = await site.make_key(Role.VIEWER)
        developer = await site.make_key(Role.DEVELOPER)
        gateway = await site.make_key(Role.GATEWAY)
        cordon = {"state": "cordoned", "reason": "test"}
        assert await status(site, "GET", "/v1/jobs", viewer) == 200
        assert await status(site, "POST", "/v1/jobs", viewer, JOB) == 403
        assert await status(site, "POST", "/v1/jobs", developer, JOB) == 201
        assert await status(site, "PUT", "/v1/nodes/node-0/state", developer, cordon) == 403
        body = {"name": "more", "role": "developer"}
        assert await status(site, "POST", "/v1/keys", developer, body) == 403
        assert await status(site, "GET", "/v1/jobs", gateway) == 403
        assert await status(site, "GET", "/v1/gateway/config", gateway) == 200
        assert await status(site, "GET", "/v1/gateway/config", developer) == 403

    play(scenario)


def test_nobody_gives_more_than_it_has(play: Play) -> None:
    async def scenario(site: Site) -> None:
        admin = await site.make_key(Role.PROJECT_ADMIN, project="default")
        for role in ("operator", "tenant-admin", "gateway", "auditor"):
            body = {"name": "more", "role": role}
            assert await status(site, "POST", "/v1/keys", admin, body) == 403
        response = await site.call("POST", "/v1/keys", {"name": "dev"}, key=admin)
        assert response.json()["project"] == "default"
        operators = (await site.view("/v1/keys"))["items"]
        operator = next(key for key in operators if key["role"] == "operator")
        assert await status(site, "DELETE", f"/v1/keys/{operator['id']}", admin) == 404

    play(scenario)


def test_a_projects_key_sees_its_project_alone(play: Play) -> None:
    async def scenario(site: Site) -> None:
        assert await status(site, "POST", "/v1/projects", site.admin_key, {"name": "nlp"}) == 201
        key = await site.make_key(Role.DEVELOPER, project="nlp")
        own = (await site.call("POST", "/v1/jobs", JOB, key=key)).json()
        assert own["project"] == "nlp"
        other = await site.submit()
        listed = (await site.call("GET", "/v1/jobs", key=key)).json()["items"]
        assert [job["id"] for job in listed] == [own["id"]]
        assert await status(site, "GET", f"/v1/jobs/{other['id']}", key) == 404
        assert await status(site, "POST", f"/v1/jobs/{other['id']}/cancel", key) == 404
        assert await status(site, "POST", "/v1/jobs?project=default", key, JOB) == 403
        assert await status(site, "GET", "/v1/jobs?project=default", key) == 404
        projects = (await site.call("GET", "/v1/projects", key=key)).json()["items"]
        assert [project["name"] for project in projects] == ["nlp"]

    play(scenario)


def test_another_tenants_objects_do_not_exist(play: Play) -> None:
    async def scenario(site: Site) -> None:
        job = await site.submit()
        foreign = await site.make_key(Role.TENANT_ADMIN, tenant="other")
        shown = await site.call("GET", f"/v1/jobs/{job['id']}", key=foreign)
        missing = await site.call("GET", "/v1/jobs/job-000", key=foreign)
        assert shown.status_code == missing.status_code == 404
        told = shown.json()["detail"].replace(job["id"], "job-000")
        assert told == missing.json()["detail"]
        for path in ("logs", "explain", "goodput", "watch"):
            assert await status(site, "GET", f"/v1/jobs/{job['id']}/{path}", foreign) == 404
        assert (await site.call("GET", "/v1/jobs", key=foreign)).json()["items"] == []
        events = (await site.call("GET", "/v1/events", key=foreign)).json()["items"]
        assert {event["tenant"] for event in events} == {"other"}
        assert await status(site, "GET", "/v1/jobs?tenant=default", foreign) == 404

    play(scenario)


def test_a_second_tenant_is_refused_where_tenants_are_not_isolated(play: Play) -> None:
    async def scenario(site: Site) -> None:
        response = await site.call("POST", "/v1/tenants", {"id": "acme"})
        assert (response.status_code, response.json()["type"]) == (
            422,
            "urn:gigawatt:problem:unsupported",
        )
        assert "what tenants run is not isolated" in response.json()["detail"]
        assert "accept_unisolated_tenants=on" in response.json()["hint"]
        assert [each["id"] for each in (await site.view("/v1/tenants"))["items"]] == ["default"]

    play(scenario)


def test_where_that_is_accepted_a_tenant_has_a_project_and_keys_of_its_own(play: Play) -> None:
    async def scenario(site: Site) -> None:
        site.services.accept_unisolated_tenants = True
        made = await site.call("POST", "/v1/tenants", {"id": "acme"})
        assert (made.status_code, made.json()["id"]) == (201, "acme")
        assert await status(site, "POST", "/v1/tenants", site.admin_key, {"id": "acme"}) == 409
        body = {"name": "ada", "role": "tenant-admin", "tenant": "acme"}
        key = (await site.call("POST", "/v1/keys", body)).json()["key"]
        assert (await site.call("GET", "/v1/tenants", key=key)).json()["items"] == [made.json()]
        projects = (await site.call("GET", "/v1/projects", key=key)).json()["items"]
        assert [(each["tenant"], each["name"]) for each in projects] == [("acme", "default")]
        job = {"name": "job", "command": ["true"], "gang": {"cpus": 0.1}}
        assert (await site.call("POST", "/v1/jobs", job, key=key)).json()["tenant"] == "acme"

    play(scenario)


def test_a_tenants_least_isolation_is_the_operators_to_set_and_is_on_record(play: Play) -> None:
    async def scenario(site: Site) -> None:
        path, wanted = "/v1/tenants/default/isolation", {"isolation": "process"}
        for role in (Role.TENANT_ADMIN, Role.AUDITOR, Role.VIEWER):
            key = await site.make_key(role)
            assert await status(site, "PUT", path, key, wanted) == 403
        before = await site.view("/v1/tenants/default")
        done = await site.call("PUT", path, wanted)
        assert done.json() == {**before, "isolation": "process", "version": before["version"] + 1}
        assert await site.view("/v1/tenants/default") == done.json()
        stale = {"If-Match": f'"{before["version"]}"'}
        response = await site.call("PUT", path, {"isolation": "none"}, headers=stale)
        assert response.status_code == 412
        (event,) = (await site.view("/v1/events?kind=tenant.isolated"))["items"]
        assert "process at least, in place of none" in event["message"]
        audited = (await site.view("/v1/audit?verb=tenants.set_isolation&outcome=done"))["items"]
        assert [each["target"] for each in audited] == ["tenant:default"]
        absent = await site.call("PUT", "/v1/tenants/nobody/isolation", wanted)
        assert absent.status_code == 404

    play(scenario)


def test_a_class_that_is_not_to_be_had_is_refused_for_tenants_and_what_must_have_it(
    play: Play,
) -> None:
    async def scenario(site: Site) -> None:
        path = "/v1/tenants/default/isolation"
        refused = await site.call("PUT", path, {"isolation": "user"})
        assert (refused.status_code, refused.json()["field"]) == (422, "isolation")
        assert (await site.call("PUT", path, {"isolation": "node"})).status_code == 422
        assert (await site.call("PUT", path, {"isolation": "process"})).status_code == 200
        job = {"name": "job", "command": ["true"], "gang": {"cpus": 0.1}}
        assert await status(site, "POST", "/v1/jobs", site.admin_key, job) == 201
        site.engine.isolation = frozenset()  # as after a start with isolation none
        workspace = {"name": "desk", "program": "shell", "gang": {"cpus": 0.1}}
        for where, body in (("jobs", job), ("jobs?dry_run=true", job), ("workspaces", workspace)):
            response = await site.call("POST", f"/v1/{where}", body)
            assert response.status_code == 422, where
            assert "tenant default must have isolation process" in response.json()["detail"]
            assert "gw tenants set" in response.json()["hint"]
        assert (await site.call("PUT", path, {"isolation": "none"})).status_code == 200
        assert await status(site, "POST", "/v1/jobs", site.admin_key, job) == 201

    play(scenario)


def test_a_foreign_tenant_is_as_one_that_is_not_there(play: Play) -> None:
    async def scenario(site: Site) -> None:
        site.services.accept_unisolated_tenants = True
        await site.call("POST", "/v1/tenants", {"id": "acme"})
        admin = await site.make_key(Role.TENANT_ADMIN)
        shown = [
            await site.call("GET", f"/v1/tenants/{name}", key=admin) for name in ("acme", "none")
        ]
        body = {"name": "spy", "role": "viewer"}
        asked = [
            await site.call("POST", "/v1/keys", {**body, "tenant": name}, key=admin)
            for name in ("acme", "none")
        ]
        for foreign, absent in (shown, asked):
            assert foreign.status_code == absent.status_code == 404
            assert foreign.text.replace("acme", "none") == absent.text
        assert (await site.view("/v1/tenants/acme"))["id"] == "acme"
        assert await status(site, "POST", "/v1/tenants", admin, {"id": "more"}) == 403

    play(scenario)


def test_a_ranks_token_is_for_its_own_job_while_its_attempt_lives(play: Play) -> None:
    async def scenario(site: Site) -> None:
        job, other = await site.submit(), await site.submit()
        await site.phase(job, "running")
        tokens = RankTokens(SECRET)

        def token(gang: str, attempt: int = 1, expires_ms: int = 1 << 60) -> str:
            return tokens.issue(
                Claims(
                    gang=gang,
                    attempt=attempt,
                    tenant="default",
                    project="default",
                    expires_ms=expires_ms,
                )
            )

        own = token(job["id"])
        assert await status(site, "GET", f"/v1/jobs/{job['id']}", own) == 200
        assert await status(site, "GET", f"/v1/jobs/{other['id']}", own) == 404
        assert await status(site, "GET", "/v1/jobs", own) == 403
        assert await status(site, "POST", "/v1/jobs", own, JOB) == 403
        assert await status(site, "GET", "/v1/whoami", token(job["id"], attempt=2)) == 401
        assert await status(site, "GET", "/v1/whoami", token("job-000")) == 401
        past_ms = clock.now_ms() - 1
        assert await status(site, "GET", "/v1/whoami", token(job["id"], expires_ms=past_ms)) == 401
        assert await status(site, "GET", "/v1/whoami", own[:-4] + "AAAA") == 401
        site.engine.exit(attempt_key(job))
        await site.phase(job, "succeeded")
        assert await status(site, "GET", "/v1/whoami", token(job["id"], expires_ms=1 << 61)) == 401

    play(scenario)
