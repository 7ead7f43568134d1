"""A workspace's program behind its desk, as the proxy meets it: it tells what it was sent, and talks on sockets."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect


@dataclass(slots=True)
class Desk:
    """`seen` are the requests; `go_on` lets a stream say its next word."""

    port: int
    seen: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)  # a client of the stream has gone

    def note(self, request: Request | WebSocket) -> dict[str, Any]:
        told = {"path": request.url.path, "query": request.url.query}
        told |= {"headers": dict(request.headers)}
        self.seen.append(told)
        return told

    async def echo(self, request: Request) -> Response:
        told = self.note(request)
        body = await request.body()
        answer = JSONResponse({**told, "method": request.method, "bytes": len(body)})
        answer.headers["Service-Worker-Allowed"] = "/"
        answer.headers["X-Own"] = "kept"
        answer.set_cookie("theme", "dark", path="/", domain="workspaces.test")
        return answer

    async def stream(self, request: Request) -> Response:
        self.note(request)

        async def words() -> AsyncGenerator[bytes]:
            try:
                yield b"first "
                await self.go_on.wait()
                yield b"second"
            finally:
                self.left.set()

        return StreamingResponse(words(), media_type="text/event-stream")

    async def talk(self, socket: WebSocket) -> None:
        self.note(socket)
        wanted = socket.headers.get("sec-websocket-protocol", "")
        await socket.accept(subprotocol=wanted.split(",")[0].strip() or None)
        try:
            while True:
                message = await socket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                if message.get("text") == "leave":
                    await socket.close(4001, "as asked")
                    return
                if message.get("text") is not None:
                    await socket.send_text(json.dumps({"heard": message["text"]}))
                else:
                    await socket.send_bytes(message["bytes"][::-1])
        except WebSocketDisconnect:
            return


@asynccontextmanager
async def serving(application: Any) -> AsyncGenerator[int]:
    """The port at which an ASGI application answers, in this loop."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        application, log_config=None, lifespan="off", access_log=False, ws="websockets-sansio"
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve([listener]))
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = server.force_exit = True
        await task
        listener.close()


@asynccontextmanager
async def a_desk() -> AsyncGenerator[Desk]:
    desk = Desk(0)
    routes = [
        Route("/{path:path}/stream", desk.stream),
        WebSocketRoute("/{path:path}/talk", desk.talk),
        Route("/{path:path}", desk.echo, methods=["GET", "POST", "PUT", "DELETE"]),
    ]
    async with serving(Starlette(routes=routes)) as port:
        desk.port = port
        yield desk
