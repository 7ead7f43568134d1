"""One HTTP request to a workspace and its answer, streamed both ways: nothing is read that cannot be passed on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx2
from starlette.types import Message, Receive, Scope, Send

from gigawatt.api.proxy.heads import back, onward

CONNECT_S = 5.0
CONNECTIONS_MAX = 1_000  # to all workspaces at once; more requests wait


def new_client() -> httpx2.AsyncClient:
    """What all requests to workspaces go through. A program may take its time to answer."""
    return httpx2.AsyncClient(
        timeout=httpx2.Timeout(None, connect=CONNECT_S),
        limits=httpx2.Limits(max_connections=CONNECTIONS_MAX, max_keepalive_connections=0),
        trust_env=False,
    )


async def pass_on(
    client: httpx2.AsyncClient, target: "Target", scope: Scope, receive: Receive, send: Send
) -> None:
    """Raises httpx2.TransportError where there is no answer, and where it breaks off; LeftError for who left."""
    body = _Body(receive)
    request = httpx2.Request(
        scope["method"],
        target.url("http"),
        headers=onward(scope["headers"], token=target.token, scheme=scope["scheme"]),
        content=body.chunks() if _has_body(scope) else None,
    )
    response = await client.send(request, stream=True)
    try:
        head = back(response.headers.raw, base=target.base)
        await send({"type": "http.response.start", "status": response.status_code, "headers": head})
        copying = asyncio.create_task(_copied(response, send))
        await _until_left(copying, asyncio.create_task(body.left()))
    finally:
        await response.aclose()


class LeftError(Exception):
    """The client left before its request was whole."""


class Target:
    """Where a workspace's desk answers, and what for."""

    def __init__(self, *, host: str, port: int, token: str, base: str, path: bytes) -> None:
        self.token = token
        self.base = base
        self._host = host
        self._port = port
        self._path = path  # with its query, as the browser wrote it

    def url(self, scheme: str) -> httpx2.URL:
        return httpx2.URL(scheme=scheme, host=self._host, port=self._port, raw_path=self._path)


class _Body:
    """A request's body, and the news that the client has left."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive

    async def chunks(self) -> AsyncIterator[bytes]:
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise LeftError
            yield message.get("body", b"")
            if not message.get("more_body", False):
                return

    async def left(self) -> None:
        """Returns when the client has left. What is still to come of the body goes nowhere."""
        message: Message = {"type": ""}
        while message["type"] != "http.disconnect":
            message = await self._receive()


async def _copied(response: httpx2.Response, send: Send) -> None:
    async for chunk in response.aiter_raw():
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _until_left(copying: "asyncio.Task[None]", leaving: "asyncio.Task[None]") -> None:
    """Until the answer is whole or the client has left. Raises what copying raised."""
    try:
        await asyncio.wait([copying, leaving], return_when=asyncio.FIRST_COMPLETED)
        if copying.done():
            copying.result()
    finally:
        for task in (copying, leaving):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, httpx2.TransportError):
                await task


def _has_body(scope: Scope) -> bool:
    names = {name for name, _ in scope["headers"]}
    return bool(names & {b"content-length", b"transfer-encoding"})
