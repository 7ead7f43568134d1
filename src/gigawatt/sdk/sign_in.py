"""Signing in from a command line: the device flow (RFC 8628) with a provider, then its ID token for a session's key.

The session ends by itself; a refresh token, kept beside the key where the provider gave one, gets the next.
"""

import fcntl
import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, urlsplit

import httpx2

from gigawatt import clock
from gigawatt.sdk.contexts import LOOPBACK, Context, read_contexts, write_contexts
from gigawatt.sdk.errors import ApiError, UnreachableError, problem_of
from gigawatt.sdk.instance import Address

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
ANSWER_S = 30.0
EARLY_MS = 60_000  # before its end, the next session is fetched
PAUSE_S, PAUSE_S_MAX, SLOWER_S = 5, 60, 5
SIGN_IN_S_MAX = 900

Tell = Callable[[str, str], None]  # where to go, and what to type there


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A session of the API; `refresh` is the provider's, and not for anybody's eyes."""

    provider: str
    issuer: str
    view: dict[str, Any]
    refresh: str

    def context(self, *, name: str, address: Address) -> Context:
        return Context(
            name=name,
            api_url=address.api_url,
            token=str(self.view["key"]),
            user=str(self.view["name"]),
            role=str(self.view["role"]),
            tenant=str(self.view["tenant"]),
            ca=address.ca,
            provider=self.provider,
            issuer=self.issuer,
            refresh=self.refresh,
            expires=str(self.view["expires_ms"]),
        )


def sign_in(address: Address, *, issuer: str, tell: Tell) -> Signed:
    """Ask the person, by `tell`, to agree at the provider, and wait for that.

    Raises ApiError, UnreachableError.
    """
    provider = _provider(address, issuer)
    found = _discovered(str(provider["issuer"]))
    where = str(found.get("device_authorization_endpoint", ""))
    if not where:
        detail = f"{provider['issuer']} knows no sign-in of devices"
        raise UnreachableError(detail, "use an API key: gw login URL")
    scopes = dict.fromkeys((*cast("list[str]", provider["scopes"]), "offline_access"))
    client = str(provider["client_id"])
    asked = _form(where, {"client_id": client, "scope": " ".join(scopes)})
    complete = str(asked.get("verification_uri_complete") or asked["verification_uri"])
    tell(complete, str(asked["user_code"]))
    tokens = _awaited(str(found["token_endpoint"]), client, asked)
    return _exchanged(address, provider, tokens, refresh="")


def fresh(context: Context, path: Path) -> Context:
    """The context with a session that is good for a while yet; fetched, and stored at `path`, where that is due.

    Raises UnreachableError.
    """
    if not _due(context):
        return context
    with _alone(path):  # a refresh token may be good for one use
        stored = read_contexts(path)
        context = stored.find(context.name)
        if not _due(context):
            return context
        address = Address(api_url=context.api_url, ca=context.ca, source=f"context {context.name}")
        try:
            provider = _provider(address, context.issuer)
            token = str(_discovered(context.issuer)["token_endpoint"])
            form = {
                "grant_type": "refresh_token",
                "refresh_token": context.refresh,
                "client_id": str(provider["client_id"]),
            }
            signed = _exchanged(address, provider, _form(token, form), refresh=context.refresh)
        except (ApiError, KeyError) as error:
            hint = f"sign in again: gw login {context.api_url} --issuer {context.issuer}"
            why = error.problem.detail if isinstance(error, ApiError) else "it gave no ID token"
            detail = f"the session of context {context.name} has ended: {why}"
            raise UnreachableError(detail, hint) from error
        renewed = signed.context(name=context.name, address=address)
        write_contexts(path, replace(stored.having(renewed)))
        return renewed


def _due(context: Context) -> bool:
    return bool(context.refresh) and clock.now_ms() + EARLY_MS >= int(context.expires or 0)


def _provider(address: Address, issuer: str) -> dict[str, Any]:
    """The one of that issuer, or the only one. Raises ApiError, UnreachableError."""
    told = _asked(address, "GET", "/v1/sign-in")
    found = cast("list[dict[str, Any]]", told["providers"])
    wanted = [each for each in found if not issuer or each["issuer"] == issuer.rstrip("/")]
    wanted = wanted or [each for each in found if each["issuer"] == issuer]
    if len(wanted) == 1:
        return wanted[0]
    names = ", ".join(str(each["issuer"]) for each in found) or "none"
    which = f"is not one of {issuer}" if issuer else "is not a single one"
    raise UnreachableError(
        f"the provider to sign in by at {address.api_url} {which}",
        f"it has: {names}; name one by --issuer, or use an API key",
    )


def _discovered(issuer: str) -> dict[str, Any]:
    """Raises UnreachableError for what is not that issuer, or would be asked in the clear."""
    parts = urlsplit(issuer)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        raise UnreachableError(f"{issuer} is not an https URL", "tell the operator")
    try:
        url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
        found: Any = httpx2.get(url, timeout=ANSWER_S).json()
    except (httpx2.HTTPError, ValueError) as error:
        raise UnreachableError(
            f"the provider {issuer} does not answer: {error}", "try again"
        ) from error
    if not isinstance(found, dict) or cast("dict[str, Any]", found).get("issuer") != issuer:
        raise UnreachableError(f"what answers at {issuer} is another provider", "tell the operator")
    return cast("dict[str, Any]", found)


def _awaited(url: str, client: str, asked: dict[str, Any]) -> dict[str, Any]:
    """The tokens, once the person has agreed. Raises ApiError, UnreachableError."""
    pause_s = min(int(asked.get("interval", PAUSE_S)), PAUSE_S_MAX)
    until_s = clock.monotonic_s() + min(int(asked.get("expires_in", 600)), SIGN_IN_S_MAX)
    form = {"grant_type": GRANT, "device_code": str(asked["device_code"]), "client_id": client}
    while clock.monotonic_s() < until_s:
        time.sleep(pause_s)
        try:
            return _form(url, form)
        except ApiError as error:
            if error.problem.title == "slow_down":
                pause_s = min(pause_s + SLOWER_S, PAUSE_S_MAX)
            elif error.problem.title != "authorization_pending":
                raise
    raise UnreachableError("nobody agreed at the provider in time", "sign in again")


def _form(url: str, form: dict[str, str]) -> dict[str, Any]:
    """What a provider answers to a form; its refusal as a problem whose title is the error's name."""
    try:
        response = httpx2.post(url, data=form, timeout=ANSWER_S)
        told: Any = response.json()
    except (httpx2.HTTPError, ValueError) as error:
        raise UnreachableError(f"the provider does not answer: {error}", "try again") from error
    answer = cast("dict[str, Any]", told if isinstance(told, dict) else {})
    if response.is_success:
        return answer
    said = str(answer.get("error_description") or answer.get("error") or response.status_code)
    body: dict[str, Any] = {
        "type": "urn:gigawatt:problem:unauthenticated",
        "title": str(answer.get("error", "")),
        "status": response.status_code,
        "detail": f"the provider refused: {said[:300]}",
        "hint": "sign in again",
        "field": "",
        "faults": [],
    }
    raise ApiError(problem_of(response.status_code, body, ""))


def _exchanged(
    address: Address, provider: dict[str, Any], tokens: dict[str, Any], *, refresh: str
) -> Signed:
    name = str(provider["name"])
    path = f"/v1/sign-in/{quote(name, safe='')}/token"
    view = _asked(address, "POST", path, {"id_token": str(tokens["id_token"])})
    return Signed(
        provider=name,
        issuer=str(provider["issuer"]),
        view=view,
        refresh=str(tokens.get("refresh_token") or refresh),
    )


def _asked(address: Address, method: str, path: str, body: object = None) -> dict[str, Any]:
    url = urlsplit(address.api_url)
    verify = address.trust() if url.scheme == "https" else True
    try:
        with httpx2.Client(
            base_url=address.api_url,
            verify=verify,
            timeout=ANSWER_S,
            trust_env=url.hostname not in LOOPBACK,
        ) as http:
            response = http.request(method, path, json=body)
            told: Any = response.json()
    except (httpx2.HTTPError, ValueError) as error:
        raise UnreachableError(
            f"nothing answers at {address.api_url}: {error}", "check the URL and the port"
        ) from error
    if not response.is_success:
        raise ApiError(problem_of(response.status_code, told, response.text))
    return cast("dict[str, Any]", told)


@contextmanager
def _alone(path: Path) -> Generator[None]:
    """One process of this user at a time."""
    lock = os.open(
        path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
    )
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
