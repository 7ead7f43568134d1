"""Signing in by an OpenID provider: who is let in, as what, for how long; and everybody who is not."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from http.cookies import SimpleCookie
from typing import Any

import httpx2
import pytest

from gigawatt import clock
from gigawatt.model.refusal import RefusalError
from gigawatt.service.oidc import Provider
from gigawatt.service.sign_in import Session, SignIn, local_path
from gigawatt.spec.sign_in import parse_sign_in
from tests.oidc_server import CLIENT, OidcServer, oidc_server
from tests.surface.api.conftest import Play
from tests.surface.api.site import SECRET, Site
from tests.surface.api.test_audit import records

pytestmark = pytest.mark.slow

ADMIN: dict[str, Any] = {"groups": ["staff", "admins"]}
DEVELOPER: dict[str, Any] = {"groups": ["ml"]}
RULES = [
    {"when": {"groups": "admins"}, "role": "tenant-admin"},
    {"when": {"groups": "ml"}, "role": "developer", "project": "default"},
    {"when": {"email": "boss@example.org"}, "role": "operator"},
]
START, BACK = "/v1/sign-in/corp/start", "/v1/sign-in-callback"
TOKEN, SESSION, END = "/v1/sign-in/corp/token", "/v1/session", "/v1/session/end"
Scenario = Callable[[Site, OidcServer], Awaitable[None]]


@pytest.fixture
def idp() -> Iterator[OidcServer]:
    with oidc_server() as server:
        yield server


@pytest.fixture
def sign_in(play: Play, idp: OidcServer) -> Callable[[Scenario], None]:
    def played(scenario: Scenario, **fields: Any) -> None:
        async def with_provider(site: Site) -> None:
            site.services.sign_in = signing_in(site, idp, **fields)
            await scenario(site, idp)

        play(with_provider)

    return played


def signing_in(site: Site, idp: OidcServer, **fields: Any) -> SignIn:
    provider = {"name": "corp", "issuer": idp.issuer, "client_id": CLIENT, "rules": RULES, **fields}
    form = parse_sign_in({"providers": [provider]})
    return SignIn(
        tuple(Provider(each) for each in form.providers),
        store=site.store,
        leader=site.services.leader,
        secret=SECRET,
        redirect=f"https://api.test{BACK}",
    )


async def begun(site: Site, return_to: str = "/") -> tuple[str, str]:
    """Where the browser is sent, and the cookie that it keeps."""
    response = await site.call("GET", f"{START}?return_to={return_to}", key="")
    assert response.status_code == 303, response.text
    return response.headers["location"], cookies(response)["__Host-gw-sign-in"]


async def back(site: Site, answer: dict[str, str], cookie: str) -> httpx2.Response:
    query = "&".join(f"{name}={value}" for name, value in answer.items())
    headers = {"Cookie": f"__Host-gw-sign-in={cookie}"}
    return await site.call("GET", f"{BACK}?{query}", key="", headers=headers)


async def signed_in(site: Site, idp: OidcServer, **claims: Any) -> str:
    """A session's cookie."""
    url, cookie = await begun(site)
    response = await back(site, idp.code_for(url, **claims), cookie)
    assert response.status_code == 303, response.text
    return f"__Host-gw-session={cookies(response)['__Host-gw-session']}"


def cookies(response: httpx2.Response) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in response.headers.get_list("set-cookie"):
        jar = SimpleCookie(each)
        for name, morsel in jar.items():
            if morsel.value:
                assert (morsel["secure"], morsel["httponly"], morsel["path"]) == (True, True, "/")
                assert morsel["samesite"] == "lax"
            found[name] = morsel.value
    return found


async def refused(site: Site, token: str) -> str:
    response = await site.call("POST", TOKEN, {"id_token": token}, key="")
    assert response.status_code in {401, 403}, response.text
    assert token not in response.text
    return response.json()["detail"]


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
