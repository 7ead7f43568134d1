"""What goes wrong, as pages: refusals with their hints, paths that are not there, and our own mistakes."""

import json
from urllib.parse import urlencode

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gigawatt.api.cookies import SESSION, drop_cookie
from gigawatt.api.problems import TITLES, internal_fields
from gigawatt.console.navigation import url
from gigawatt.console.policy import HEADERS
from gigawatt.console.rendering import rendered
from gigawatt.console.visit import LIVE, VISIT, Shell, framed, visiting
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.service import audit
from gigawatt.spec.faults import query_faults, refusal


async def refused(request: Request, error: Exception) -> Response:
    """For RefusalError."""
    assert isinstance(error, RefusalError)
    audit.refused(request.app.state.services, error)
    if error.code is RefusalCode.UNAUTHENTICATED:
        return _to_sign_in(request)
    return _page(request, error)


async def bad_query(request: Request, error: Exception) -> Response:
    """For query and path parameters that are not valid."""
    assert isinstance(error, RequestValidationError)
    return _page(request, refusal(query_faults(error.errors())))


async def http_error(request: Request, error: Exception) -> Response:
    """For paths and methods that are not there."""
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        try:
            await visiting(request)  # so that the page knows who sees it
        except RefusalError as unknown:
            return await refused(request, unknown)
        detail = f"there is no page {request.url.path}"
        return _page(request, RefusalError(RefusalCode.NOT_FOUND, detail))
    content = rendered("refusal.html", title=error.detail, detail="", hint="", faults=())
    return framed(request, content, shell=Shell(title=error.detail, status=error.status_code))


async def mistaken(request: Request, _error: Exception) -> Response:
    """For what we did not expect: an id, under which the log has the rest. The error goes on to who logs it."""
    request_id = request.scope["state"].get("request_id", "")
    fields = internal_fields(request_id)
    content = rendered(
        "refusal.html",
        title=fields["title"],
        detail=fields["detail"],
        hint=fields["hint"],
        faults=(),
    )
    return framed(request, content, shell=Shell(title=fields["title"], status=500))


def _page(request: Request, error: RefusalError) -> Response:
    if request.headers.get("hx-request") or request.scope["state"].get(LIVE):
        return _toast(error)
    title = TITLES[error.code]
    content = rendered(
        "refusal.html", title=title, detail=error.detail, hint=error.hint, faults=error.faults
    )
    visit = request.scope["state"].get(VISIT)
    context = {"caller": visit.caller, "csrf": visit.csrf} if visit else None
    shell = Shell(title=title, status=error.status)
    return framed(request, content, shell=shell, context=context)


def _toast(error: RefusalError) -> Response:
    """For a script's request: the page stays as it is, and says what was refused."""
    said = {"gw:refused": {"detail": error.detail, "hint": error.hint}}
    headers = {**HEADERS, "HX-Trigger": json.dumps(said), "HX-Reswap": "none"}
    return Response(status_code=error.status, headers=headers)


def _to_sign_in(request: Request) -> Response:
    """To the sign-in page, and from there back; scripts are told that the session is over."""
    state = request.scope["state"]
    if state.get(LIVE) or request.headers.get("hx-request"):
        headers = {**HEADERS, "HX-Redirect": url("/sign-in")}
        return Response(status_code=401, headers=headers)
    query = f"?{request.url.query}" if request.url.query else ""
    here = request.scope["path"] + query if request.method == "GET" else url("/")
    to = url("/sign-in") + "?" + urlencode({"return_to": here})
    response = RedirectResponse(to, 303, headers=dict(HEADERS))
    if request.cookies:
        drop_cookie(response, request, SESSION)
    return response
