"""The proxy as an ASGI application of its own: /workspaces/NAME/… for browsers that came in by a link."""

import logging
from collections.abc import Callable
from typing import Any

import httpx2
from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from gigawatt import clock
from gigawatt.api.proxy import http, pages, sockets
from gigawatt.api.proxy.entrance import (
    SAFE,
    Visit,
    is_from_elsewhere,
    is_navigation,
    visit_of,
    workspace_of,
)
from gigawatt.api.proxy.heads import session_cookie
from gigawatt.model.command import StartWorkspace
from gigawatt.model.launch import AttemptKey
from gigawatt.model.observation import WorkspaceTouched
from gigawatt.model.refusal import RefusalError
from gigawatt.model.workspace import Workspace, WorkspacePhase
from gigawatt.service.services import Services

log = logging.getLogger("gigawatt.proxy")

TOUCHED_EVERY_MS = 5_000  # more often, the leader does not care
REFUSED = 4403  # a WebSocket's close code, from the range that applications have


class Proxy:
    """Close it at the end. `/` says what this is; everything else is below a workspace's path, or nowhere."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._client = http.new_client()
        self._told_ms: dict[str, int] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._request(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._socket(scope, receive, send)

    async def close(self) -> None:
        await self._client.aclose()

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit = visit_of(scope)
        if visit is None:
            await pages.nothing_here("NAME")(scope, receive, send)
        elif visit.code and scope["method"] == "GET":
            await self._entered(scope, visit)(scope, receive, send)
        elif is_from_elsewhere(scope):
            await pages.from_elsewhere()(scope, receive, send)
        else:
            workspace, _ = await workspace_of(self._services, scope, visit)
            if workspace is None:
                await pages.nothing_here(visit.name)(scope, receive, send)
            else:
                await self._visited(workspace, scope, receive, send)

    def _entered(self, scope: Scope, visit: Visit) -> Response:
        """A link is followed: its code for a cookie, and on to the page without it in its address."""
        session = self._services.doors.redeem(visit.code, visit.name)
        if session is None:
            return pages.used_link(visit.name)
        path: str = scope["raw_path"].decode("latin-1")
        response = RedirectResponse(f"{path}?{visit.rest}" if visit.rest else path, 303)
        cookie = session_cookie(session, base=visit.base, secure=_is_secure(self._services))
        response.raw_headers.append((b"set-cookie", cookie))
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-store"
        return response

    async def _visited(
        self, workspace: Workspace, scope: Scope, receive: Receive, send: Send
    ) -> None:
        target = self._target(workspace, scope)
        if target is None:
            response = await self._woken(workspace, scope)
            await response(scope, receive, send)
            return
        if scope["method"] not in SAFE or is_navigation(scope):
            self._touched(workspace)
        began = _Begun(send)
        try:
            await http.pass_on(self._client, target, scope, receive, began.send)
        except http.LeftError:
            return
        except httpx2.TransportError as error:
            log.info("workspace %s broke off: %r", workspace.id, error)
            if not began.begun:
                await pages.unavailable(workspace)(scope, receive, send)

    async def _woken(self, workspace: Workspace, scope: Scope) -> Response:
        """A person who opens a suspended one starts it. A page that was left open does not."""
        if not is_navigation(scope):
            return pages.unavailable(workspace)
        if workspace.phase is WorkspacePhase.SUSPENDED:
            command = StartWorkspace(id=workspace.id, by="opening its page")
            try:
                started = await self._services.leader.submit(command, receipt=None)
            except RefusalError:
                return pages.not_yet(workspace)
            assert isinstance(started, Workspace)
            workspace = started
        return pages.not_yet(workspace)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit = visit_of(scope)
        workspace, by = None, ""
        if visit is not None and not is_from_elsewhere(scope):
            workspace, by = await workspace_of(self._services, scope, visit)
        target = self._target(workspace, scope) if workspace else None
        if workspace is None or target is None:
            await send({"type": "websocket.close", "code": REFUSED})
            return
        with self._services.revocations.watch(by) as revoked:
            ends = sockets.Ends(receive=receive, send=send, barred=revoked)
            await sockets.pass_on(target, scope, ends, self._toucher(workspace))

    def _target(self, workspace: Workspace, scope: Scope) -> http.Target | None:
        """Where its desk answers; None while it does not."""
        attempt = workspace.attempt
        if workspace.phase is not WorkspacePhase.RUNNING or attempt is None or not attempt.ready:
            return None
        key = AttemptKey(gang=workspace.id, attempt=attempt.n)
        query: bytes = scope["query_string"]
        raw: bytes = scope["raw_path"]
        return http.Target(
            host=attempt.ranks[0].address,
            port=attempt.port,
            token=self._services.doors.desk_token(key),
            base=workspace.path,
            path=raw.partition(b"?")[0] + (b"?" + query if query else b""),
        )

    def _toucher(self, workspace: Workspace) -> Callable[[], None]:
        return lambda: self._touched(workspace)

    def _touched(self, workspace: Workspace) -> None:
        """Tell the leader that a person is at it, now and then."""
        now_ms = clock.now_ms()
        if now_ms - self._told_ms.get(workspace.id, 0) >= TOUCHED_EVERY_MS:
            self._told_ms[workspace.id] = now_ms
            seen = WorkspaceTouched(at_ms=now_ms, workspace=workspace.id)
            self._services.leader.workspace_touched(seen)


class _Begun:
    """Whether an answer has begun, after which no other can."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False

    async def send(self, message: Any) -> None:
        self.begun = True
        await self._send(message)


def _is_secure(services: Services) -> bool:
    return services.workspaces.url.startswith("https:")
