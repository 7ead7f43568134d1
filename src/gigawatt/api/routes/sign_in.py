"""Signing in by an OpenID provider: /v1/sign-in, for browsers and command lines, and /v1/session."""

from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gigawatt.api.call import Call, address_of, services_of
from gigawatt.api.cookies import FLOW, SESSION, cookie_of, drop_cookie, set_cookie
from gigawatt.api.operations import PUBLIC, Operation, Routes
from gigawatt.api.queries import Nothing
from gigawatt.api.replies import nothing, reply
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.service import sessions
from gigawatt.service.audit import session_begun
from gigawatt.service.sessions import ProvidersView, SessionView, session_view, signing_in
from gigawatt.service.views.account import ConsoleCodeView
from gigawatt.spec.requests import EndRequest, ExchangeRequest, parse_request

PATH_CHARS_MAX = 2_048
ROUTES = Routes()


class Start(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    return_to: Annotated[str, Field(max_length=PATH_CHARS_MAX)] = "/"


class Answer(BaseModel):
    """What a provider sends a browser back with; it may say more."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    code: Annotated[str, Field(max_length=PATH_CHARS_MAX)] = ""
    state: Annotated[str, Field(max_length=PATH_CHARS_MAX)] = ""
    iss: Annotated[str, Field(max_length=PATH_CHARS_MAX)] = ""
    error: Annotated[str, Field(max_length=PATH_CHARS_MAX)] = ""


@ROUTES.add(
    "GET",
    "/v1/sign-in",
    Operation(verb=PUBLIC, summary="List whom one can sign in by", responds=ProvidersView),
)
async def list_providers(request: Request) -> Response:
    return reply(sessions.providers(services_of(request)))


@ROUTES.add(
    "GET",
    "/v1/sign-in/{provider}/start",
    Operation(verb=PUBLIC, summary="Send a browser to a provider", status=303, media_type=""),
)
async def start_sign_in(
    request: Request, provider: str, query: Annotated[Start, Query()]
) -> Response:
    started = await signing_in(services_of(request)).start(provider, query.return_to)
    response = RedirectResponse(started.url, 303)
    set_cookie(response, request, FLOW, started.cookie)
    return _unkept(response)


@ROUTES.add(
    "GET",
    "/v1/sign-in-callback",
    Operation(verb=PUBLIC, summary="Take a browser back", status=303, media_type=""),
)
async def finish_sign_in(request: Request, query: Annotated[Answer, Query()]) -> Response:
    services = services_of(request)
    signing = signing_in(services)
    if query.error:
        detail = f"the provider did not sign you in: {query.error[:100]}"
        raise RefusalError(RefusalCode.UNAUTHENTICATED, detail, hint="sign in again")
    asked = signing.finish(
        cookie_of(request, FLOW), code=query.code, state=query.state, issuer=query.iss
    )
    session = await session_begun(services, asked, address=address_of(request))
    response = RedirectResponse(session.return_to, 303)
    drop_cookie(response, request, FLOW)
    set_cookie(response, request, SESSION, signing.cookie(session.key))
    return _unkept(response)


@ROUTES.add(
    "POST",
    "/v1/sign-in/{provider}/token",
    Operation(
        verb=PUBLIC,
        summary="A session for an ID token; its key is in this answer and never again",
        responds=SessionView,
        status=201,
        accepts=ExchangeRequest,
    ),
)
async def exchange_token(request: Request, provider: str) -> Response:
    services = services_of(request)
    asked = parse_request(ExchangeRequest, await request.body())
    exchanged = signing_in(services).exchange(provider, asked.id_token)
    session = await session_begun(services, exchanged, address=address_of(request))
    return _unkept(reply(session_view(services, session.key, session.secret), status=201))


@ROUTES.add(
    "GET",
    "/v1/session",
    Operation(verb="sessions.show", summary="Show your session", responds=SessionView),
)
async def show_session(call: Call, query: Nothing) -> Response:
    return _unkept(reply(await sessions.show(call.caller, call.services)))


@ROUTES.add(
    "POST",
    "/v1/session/code",
    Operation(
        verb="sessions.code",
        summary="A code that signs one browser in to the console, within a minute",
        responds=ConsoleCodeView,
        status=201,
    ),
)
async def make_code(call: Call, query: Nothing) -> Response:
    return _unkept(reply(await sessions.code(call.caller, call.services), status=201))


@ROUTES.add(
    "POST",
    "/v1/session/end",
    Operation(
        verb="sessions.end",
        summary="End your session, or all of your account",
        status=204,
        accepts=EndRequest,
    ),
)
async def end_session(call: Call, query: Nothing) -> Response:
    asked = parse_request(EndRequest, await call.body())
    await sessions.end(call.caller, call.services, everywhere=asked.everywhere)
    response = nothing()
    drop_cookie(response, call.request, SESSION)
    return response


def _unkept(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response
