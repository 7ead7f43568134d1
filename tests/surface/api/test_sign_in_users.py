"""Whoever signs in by a provider is a user here, who holds what the rules say, and whom an administrator can disable."""

import asyncio
from typing import Any

import pytest

from gigawatt.model.refusal import RefusalError
from gigawatt.service.sign_in import Session
from tests.oidc_server import OidcServer
from tests.surface.api.signing import (
    ADMIN,
    DEVELOPER,
    TOKEN,
    back,
    begun,
    refused,
    signed_in,
    signing_in,
)
from tests.surface.api.site import Site
from tests.surface.api.test_audit import records

pytestmark = pytest.mark.slow


def test_a_session_is_a_users_and_ends_when_it_is_disabled(sign_in: Any) -> None:
    async def scenario(site: Site, idp: OidcServer) -> None:
        cookie = {"Cookie": await signed_in(site, idp, **DEVELOPER)}
        user = await site.view("/v1/users/u1")
        assert (user["account"], user["kind"]) == ("corp:u1", "person")
        assert user["grants"] == [{"project": "default", "role": "developer"}]
        (record,) = await records(site, "?verb=sessions.begin")
        assert record["user"] == "u1"
        again = await site.call("POST", TOKEN, {"id_token": idp.token(**DEVELOPER)}, key="")
        assert len((await site.view("/v1/users"))["items"]) == 1
        key = again.json()["key"]
        assert (await site.call("POST", "/v1/users/u1/disable")).status_code == 200
        assert (await site.call("GET", "/v1/whoami", key=key)).status_code == 401
        assert (await site.call("GET", "/v1/whoami", key="", headers=cookie)).status_code == 401
        assert "is disabled here" in await refused(site, idp.token(jti="2", **DEVELOPER))
        await site.call("POST", "/v1/users/u1/enable")
        assert (await site.call("GET", "/v1/whoami", key=key)).status_code == 200

    sign_in(scenario)


def test_what_a_user_that_signs_in_holds_is_what_the_rules_say_now(sign_in: Any) -> None:
    async def scenario(site: Site, idp: OidcServer) -> None:
        made = await site.call("POST", TOKEN, {"id_token": idp.token(**ADMIN)}, key="")
        wide = made.json()["key"]
        given = await site.call("PUT", "/v1/users/u1/roles", {"role": "operator"})
        assert (given.status_code, "what its rules say" in given.text) == (409, True)
        assert (await site.call("GET", "/v1/users", key=wide)).status_code == 200
        await site.call("POST", TOKEN, {"id_token": idp.token(**DEVELOPER)}, key="")
        grants = (await site.view("/v1/users/u1"))["grants"]
        assert grants == [{"project": "default", "role": "developer"}]
        assert (await site.call("GET", "/v1/whoami", key=wide)).status_code == 401
        assert "has no role here" in await refused(site, idp.token(groups=["left"]))
        assert (await site.view("/v1/users/u1"))["grants"] == []

    sign_in(scenario)


def test_an_account_is_not_a_user_of_the_same_name(sign_in: Any) -> None:
    async def scenario(site: Site, idp: OidcServer) -> None:
        body = {"name": "u1", "role": "tenant-admin", "email": "u1@example.org"}
        assert (await site.call("POST", "/v1/users", body)).status_code == 201
        claims = {**DEVELOPER, "email": "u1@example.org", "email_verified": True}
        made = await site.call("POST", TOKEN, {"id_token": idp.token(**claims)}, key="")
        me = (await site.call("GET", "/v1/whoami", key=made.json()["key"])).json()
        assert (me["name"], me["role"]) == ("u1-2", "developer")

    sign_in(scenario)


def test_what_was_used_is_refused_by_the_next_process_too(sign_in: Any) -> None:
    async def scenario(site: Site, idp: OidcServer) -> None:
        token = idp.token(**ADMIN)
        assert (await site.call("POST", TOKEN, {"id_token": token}, key="")).status_code == 201
        url, flow = await begun(site)
        answer = idp.code_for(url, **ADMIN)
        assert (await back(site, answer, flow)).status_code == 303
        site.services.sign_in = signing_in(site, idp)  # as after a restart, or beside the first
        assert "was used to sign in before" in await refused(site, token)
        assert "was used to sign in before" in (await back(site, answer, flow)).text

    sign_in(scenario)


def test_of_one_token_at_the_same_time_one_session_is_made(sign_in: Any) -> None:
    async def scenario(site: Site, idp: OidcServer) -> None:
        token = idp.token(**ADMIN)
        signing = [signing_in(site, idp) for _ in range(4)]
        asked = (each.exchange("corp", token) for each in signing)
        done = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(isinstance(each, Session) for each in done) == 1
        others = [each for each in done if isinstance(each, RefusalError)]
        assert [each.detail for each in others] == ["this was used to sign in before"] * 3

    sign_in(scenario)
