"""Bytes between a WebSocket connection and what it talks to, both ways, each within its room."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from gigawatt.engine.talk import Sink, Source, WindowSize
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.spec import talk
from gigawatt.spec.talk import FRAME_BYTES, INPUT, SIGNALS, Inbox, Message, Room, TalkError

DRAIN_S = 5.0  # for the rest of the output of a command that has ended


async def _nothing(_: object) -> None:
    """What has no window hears nothing of its size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """What a connection is for. `wait` gives an exit code; without it the talk is over when both directions are."""

    sink: Sink | None
    sources: dict[int, Source]
    close: Callable[[], Awaitable[None]]
    wait: Callable[[], Awaitable[int | None]] | None = None
    resize: Callable[[WindowSize], Awaitable[None]] = _nothing
    signal: Callable[[int], Awaitable[None]] = _nothing
    started: dict[str, Any] = field(default_factory=dict[str, Any])  # what the client is told first


class Pump:
    """`run` returns when the talk is over, or the client has gone."""

    def __init__(self, socket: WebSocket, of: Talk) -> None:
        self._socket = socket
        self._of = of
        self._inbox = Inbox()
        self._came = asyncio.Event()
        self._rooms = {channel: Room() for channel in of.sources}
        self._more_room = asyncio.Event()

    async def run(self, closing: asyncio.Event, revoked: asyncio.Event) -> None:
        """Raises TalkError, WebSocketDisconnect, RefusalError; that also once the caller's key is `revoked`."""
        await self._say("started", self._of.started)
        tasks: list[asyncio.Task[None]] = []

        def begin(work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
            tasks.append(asyncio.create_task(work))
            return tasks[-1]

        drains = [begin(self._drain(each, source)) for each, source in self._of.sources.items()]
        feeding = begin(self._feed())
        over = begin(self._finish(drains, feeding))
        begin(self._receive())
        ending, barred = begin(_set(closing)), begin(_set(revoked))
        try:
            await _until(over, ending, barred, among=set(tasks))
            if barred.done():
                raise RefusalError(RefusalCode.UNAUTHENTICATED, "the key was revoked")
            if over.done():
                await self._socket.close(talk.CLOSE_DONE)
            else:
                await self._socket.close(talk.CLOSE_GOING, "the control plane is being restarted")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _receive(self) -> None:
        """Always reads, so that pings are answered: what comes is bounded by the room that was told of."""
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code", 1005))
            data, text = message.get("bytes"), message.get("text")
            if data is not None:
                channel, content = talk.parse_frame(data)
                if channel != INPUT:
                    raise TalkError(f"nothing is taken on channel {channel}")
                self._inbox.add(content)
                self._came.set()
            elif text is not None:
                await self._heed(talk.parse_text(text))

    async def _heed(self, message: Message) -> None:
        if message.name == "taken":
            room = self._rooms.get(message.number("channel"))
            if room is None:
                raise TalkError("there is no such channel")
            room.gain(message.number("bytes"))
            self._more_room.set()
        elif message.name == "window":
            size = WindowSize(rows=message.number("rows"), columns=message.number("columns"))
            await self._of.resize(size)
        elif message.name == "signal":
            number = SIGNALS.get(str(message.fields.get("value")))
            if number is None:
                raise TalkError(f"signals are {', '.join(SIGNALS)}")
            await self._of.signal(number)
        else:
            raise TalkError(f"there is no message {message.name[:40]!r}")

    async def _feed(self) -> None:
        """What comes goes on. Where nobody takes it any more, it goes nowhere."""
        sink = self._of.sink
        while True:
            while not self._inbox:
                if self._inbox.ended:
                    if sink is not None:
                        await _ended(sink)
                    return
                self._came.clear()
                await self._came.wait()
            data = self._inbox.take()
            try:
                if sink is not None:
                    await sink.write(data)
            except BrokenPipeError:
                sink = None
            told = self._inbox.taken(len(data))
            if told:
                await self._say("taken", {"channel": INPUT, "bytes": told})

    async def _drain(self, channel: int, source: Source) -> None:
        room = self._rooms[channel]
        while True:
            while not room.bytes:
                self._more_room.clear()
                await self._more_room.wait()
            data = await source.read(min(FRAME_BYTES, room.bytes))
            room.use(len(data))
            await self._socket.send_bytes(talk.frame(channel, data))
            if not data:
                return

    async def _finish(
        self, drains: "list[asyncio.Task[None]]", feeding: "asyncio.Task[None]"
    ) -> None:
        if self._of.wait is None:
            await asyncio.gather(*drains, feeding)
            return
        code = await self._of.wait()
        _, late = await asyncio.wait(drains, timeout=DRAIN_S)
        while late and any(not self._rooms[each].bytes for each in self._rooms):
            _, late = await asyncio.wait(late, timeout=DRAIN_S)  # the client is what is slow
        await self._say("exited", {"code": code})

    async def _say(self, name: str, fields: Any) -> None:
        await self._socket.send_text(talk.text_of(name, fields))


async def _until(*last: "asyncio.Task[None]", among: "set[asyncio.Task[None]]") -> None:
    """Wait until one of the last is done; the failure of any is raised."""
    pending = among
    while not any(each.done() for each in last):
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for each in done:
            each.result()


async def _ended(sink: Sink) -> None:
    try:
        await sink.end()
    except BrokenPipeError:
        return


async def _set(event: asyncio.Event) -> None:
    await event.wait()
