"""Cookies of browsers that have signed in, and what protects them from other sites' pages."""

import hmac
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller
from gigawatt.service.services import Services
from gigawatt.service.sign_in import Seen

SESSION, FLOW = "gw-session", "gw-sign-in"
HOST_PREFIX = "__Host-"  # browsers take it with Secure alone, for this host and every path of it
CSRF = "X-CSRF-Token"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_SITES = frozenset({"", "same-origin", "none"})
COOKIE_CHARS_MAX = 3_500
FLOW_S = 600


def cookie_of(request: Request, name: str) -> str:
    """Empty where there is none, or one too long to be ours."""
    value = request.cookies.get(_named(name, secure=_secure(request)), "")
    return value if len(value) <= COOKIE_CHARS_MAX else ""


def set_cookie(response: Response, request: Request, name: str, value: str) -> None:
    """For this session of the browser; the sign-in's own is gone after ten minutes."""
    secure = _secure(request)
    response.set_cookie(
        _named(name, secure=secure),
        value,
        max_age=FLOW_S if name == FLOW else None,
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )


def drop_cookie(response: Response, request: Request, name: str) -> None:
    secure = _secure(request)
    response.delete_cookie(
        _named(name, secure=secure), path="/", secure=secure, httponly=True, samesite="lax"
    )


def seen_by_cookie(request: Request, services: Services) -> Seen | None:
    """What the session of a request says; None where there is none. Whether its key is good, `doors` knows."""
    cookie = cookie_of(request, SESSION)
    if not cookie:
        return None
    seen = services.key_sessions.seen(cookie)
    return services.sign_in.seen(cookie) if seen is None and services.sign_in else seen


async def caller_by_cookie(
    request: Request, services: Services, *, shown: str = ""
) -> Caller | None:
    """Whom a session stands for; None where there is none that is good.

    `shown` is what a form of ours says where it cannot send the header. The reply carries the cookie that takes its
    place, if that is due. Raises RefusalError for a write that no page of ours can have asked for.
    """
    seen = seen_by_cookie(request, services)
    caller = await services.doors.caller(seen.key) if seen else None
    if seen is None or caller is None:
        return None
    if request.method not in SAFE:
        check_origin(request)
        _check_token(shown or request.headers.get(CSRF, ""), seen.csrf)
    if seen.renewed:
        carrier = Response()
        set_cookie(carrier, request, SESSION, seen.renewed)
        request.scope["state"]["headers"] = tuple(
            each for each in carrier.raw_headers if each[0] == b"set-cookie"
        )
    return caller


def check_origin(request: Request) -> None:
    """Raises RefusalError (forbidden) for what a page of another origin asks for."""
    headers = request.headers
    origin = headers.get("origin", "")
    foreign = bool(origin) and urlsplit(origin).netloc != headers.get("host", "")
    if foreign or headers.get("sec-fetch-site", "") not in OWN_SITES:
        raise RefusalError(
            RefusalCode.FORBIDDEN, "a page of another origin may not do that", field="Origin"
        )


def _check_token(shown: str, csrf: str) -> None:
    if not hmac.compare_digest(shown.encode(), csrf.encode()):
        raise RefusalError(
            RefusalCode.FORBIDDEN,
            f"a write of a browser's session needs its {CSRF}",
            field=CSRF,
            hint="GET /v1/session tells it",
        )


def _named(name: str, *, secure: bool) -> str:
    return f"{HOST_PREFIX}{name}" if secure else name


def _secure(request: Request) -> bool:
    """By TLS here, or by the proxy whose address the operator has named."""
    services = request.app.state.services
    assert isinstance(services, Services)
    public = services.sign_in.redirect if services.sign_in else ""
    return request.url.scheme == "https" or public.startswith("https:")
