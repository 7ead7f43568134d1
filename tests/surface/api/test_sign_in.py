"""Signing in by an OpenID provider: who is let in, as what, for how long; and everybody who is not."""

import json
from typing import Any

import pytest

from gigawatt import clock
from gigawatt.service.sign_in import local_path
from tests.oidc_server import CLIENT, OidcServer
from tests.surface.api.conftest import Play
from tests.surface.api.signing import (
    ADMIN,
    DEVELOPER,
    END,
    SESSION,
    START,
    TOKEN,
    back,
    begun,
    cookies,
    refused,
    signed_in,
)
from tests.surface.api.site import Site
from tests.surface.api.test_audit import records

pytestmark = pytest.mark.slow


def test_a_browser_comes_back_with_a_session_and_no_key(sign_in: Any) -> None:
    async def scenario(site: Site, idp: OidcServer) -> None:
        url, flow = await begun(site, "/jobs?phase=failed")
        response = await back(site, idp.code_for(url, **DEVELOPER), flow)
        assert (response.status_code, response.headers["location"]) == (303, "/jobs?phase=failed")
        given = cookies(response)
        assert given["__Host-gw-sign-in"] == ""
        assert "gw_" not in response.text + json.dumps(given)
        cookie = {"Cookie": f"__Host-gw-session={given['__Host-gw-session']}"}
        me = (await site.call("GET", "/v1/whoami", key="", headers=cookie)).json()
        assert (me["name"], me["role"], me["project"]) == ("u1", "developer", "default")
        bearer = given["__Host-gw-session"]
        assert (await site.call("GET", "/v1/whoami", key=bearer)).status_code == 401

    sign_in(scenario)


def test_who_signs_in_and_who_is_refused_is_on_record(sign_in: Any) -> None:
    async def scenario(site: Site, idp: OidcServer) -> None:
        cookie = {"Cookie": await signed_in(site, idp, **DEVELOPER)}
        csrf = (await site.call("GET", "/v1/session", key="", headers=cookie)).json()["csrf"]
        job = {"command": ["true"], "gang": {"cpus": 0.1}}
        page = {**cookie, "X-CSRF-Token": csrf}
        assert (await site.call("POST", "/v1/jobs", job, key="", headers=page)).is_success
        written = await records(site, "?verb=jobs.submit")
        assert [(each["actor"], each["address"]) for each in written] == [("u1", "127.0.0.1")]
        stranger = idp.token(sub="nobody")
        await refused(site, stranger)
        found = await records(site, "?verb=sessions.begin")
        told = [(each["actor"], each["outcome"], each["detail"]) for each in found]
        assert told == [("u1", "done", ""), ("", "refused", "forbidden")]
        assert stranger not in json.dumps(found)

    sign_in(scenario)


def test_a_role_is_what_the_first_rule_says_and_nobody_else_has_one(sign_in: Any) -> None:
    async def scenario(site: Site, idp: OidcServer) -> None:
        async def role(**claims: Any) -> str:
            token = idp.token(sub=f"s{len(idp.asked)}", **claims)
            made = await site.call("POST", TOKEN, {"id_token": token}, key="")
            return made.json().get("role") or made.json()["detail"]

        assert await role(groups=["ml", "admins"]) == "tenant-admin"
        assert await role(groups="ml") == "developer"
        assert await role(email="boss@example.org", email_verified=True) == "operator"
        boss = await role(email="boss@example.org")  # which the provider does not vouch for
        assert "of corp has no role here" in boss
        assert "of corp has no role here" in await role(groups=["mlx"])
        assert "of corp has no role here" in await role()

    sign_in(scenario)


def test_tokens_that_are_not_for_us_now_are_refused(sign_in: Any) -> None:
    async def scenario(site: Site, idp: OidcServer) -> None:
        now_s = clock.now_ms() // 1000
        wrong: dict[str, dict[str, Any]] = {
            "is of another issuer": {"iss": "https://evil.example.org"},
            "is for somebody else": {"aud": "other"},
            "has expired": {"exp": now_s - 120},
            "is of the future": {"iat": now_s + 3_600},
            "is too old": {"iat": now_s - 3_600},
            "says no time in exp": {"exp": None},
            "says no time in iat": {"iat": "today"},
            "names nobody": {"sub": ""},
        }
        for said, changes in wrong.items():
            assert said in await refused(site, idp.token(**{**ADMIN, **changes}))
        both: list[dict[str, Any]] = [
            {"aud": [CLIENT, "other"]},
            {"aud": [CLIENT, "o"], "azp": "o"},
        ]
        for changes in both:
            said = await refused(site, idp.token(**{**ADMIN, **changes}))
            assert "is for somebody else" in said
        assert "is of the future" in await refused(site, idp.token(nbf=now_s + 3_600, **ADMIN))
        assert (await site.view("/v1/keys"))["items"][1:] == []  # the administrator's alone

    sign_in(scenario)


def test_only_signatures_of_the_providers_public_keys_count(sign_in: Any) -> None:
    async def scenario(site: Site, idp: OidcServer) -> None:
        foreign = idp.new_key("k1")
        good = idp.token(**ADMIN)
        head, body, signature = good.split(".")
        for token in (
            idp.unsigned(**ADMIN),
            idp.signed_by_the_public_key(**ADMIN),
            idp.token_by(foreign, **ADMIN),
            f"{head}.{body}.{signature[:-8]}AAAAAAAA",
            f"{head}.{body}.",
        ):
            assert "the signature of the ID token is not good" in await refused(site, token)
        for token in ("x", "a.b", "a.b.c.d"):
            assert "that is no ID token" in await refused(site, token)

    sign_in(scenario)


def test_a_token_signs_in_once(sign_in: Any) -> None:
    async def scenario(site: Site, idp: OidcServer) -> None:
        token = idp.token(**ADMIN)
        made = await site.call("POST", TOKEN, {"id_token": token}, key="")
        assert (made.status_code, made.json()["key"][:3]) == (201, "gw_")
        assert made.headers["cache-control"] == "no-store"
        assert (await site.call("GET", "/v1/whoami", key=made.json()["key"])).status_code == 200
        assert "was used to sign in before" in await refused(site, token)

    sign_in(scenario)


def test_new_keys_of_the_provider_are_found_and_floods_do_not_reach_it(sign_in: Any) -> None:
    async def scenario(site: Site, idp: OidcServer) -> None:
        await site.call("POST", TOKEN, {"id_token": idp.token(**ADMIN)}, key="")
        unknown = idp.new_key("k9")
        for _ in range(20):
            await refused(site, idp.token_by(unknown, **ADMIN))
        assert idp.asked.count("/jwks") == 1
        provider = site.services.sign_in
        assert provider is not None
        provider.providers["corp"]._keys_ms -= 11_000
        idp.keys = [idp.new_key("k2")]
        made = await site.call("POST", TOKEN, {"id_token": idp.token(**ADMIN)}, key="")
        assert (made.status_code, idp.asked.count("/jwks")) == (201, 2)

    sign_in(scenario)


def test_the_answer_to_another_sign_in_is_refused(sign_in: Any) -> None:
    async def scenario(site: Site, idp: OidcServer) -> None:
        url, flow = await begun(site)
        _, other_flow = await begun(site)
        answer = idp.code_for(url, **ADMIN)
        wrong = {
            "was not begun here": (answer, ""),
            "is the answer to another sign-in": (answer, other_flow),
            "is the answer of another provider": ({**answer, "iss": "https://evil.example"}, flow),
            "did not sign you in: access_denied": ({"error": "access_denied"}, flow),
            "the provider refused: invalid_grant": ({**answer, "code": "guess"}, flow),
        }
        for said, (brought, cookie) in wrong.items():
            response = await back(site, brought, cookie)
            assert (response.status_code, said in response.text) == (401, True), response.text
        url, flow = await begun(site)
        replayed = await back(site, idp.code_for(url, nonce="of-before", **ADMIN), flow)
        assert "does not answer this sign-in" in replayed.text
        url, flow = await begun(site)
        answer = idp.code_for(url, **ADMIN)
        assert (await back(site, answer, flow)).status_code == 303
        assert "was used to sign in before" in (await back(site, answer, flow)).text

    sign_in(scenario)


def test_a_write_of_a_browser_must_come_from_a_page_of_ours(sign_in: Any) -> None:
    async def scenario(site: Site, idp: OidcServer) -> None:
        cookie = await signed_in(site, idp, **ADMIN)
        csrf = (await site.call("GET", SESSION, key="", headers={"Cookie": cookie})).json()["csrf"]
        other = await signed_in(site, idp, sub="u2", **ADMIN)
        told = (await site.call("GET", SESSION, key="", headers={"Cookie": other})).json()["csrf"]

        async def write(headers: dict[str, str]) -> int:
            sent = {"Cookie": cookie, **headers}
            body = {"name": f"p{len(headers)}"}
            made = await site.call("POST", "/v1/projects", body, key="", headers=sent)
            return made.status_code

        assert await write({}) == 403
        assert await write({"X-CSRF-Token": told}) == 403
        assert await write({"X-CSRF-Token": csrf, "Origin": "https://evil.example"}) == 403
        assert await write({"X-CSRF-Token": csrf, "Sec-Fetch-Site": "cross-site"}) == 403
        assert await write({"X-CSRF-Token": csrf, "Origin": "http://api.test"}) == 201

    sign_in(scenario)


def test_a_session_ends_when_nobody_uses_it_and_at_its_end(sign_in: Any) -> None:
    async def scenario(site: Site, idp: OidcServer) -> None:
        signing = site.services.sign_in
        assert signing is not None
        cookie = await signed_in(site, idp, **ADMIN)
        value = cookie.partition("=")[2]
        assert signing.seen(value) is not None

        def aged(by_ms: int) -> str:
            said = signing._seals.unsealed(value, "session")
            assert said is not None
            return signing._seals.sealed({**said, "seen_ms": said["seen_ms"] - by_ms}, "session")

        headers = {"Cookie": f"__Host-gw-session={aged(61_000)}"}
        renewed = cookies(await site.call("GET", "/v1/whoami", key="", headers=headers))
        assert renewed["__Host-gw-session"] not in ("", value)
        headers = {"Cookie": f"__Host-gw-session={aged(3_600_000)}"}
        assert (await site.call("GET", "/v1/whoami", key="", headers=headers)).status_code == 401
        for forged in (value[:-4] + "AAAA", "x" * 5_000, "e30"):
            headers = {"Cookie": f"__Host-gw-session={forged}"}
            whoami = await site.call("GET", "/v1/whoami", key="", headers=headers)
            assert whoami.status_code == 401
        view = (await site.call("GET", SESSION, key="", headers={"Cookie": cookie})).json()
        assert 0 < view["expires_ms"] - clock.now_ms() <= 12 * 3_600_000

    sign_in(scenario)


def test_signing_out_everywhere_ends_every_session_of_the_account_alone(sign_in: Any) -> None:
    async def scenario(site: Site, idp: OidcServer) -> None:
        first, second = [await signed_in(site, idp, **ADMIN) for _ in range(2)]
        other = await signed_in(site, idp, sub="u2", **ADMIN)
        cli = await site.call("POST", TOKEN, {"id_token": idp.token(**ADMIN)}, key="")
        view = (await site.call("GET", SESSION, key="", headers={"Cookie": first})).json()
        headers = {"Cookie": first, "X-CSRF-Token": view["csrf"]}
        ended = await site.call("POST", END, {"everywhere": True}, key="", headers=headers)
        assert (ended.status_code, cookies(ended)) == (204, {"__Host-gw-session": ""})
        statuses = [
            (await site.call("GET", "/v1/whoami", key="", headers={"Cookie": each})).status_code
            for each in (first, second, other)
        ]
        assert statuses == [401, 401, 200]
        assert (await site.call("GET", "/v1/whoami", key=cli.json()["key"])).status_code == 401
        not_one = await site.call("POST", END, {"everywhere": True})
        assert (not_one.status_code, "is no session" in not_one.text) == (404, True)

    sign_in(scenario)


def test_a_provider_that_says_it_is_another_is_not_believed(sign_in: Any) -> None:
    async def scenario(site: Site, idp: OidcServer) -> None:
        idp.metadata = {"issuer": "https://other.example.org"}
        response = await site.call("GET", START, key="")
        assert (response.status_code, "says that it is" in response.text) == (503, True)

    sign_in(scenario)


def test_without_providers_there_is_nothing_to_sign_in_by(play: Play) -> None:
    async def scenario(site: Site) -> None:
        assert (await site.call("GET", "/v1/sign-in", key="")).json() == {"providers": []}
        assert (await site.call("GET", START, key="")).status_code == 404

    play(scenario)


@pytest.mark.parametrize(
    "path", ["//evil.example", "https://evil.example", "/\\evil.example", "jobs", "/a\r\nb", ""]
)
def test_a_browser_is_sent_back_to_pages_of_ours_alone(path: str) -> None:
    assert local_path(path) == "/"
