"""Pages that are open, kept current: one subscription to events for all of them, and one rendering for all that are alike.

A page names the events that concern it. After such an event the console visits the page's own URL again, as the one who
has it open, and sends the content to every browser that shows it, unless it is what they show already. So a page is live
without code of its own, and who may not see something any more does not see it here either. A page whose shell says that
it is `alike` for all who see the same is made once for them; whether each of their keys is still good is asked each time.

Rendering takes a tenth of the time at most: after each there is a pause of nine times what it took. With few pages that
is not noticed; with very many different ones they grow older before the control plane grows slow.
"""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Message, Scope

from gigawatt import clock
from gigawatt.api.call import authenticated
from gigawatt.api.cookies import SESSION, cookie_of
from gigawatt.api.replies import EVENT_STREAM
from gigawatt.console.navigation import BASE
from gigawatt.console.policy import HEADERS
from gigawatt.console.visit import DIGEST_CHARS, LIVE
from gigawatt.model.event import Event
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller
from gigawatt.service.permissions import sees
from gigawatt.service.services import Services
from gigawatt.service.streams import feed, pause

log = logging.getLogger(__name__)

PAUSE_FACTOR = 9
TOGETHER_S = 0.15  # events that come together are shown together
SIGN_OF_LIFE_S = 15.0
PAGES_MAX = 5_000  # open at once
URL_CHARS_MAX = 4_096
KINDS_MAX = 16
EVERY_S_MIN = 1
ALIVE = b": alive\n\n"


class Watching(BaseModel):
    """Which page (`of`), after which events (`on`, beginnings of their kinds) and how often; `seen` is what is shown."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    of: Annotated[str, Field(max_length=URL_CHARS_MAX)]
    on: Annotated[list[str], Field(max_length=KINDS_MAX)] = []
    every: Annotated[int, Field(ge=0, le=3_600)] = 0
    seen: Annotated[str, Field(max_length=64)] = ""


@dataclass(slots=True, kw_only=True, eq=False)
class _Shown:
    """A page as one session has it open, perhaps in several windows."""

    of: str
    scope: Scope
    caller: Caller
    on: tuple[str, ...]
    every_s: int
    content: bytes = b""  # as an event of the stream
    digest: str = ""
    windows: set[asyncio.Event] = field(default_factory=set[asyncio.Event])
    over: bool = False
    due_s: float = 0.0

    def concerns(self, event: Event) -> bool:
        return event.kind.startswith(self.on) and sees(self.caller, event.tenant, event.project)


class Hub:
    """`pages` is what visits are made to."""

    def __init__(self, services: Services, pages: ASGIApp) -> None:
        self._services = services
        self._pages = pages
        self._shown: dict[tuple[str, ...], _Shown] = {}
        self._stale: dict[_Shown, None] = {}  # in the order in which they became so
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def check(self, request: Request, watching: Watching) -> None:
        """Raises RefusalError for what is no page of ours, and where too many are open: before the reply has begun."""
        _visit_to(request, watching.of)
        if len(self._shown) >= PAGES_MAX:
            raise RefusalError(RefusalCode.LIMIT, "too many pages are open")

    async def contents(self, request: Request, watching: Watching) -> AsyncIterator[bytes]:
        """What a window is to show, whenever that is not what it shows; signs of life between. Ends with the session."""
        call = await authenticated(request)
        shown = self._opened(request, call.caller, watching)
        told, seen = asyncio.Event(), request.headers.get("last-event-id") or watching.seen
        shown.windows.add(told)
        try:
            self._begin()
            if not shown.digest:
                self._mark(shown)  # it may have changed since the browser was given it
            while not (shown.over or self._services.closing.is_set()):
                if shown.digest not in ("", seen):
                    seen = shown.digest
                    yield shown.content
                told.clear()
                if shown.digest in ("", seen) and not await _within(told, SIGN_OF_LIFE_S):
                    yield ALIVE
        finally:
            shown.windows.discard(told)
            self._close(shown)

    def _opened(self, request: Request, caller: Caller, watching: Watching) -> _Shown:
        session = cookie_of(request, SESSION) or request.headers.get("authorization", "")
        key = (_sha256(session), watching.of, *watching.on, str(watching.every))
        found = self._shown.get(key)
        if found is None or found.over:
            found = self._shown[key] = _Shown(
                of=watching.of,
                scope=_visit_to(request, watching.of),
                caller=caller,
                on=tuple(watching.on),
                every_s=max(watching.every, EVERY_S_MIN) if watching.every else 0,
            )
        return found

    def _close(self, shown: _Shown) -> None:
        if shown.windows:
            return
        self._shown = {key: each for key, each in self._shown.items() if each is not shown}
        self._stale.pop(shown, None)
        if not self._shown:
            for task in self._tasks:
                task.cancel()
            self._tasks = []

    def _begin(self) -> None:
        """Work while there are pages; none while there are none."""
        if not self._tasks or any(task.done() for task in self._tasks):
            for task in self._tasks:
                task.cancel()
            self._tasks = [
                asyncio.create_task(work) for work in (self._listen(), self._render(), self._tick())
            ]

    def _mark(self, shown: _Shown) -> None:
        self._stale.setdefault(shown)
        self._wake.set()

    async def _listen(self) -> None:
        async with feed(self._services) as changes:
            while not changes.closing:
                event = await changes.take(SIGN_OF_LIFE_S)
                lost, changes.lost = changes.lost, False
                for shown in self._shown.values():
                    if lost or (event is not None and shown.concerns(event)):
                        self._mark(shown)
        for shown in self._shown.values():
            _end(shown)

    async def _tick(self) -> None:
        """Pages that change without events."""
        while not await pause(self._services, EVERY_S_MIN):
            now_s = clock.monotonic_s()
            for shown in self._shown.values():
                if shown.every_s and shown.due_s <= now_s:
                    shown.due_s = now_s + shown.every_s
                    self._mark(shown)

    async def _render(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(TOGETHER_S)
            self._wake.clear()
            while self._stale:
                shown = next(iter(self._stale))
                del self._stale[shown]
                began_s = clock.monotonic_s()
                await self._refresh(shown)
                took_s = clock.monotonic_s() - began_s
                await asyncio.sleep(took_s * PAUSE_FACTOR)

    async def _refresh(self, shown: _Shown) -> None:
        """Make a page anew, for those who have it open and for those to whom it looks alike. Ends it for who may not."""
        try:
            good = await self._still_good(shown)
            status, headers, body = await _visited(self._pages, shown.scope)
        except Exception:
            log.exception("an open page cannot be made anew: %s", shown.scope["path"])
            good, status, headers, body = False, 500, {}, b""
        if not good or status != 200:
            _end(shown)
            return
        digest = headers.get(b"x-digest", b"").decode()
        content = _as_event(digest, body)
        _show(shown, digest, content)
        if b"x-alike" not in headers:
            return
        for other in [each for each in self._stale if each.of == shown.of]:
            if not await self._still_good(other):
                _end(other)
            elif _view(other.caller) == _view(shown.caller):
                self._stale.pop(other, None)
                _show(other, digest, content)

    async def _still_good(self, shown: _Shown) -> bool:
        """Whether its session still is; takes up what its caller may do now."""
        try:
            call = await authenticated(
                Request({**shown.scope, "app": self._pages, "state": {LIVE: True}})
            )
        except RefusalError:
            return False
        shown.caller = call.caller
        return True


async def stream_page(request: Request, watching: Annotated[Watching, Query()]) -> Response:
    """The contents of a page that is open, as server-sent events."""
    call = await authenticated(request)
    hub = request.app.state.hub
    assert isinstance(hub, Hub)
    hub.check(request, watching)
    headers = {**HEADERS, "X-Accel-Buffering": "no"}
    contents = call.while_good(hub.contents(request, watching))
    return StreamingResponse(contents, media_type=EVENT_STREAM, headers=headers)


def _visit_to(request: Request, of: str) -> Scope:
    """The request that the console makes of itself, as the one who asks for this one. Raises RefusalError."""
    parts = urlsplit(of)
    if parts.scheme or parts.netloc or not parts.path.startswith(f"{BASE}/"):
        raise RefusalError(RefusalCode.INVALID, "that is no page of the console", field="of")
    names = {b"cookie", b"authorization", b"host"}
    return {
        **{key: request.scope[key] for key in ("type", "asgi", "http_version", "scheme")},
        "method": "GET",
        "path": parts.path,
        "raw_path": parts.path.encode(),
        "root_path": BASE,
        "query_string": parts.query.encode(),
        "headers": [each for each in request.scope["headers"] if each[0] in names],
        "client": request.scope.get("client"),
        "server": request.scope.get("server"),
    }


async def _visited(pages: ASGIApp, scope: Scope) -> tuple[int, dict[bytes, bytes], bytes]:
    start: Message = {}
    body: list[bytes] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        else:
            body.append(message.get("body", b""))

    await pages({**scope, "state": {LIVE: True, "request_id": "live"}}, receive, send)
    return start["status"], dict(start["headers"]), b"".join(body)


def _view(caller: Caller) -> tuple[object, ...]:
    """What decides what a caller sees, whoever it is."""
    return (caller.tenant, caller.project, caller.role, caller.scopes, caller.job)


def _show(shown: _Shown, digest: str, content: bytes) -> None:
    if digest != shown.digest:
        shown.digest, shown.content = digest, content
        for told in shown.windows:
            told.set()


def _end(shown: _Shown) -> None:
    shown.over = True
    for told in shown.windows:
        told.set()


def _as_event(digest: str, body: bytes) -> bytes:
    lines = b"".join(b"data: " + line + b"\n" for line in body.splitlines())
    return b"id: " + digest.encode() + b"\n" + lines + b"\n"


async def _within(told: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await told.wait()
    except TimeoutError:
        return False
    return True


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_CHARS]
