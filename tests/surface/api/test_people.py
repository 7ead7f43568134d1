"""Users, what they hold, and their keys: never more than their owner, and refused at once with it."""

from typing import Any

import pytest

from gigawatt.model.tenant import Role
from tests.surface.api.conftest import Play
from tests.surface.api.site import Site

pytestmark = pytest.mark.slow


async def user(site: Site, name: str, role: str, **fields: Any) -> dict[str, Any]:
    made = await site.call("POST", "/v1/users", {"name": name, "role": role, **fields})
    assert made.status_code == 201, made.text
    return made.json()


async def key_of(site: Site, name: str, role: str, **fields: Any) -> dict[str, Any]:
    body = {"name": f"{name}s", "role": role, "user": name, **fields}
    made = await site.call("POST", "/v1/keys", body)
    assert made.status_code == 201, made.text
    return made.json()


async def status(site: Site, method: str, path: str, key: str, body: object = None) -> int:
    return (await site.call(method, path, body, key=key)).status_code


def test_a_key_of_a_user_says_who_it_is(play: Play) -> None:
    async def scenario(site: Site) -> None:
        ada = await user(site, "ada", "developer", email="ada@acme.example")
        assert ada["grants"] == [{"project": "", "role": "developer"}]
        key = await key_of(site, "ada", "developer")
        who = (await site.call("GET", "/v1/whoami", key=key["key"])).json()
        assert (who["name"], who["user"], who["role"]) == ("ada", "ada", "developer")
        assert (await site.view("/v1/users/ada")) == ada
        assert await status(site, "POST", "/v1/users", site.admin_key, {"name": "ada"}) == 409

    play(scenario)


def test_a_disabled_users_keys_are_refused_at_once_until_it_is_enabled(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await user(site, "ada", "developer")
        key = (await key_of(site, "ada", "developer"))["key"]
        assert await status(site, "GET", "/v1/jobs", key) == 200
        disabled = await site.call("POST", "/v1/users/ada/disable")
        assert disabled.json()["disabled_ms"] is not None
        assert await status(site, "GET", "/v1/jobs", key) == 401
        assert (await site.leader.gateway_config(after=0, wait_s=0))["keys"] == [
            each
            for each in (await site.leader.gateway_config(after=0, wait_s=0))["keys"]
            if each["role"] == "operator"
        ]
        await site.call("POST", "/v1/users/ada/enable")
        assert await status(site, "GET", "/v1/jobs", key) == 200

    play(scenario)


def test_a_key_never_does_more_than_its_owner_may_now(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await user(site, "ada", "developer")
        key = (await key_of(site, "ada", "developer"))["key"]
        job = {"name": "job", "command": ["true"], "gang": {"cpus": 0.1}}
        assert await status(site, "POST", "/v1/jobs", key, job) == 201
        await site.call("PUT", "/v1/users/ada/roles", {"role": "viewer"})
        assert await status(site, "POST", "/v1/jobs", key, job) == 403
        assert await status(site, "GET", "/v1/jobs", key) == 200
        await site.call("DELETE", "/v1/users/ada/roles")
        assert await status(site, "GET", "/v1/jobs", key) == 401

    play(scenario)


def test_nobody_gives_a_role_above_its_own(play: Play) -> None:
    async def scenario(site: Site) -> None:
        admin = await site.make_key(Role.TENANT_ADMIN)
        of_project = await site.make_key(Role.PROJECT_ADMIN, project="default")
        await user(site, "boss", "operator")
        await user(site, "ada", "tenant-admin")
        for key, role in ((admin, "operator"), (of_project, "tenant-admin")):
            assert await status(site, "POST", "/v1/users", key, {"name": "x", "role": role}) == 403
            assert await status(site, "PUT", "/v1/users/ada/roles", key, {"role": role}) == 403
        assert await status(site, "PUT", "/v1/users/boss/roles", admin, {"role": "viewer"}) == 403
        assert await status(site, "POST", "/v1/users/boss/disable", admin) == 403
        assert await status(site, "POST", "/v1/users/ada/disable", of_project) == 403
        body = {"name": "more", "role": "tenant-admin", "user": "ada"}
        assert await status(site, "POST", "/v1/keys", of_project, body) == 403

    play(scenario)


def test_the_last_administrator_of_a_tenant_stays(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await user(site, "ada", "tenant-admin")
        refused = await site.call("POST", "/v1/users/ada/disable")
        assert (refused.status_code, refused.json()["detail"]) == (
            409,
            "ada is the last administrator of tenant default",
        )
        assert await status(site, "DELETE", "/v1/users/ada/roles", site.admin_key) == 409
        await user(site, "bob", "tenant-admin")
        assert await status(site, "POST", "/v1/users/ada/disable", site.admin_key) == 200

    play(scenario)


def test_whoever_has_a_key_of_one_project_sees_those_with_a_role_there(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await site.call("POST", "/v1/projects", {"name": "nlp"})
        await user(site, "ada", "developer", project="nlp")
        await user(site, "bob", "developer", project="default")
        await user(site, "eve", "auditor")
        admin = await site.make_key(Role.PROJECT_ADMIN, project="nlp")
        listed = (await site.call("GET", "/v1/users", key=admin)).json()["items"]
        assert [each["name"] for each in listed] == ["eve", "ada"]
        members = (await site.call("GET", "/v1/members", key=admin)).json()["items"]
        assert [(each["user"], each["role"]) for each in members] == [
            ("eve", "auditor"),
            ("ada", "developer"),
        ]
        shown = [await site.call("GET", f"/v1/users/{name}", key=admin) for name in ("bob", "bot")]
        assert [each.status_code for each in shown] == [404, 404]
        assert shown[0].text.replace("bob", "bot") == shown[1].text

    play(scenario)


def test_people_have_keys_of_their_own_and_see_no_others(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await user(site, "ada", "developer")
        await user(site, "bob", "developer")
        ada = (await key_of(site, "ada", "developer"))["key"]
        bobs = await key_of(site, "bob", "developer")
        own = await site.call("POST", "/v1/keys", {"name": "ci", "role": "viewer"}, key=ada)
        assert (own.status_code, own.json()["user"]) == (201, "ada")
        listed = (await site.call("GET", "/v1/keys", key=ada)).json()["items"]
        assert {each["name"] for each in listed} == {"adas", "ci"}
        assert await status(site, "DELETE", f"/v1/keys/{bobs['id']}", ada) == 404
        assert await status(site, "POST", f"/v1/keys/{bobs['id']}/rotate", ada, {}) == 404
        assert await status(site, "POST", "/v1/keys", ada, {"name": "x", "user": "bob"}) in (
            403,
            404,
        )
        above = {"name": "x", "role": "project-admin"}
        assert await status(site, "POST", "/v1/keys", ada, above) == 403

    play(scenario)


def test_scopes_narrow_a_key_and_what_it_can_give(play: Play) -> None:
    async def scenario(site: Site) -> None:
        body = {"name": "ci", "role": "tenant-admin", "scopes": ["jobs:read", "keys:write"]}
        key = (await site.call("POST", "/v1/keys", body)).json()["key"]
        assert await status(site, "GET", "/v1/jobs", key) == 200
        assert await status(site, "GET", "/v1/whoami", key) == 200
        refused = await site.call("POST", "/v1/jobs", {"command": ["true"]}, key=key)
        assert (refused.status_code, refused.json()["hint"]) == (
            403,
            "it takes a key with the scope jobs:write",
        )
        assert await status(site, "GET", "/v1/endpoints", key) == 403
        more = {"name": "more", "scopes": ["endpoints:read"]}
        assert await status(site, "POST", "/v1/keys", key, more) == 403
        made = await site.call("POST", "/v1/keys", {"name": "same"}, key=key)
        assert made.json()["scopes"] == ["jobs:read", "keys:write"]
        whole = (await site.call("POST", "/v1/keys", {"name": "whole"})).json()
        assert await status(site, "POST", f"/v1/keys/{whole['id']}/rotate", key, {}) == 403
        wrong = await site.call("POST", "/v1/keys", {"name": "x", "scopes": ["job:read"]})
        assert (wrong.status_code, wrong.json()["field"]) == (422, "scopes")

    play(scenario)


def test_a_rotated_key_is_good_for_its_overlap_and_is_found_by_its_beginning(play: Play) -> None:
    async def scenario(site: Site) -> None:
        old = (await site.call("POST", "/v1/keys", {"name": "ci"})).json()
        body = {"overlap_s": 3_600}
        new = (await site.call("POST", f"/v1/keys/{old['id']}/rotate", body)).json()
        assert (new["name"], new["role"]) == ("ci", "developer")
        for key in (old, new):
            assert await status(site, "GET", "/v1/jobs", key["key"]) == 200
        found = (await site.view(f"/v1/keys?prefix={old['key']}"))["items"]
        assert [(each["id"], each["replaced_by"]) for each in found] == [(old["id"], new["id"])]
        assert await status(site, "POST", f"/v1/keys/{old['id']}/rotate", site.admin_key, {}) == 409
        last = await site.call("POST", f"/v1/keys/{new['id']}/rotate", {"overlap_s": 0})
        assert await status(site, "GET", "/v1/jobs", new["key"]) == 401
        assert await status(site, "GET", "/v1/jobs", last.json()["key"]) == 200
        assert await status(site, "GET", "/v1/keys?prefix=gw_", site.admin_key) == 422

    play(scenario)


def test_the_last_use_of_a_key_is_put_on_record_without_a_write_for_each(play: Play) -> None:
    async def scenario(site: Site) -> None:
        made = (await site.call("POST", "/v1/keys", {"name": "ci"})).json()
        assert made["used_ms"] is None
        uses = site.services.keyring.uses
        await uses.record(site.services.leader)
        for _ in range(3):
            await site.call("GET", "/v1/whoami", key=made["key"])
        assert await uses.record(site.services.leader) == 1
        await site.call("GET", "/v1/whoami", key=made["key"])
        assert await uses.record(site.services.leader) == 0
        shown = (await site.view(f"/v1/keys?prefix={made['key']}"))["items"][0]
        assert (shown["used_ms"] >= made["created_ms"], shown["used_from"]) == (True, "127.0.0.1")

    play(scenario)


def test_an_address_that_guesses_is_locked_out_but_known_keys_are_not(play: Play) -> None:
    async def scenario(site: Site) -> None:
        unseen = await site.make_key(Role.VIEWER)
        known = await site.make_key(Role.VIEWER)
        assert await status(site, "GET", "/v1/jobs", known) == 200
        answers = [await site.call("GET", "/v1/jobs", key=f"gw_{n}") for n in range(25)]
        assert [each.status_code for each in answers] == [401] * 20 + [429] * 5
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
        site.services.keyring.forget(known)
        assert await status(site, "GET", "/v1/jobs", known) == 200
        assert await status(site, "GET", "/v1/jobs", unseen) == 429

    play(scenario)
