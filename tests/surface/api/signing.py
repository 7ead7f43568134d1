"""Signing in at a provider of a test's own: what it says of people, and a browser's way there and back."""

from collections.abc import Awaitable, Callable
from http.cookies import SimpleCookie
from typing import Any

import httpx2

from gigawatt.service.oidc import Provider
from gigawatt.service.sign_in import SignIn
from gigawatt.spec.sign_in import parse_sign_in
from tests.oidc_server import CLIENT, OidcServer
from tests.surface.api.site import SECRET, Site

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
