"""Signing in and out: by an API key, by a provider that the operator has named, by a code that `gw console` shows."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gigawatt.api.call import address_of, services_of
from gigawatt.api.cookies import SESSION, check_origin, cookie_of, drop_cookie, set_cookie
from gigawatt.console.navigation import url
from gigawatt.console.page import Page
from gigawatt.console.policy import HEADERS
from gigawatt.console.rendering import rendered
from gigawatt.console.visit import Shell, Visiting, form_of, framed
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller, Role
from gigawatt.service import sessions
from gigawatt.service.audit import signed_in
from gigawatt.service.sign_in import local_path

PAGE = Page()
SIGNED_OUT = "You are signed out."
TEXT_CHARS_MAX = 2_048
ASKED_BY_PERSON = "none"  # what Sec-Fetch-Site says of a URL that no page of any site has led to
NOT_FOR_PEOPLE = frozenset({Role.GATEWAY, Role.RANK})


class Entering(BaseModel):
    """`code` signs in by itself; `return_to` is where to go then."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    return_to: Annotated[str, Field(max_length=TEXT_CHARS_MAX)] = ""
    code: Annotated[str, Field(max_length=TEXT_CHARS_MAX)] = ""


@PAGE.shows("/sign-in")
async def show_sign_in(request: Request, query: Annotated[Entering, Query()]) -> Response:
    """The forms; or, with a code that a person opened, the way in."""
    services = services_of(request)
    if not query.code:
        return _forms(request, return_to=query.return_to)
    key = services.key_sessions.asked_by(query.code)
    caller = await services.doors.caller(key) if key else None
    if caller is None:
        return _forms(request, fault="This link was used before, or is older than a minute.")
    if request.headers.get("sec-fetch-site") == ASKED_BY_PERSON:
        return _enter(request, services.key_sessions.redeem(query.code), query.return_to)
    # A page of another site may have led here, to have someone work under a name that is not theirs.
    return _forms(request, return_to=query.return_to, code=query.code, asked=caller)


@PAGE.does("/sign-in")
async def sign_in(request: Request) -> Response:
    """By a key, or by a code that was shown before."""
    check_origin(request)
    services, form = services_of(request), await form_of(request)
    return_to = form.get("return_to", "")[:TEXT_CHARS_MAX]
    code, key = form.get("code", ""), form.get("key", "").strip()
    if code:
        asked_by = services.key_sessions.redeem(code)
        if not asked_by:
            return _forms(request, return_to=return_to, fault="This code is not good any more.")
        return _enter(request, asked_by, return_to)
    if not key:
        return _forms(request, return_to=return_to, fault="Enter an API key.")
    try:
        caller = await signed_in(services, f"Bearer {key}", address=address_of(request))
    except RefusalError as error:
        return _forms(request, return_to=return_to, fault=error.detail, status=error.status)
    if not caller.key or caller.role in NOT_FOR_PEOPLE:
        fault = "This key is for programs of the instance, not for people."
        return _forms(request, return_to=return_to, fault=fault, status=403)
    return _enter(request, caller.key, return_to)


@PAGE.does("/sign-out")
async def sign_out(visit: Visiting) -> Response:
    """End the session of this browser."""
    cookie = cookie_of(visit.request, SESSION)
    if not visit.services.key_sessions.end(cookie):
        try:
            await sessions.end(visit.caller, visit.services, everywhere=False)
        except RefusalError as error:  # the session of a key that was given by a header
            if error.code is not RefusalCode.NOT_FOUND:
                raise
    response = visit.back(url("/sign-in"), SIGNED_OUT)
    drop_cookie(response, visit.request, SESSION)
    return response


def _enter(request: Request, key: str, return_to: str) -> Response:
    to = local_path(return_to) if return_to else url("/")
    response = RedirectResponse(to, 303, headers=dict(HEADERS))
    set_cookie(response, request, SESSION, services_of(request).key_sessions.cookie(key))
    return response


def _forms(
    request: Request,
    *,
    return_to: str = "",
    fault: str = "",
    code: str = "",
    asked: Caller | None = None,
    status: int = 0,
) -> Response:
    to = local_path(return_to) if return_to else url("/")
    providers = [
        (each.name, f"{each.start}?{urlencode({'return_to': to})}")
        for each in sessions.providers(services_of(request)).providers
    ]
    content = rendered(
        "sign_in/index.html",
        providers=providers,
        return_to=to,
        fault=fault,
        code=code,
        asked=asked,
    )
    shell = Shell(title="Sign in", status=status or (422 if fault else 200))
    return framed(request, content, shell=shell)
