"""One WebSocket to a workspace, message by message both ways: the next is read when the last was taken."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import Receive, Scope, Send
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, WebSocketException
from websockets.typing import Subprotocol

from gigawatt.api.proxy.heads import onward
from gigawatt.api.proxy.http import Target

MESSAGE_BYTES_MAX = 64 << 20  # an output that is larger ends the connection
OPEN_S = 10.0
CLOSE_S = 2.0
KEEP_ALIVE_BYTES_MAX = 16  # VS Code's pages say so much by themselves, every few seconds
GOING_AWAY, NOT_ALLOWED, NOT_ANSWERING = 1001, 1008, 1011
CODE_MIN, CODE_MAX = 1000, 4999
UNSENDABLE = frozenset({1005, 1006, 1015})  # codes that are told and never sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """The browser's side. Once `barred` is set, its person may not be here any more."""

    receive: Receive
    send: Send
    barred: asyncio.Event


async def pass_on(target: Target, scope: Scope, ends: Ends, touched: Callable[[], None]) -> None:
    """`touched` is called for what a person does. Returns when either side has closed, or the person is barred."""
    headers = onward(scope["headers"], token=target.token, scheme="http")
    try:
        upstream = await connect(
            str(target.url("ws")),
            additional_headers=[
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in headers
                if name not in {b"host", b"origin", b"content-length"}
            ],
            subprotocols=[Subprotocol(each) for each in scope["subprotocols"]] or None,
            compression=None,
            max_size=MESSAGE_BYTES_MAX,
            max_queue=1,
            open_timeout=OPEN_S,
            close_timeout=CLOSE_S,
            user_agent_header=None,
            proxy=None,
        )
    except (OSError, TimeoutError, InvalidHandshake, WebSocketException):
        await ends.send({"type": "websocket.close", "code": NOT_ANSWERING})
        return
    try:
        await ends.send({"type": "websocket.accept", "subprotocol": upstream.subprotocol})
        await _both_ways(upstream, ends, touched)
    finally:
        await upstream.close()


async def _both_ways(upstream: ClientConnection, ends: Ends, touched: Callable[[], None]) -> None:
    there = asyncio.create_task(_there(upstream, ends.receive, touched))
    back = asyncio.create_task(_back(upstream, ends.send))
    barred = asyncio.create_task(ends.barred.wait())
    try:
        await asyncio.wait([there, back, barred], return_when=asyncio.FIRST_COMPLETED)
        if barred.done() and not back.done():
            await ends.send({"type": "websocket.close", "code": NOT_ALLOWED})
    finally:
        for task in (there, back, barred):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionClosed):
                await task


async def _there(upstream: ClientConnection, receive: Receive, touched: Callable[[], None]) -> None:
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        if message["type"] != "websocket.receive":
            continue
        text = message.get("text")
        data = message.get("bytes") or b"" if text is None else text
        if len(data) > KEEP_ALIVE_BYTES_MAX:
            touched()
        await upstream.send(data)


async def _back(upstream: ClientConnection, send: Send) -> None:
    try:
        async for message in upstream:
            if isinstance(message, str):
                await send({"type": "websocket.send", "text": message})
            else:
                await send({"type": "websocket.send", "bytes": message})
    except ConnectionClosed:
        pass
    code = upstream.close_code or GOING_AWAY
    sendable = CODE_MIN <= code <= CODE_MAX and code not in UNSENDABLE
    await send(
        {
            "type": "websocket.close",
            "code": code if sendable else GOING_AWAY,
            "reason": upstream.close_reason or "",
        }
    )
