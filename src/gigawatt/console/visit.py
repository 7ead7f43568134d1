"""One visit to a page: who comes, by the same keys and sessions as at the API, and the page that they are given."""

import gzip
import hashlib
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gigawatt.api.call import Authenticated, identified, services_of
from gigawatt.api.cookies import seen_by_cookie
from gigawatt.console.notes import leave_note, taken_note
from gigawatt.console.policy import HEADERS
from gigawatt.console.rendering import rendered
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller
from gigawatt.service.services import Services, Terms

T = TypeVar("T")

THEME = "gw-theme"
THEMES = frozenset({"light", "dark"})
LIVE = "console_live"  # in the state of a request that the console makes of itself
VISIT = "console_visit"  # in the state of a request whose key is good
FORM_TYPE = "application/x-www-form-urlencoded"
FIELDS_MAX = 200
GZIP_LEVEL, GZIP_FROM_BYTES = 5, 1_000
DIGEST_CHARS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """The frame of a page. It is made anew after events whose kinds begin with one of `live`, and every `every_s`.

    `alike` says that all who see the same tenant and project, by the same role and scopes, see the same content.
    """

    title: str
    entry: str = ""  # which of the navigation it belongs to
    live: tuple[str, ...] = ()
    every_s: int = 0
    alike: bool = False
    scripts: tuple[str, ...] = ()  # static files beyond those of every page
    styles: tuple[str, ...] = ()
    status: int = 200
    wide: bool = False  # without a limit on the width


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request of someone who has signed in. `form` has what a form of ours sent, the last of each name."""

    call: Authenticated
    csrf: str
    form: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def caller(self) -> Caller:
        """Who comes: the first argument of every verb."""
        return self.call.caller

    @property
    def services(self) -> Services:
        """The second argument of every verb."""
        return self.call.services

    @property
    def request(self) -> Request:
        """The request itself."""
        return self.call.request

    @property
    def terms(self) -> Terms:
        """Of a write: only if the object still has the version that the form was made for, where it says one."""
        version = self.form.get("version", "")
        return Terms(if_version=int(version) if version.isdigit() else None)

    def page(self, template: str, *, shell: Shell, **context: Any) -> Response:
        """A page: its content by `template`, in the frame that all pages have, kept current while it is open."""
        request = self.request
        named = {"visit": self, "caller": self.caller, "csrf": self.csrf, **context}
        content = rendered(template, **named)
        digest = hashlib.sha256(content.encode()).hexdigest()[:DIGEST_CHARS]
        if request.scope["state"].get(LIVE):
            headers = {"X-Digest": digest}
            if shell.alike and not (self.csrf and self.csrf in content):
                headers["X-Alike"] = "1"
            return Response(content, media_type="text/html", headers=headers)
        return framed(request, content, shell=shell, digest=digest, context=named)

    def back(self, path: str, said: str = "") -> Response:
        """Where a write leads: to another page of ours, which says once what was done."""
        response = RedirectResponse(path, 303, headers=dict(HEADERS))
        if said:
            leave_note(response, said)
        return response


async def visiting(request: Request) -> Visit:
    """The visit behind a request. Raises RefusalError (unauthenticated), and (forbidden) for forms of other sites."""
    form = await form_of(request)
    call = await identified(request, shown=form.get("csrf", ""))
    seen = seen_by_cookie(request, services_of(request))
    visit = Visit(call=call, csrf=seen.csrf if seen else "", form=form)
    request.scope["state"][VISIT] = visit
    return visit


Visiting = Annotated[Visit, Depends(visiting)]


def framed(
    request: Request,
    content: str,
    *,
    shell: Shell,
    digest: str = "",
    context: Mapping[str, Any] | None = None,
) -> Response:
    """A whole page: its content in the frame."""
    note = taken_note(request)
    query = f"?{request.url.query}" if request.url.query else ""
    whole = rendered(
        "layout.html",
        content=content,
        shell=shell,
        digest=digest,
        here=request.scope["path"] + query,
        theme=theme_of(request),
        entries=request.app.state.entries,
        note=note,
        **{"caller": None, "csrf": "", **(context or {})},
    )
    return html(request, whole, status=shell.status, spent_note=bool(note))


def html(request: Request, text: str, *, status: int = 200, spent_note: bool = False) -> Response:
    """A whole page as a response, packed where the browser takes that."""
    body = text.encode()
    response = Response(body, status_code=status, media_type="text/html", headers=dict(HEADERS))
    response.headers["Vary"] = "Accept-Encoding, Cookie"
    if len(body) >= GZIP_FROM_BYTES and "gzip" in request.headers.get("accept-encoding", ""):
        response.body = gzip.compress(body, GZIP_LEVEL, mtime=0)
        response.headers["Content-Encoding"] = "gzip"
        response.headers["Content-Length"] = str(len(response.body))
    if spent_note:
        leave_note(response, "")
    return response


async def allowed(asked: Awaitable[T]) -> T | None:
    """None for what the caller may not know, or what is not there any more."""
    try:
        return await asked
    except RefusalError as error:
        if error.code not in {RefusalCode.FORBIDDEN, RefusalCode.NOT_FOUND}:
            raise
        return None


def theme_of(request: Request) -> str:
    """What the person chose; empty for what their system says."""
    chosen = request.cookies.get(THEME, "")
    return chosen if chosen in THEMES else ""


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form. Raises RefusalError for another kind of body."""
    if request.method != "POST":
        return {}
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    if media_type != FORM_TYPE:
        if not body:
            return {}
        detail = f"a form's body is {FORM_TYPE}, not {media_type[:100]}"
        raise RefusalError(RefusalCode.UNSUPPORTED, detail, field="Content-Type")
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX, strict_parsing=False
        )
    except ValueError:
        raise RefusalError(RefusalCode.INVALID, "the form cannot be read") from None
    return dict(pairs)
