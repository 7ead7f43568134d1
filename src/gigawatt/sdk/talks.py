"""Talking to a rank: one WebSocket connection, read and written on channels, each within its room.

The wire is described in `gigawatt.spec.talk`.
"""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode, urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from gigawatt.sdk.errors import ApiError, UnreachableError, problem_of
from gigawatt.sdk.instance import Address
from gigawatt.spec import talk
from gigawatt.spec.talk import CHANNELS, FRAME_BYTES, INPUT, OUTPUT, Inbox, Room, TalkError
from gigawatt.version import __version__

OPEN_S = 10.0  # for the connection, and again for what is talked to
CLOSE_S = 2.0
READ_BYTES = 1 << 20  # at once, at most
LOCAL = {"127.0.0.1", "::1", "localhost"}


class Talk:
    """An open connection. `started` is what the API said first.

    Reading gives b"" at the end of a channel. Both reading and writing raise ApiError or UnreachableError when the
    connection failed; what is written to something that has ended goes nowhere.
    """

    def __init__(self, socket: ClientConnection) -> None:
        self.started: Mapping[str, Any] = {}
        self._socket = socket
        self._inboxes = [Inbox() for _ in range(CHANNELS)]
        self._room = Room()
        self._changed = asyncio.Condition()
        self._exit: int | None = None
        self._exited = False
        self._over = False
        self._failure: Exception | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def ended(self) -> bool:
        """Nobody takes what is written any more."""
        return self._exited or self._over

    @property
    def said_all(self) -> bool:
        """There is nothing more to read of its output."""
        inbox = self._inboxes[OUTPUT]
        return self.ended or (inbox.ended and not inbox)

    async def begin(self, start: Mapping[str, Any] | None) -> None:
        """Raises ApiError, UnreachableError, TimeoutError."""
        if start is not None:
            await self._send(talk.text_of("start", start))
        self._reading = asyncio.create_task(self._read_all())
        async with asyncio.timeout(OPEN_S), self._changed:
            await self._changed.wait_for(lambda: "value" in self.started or self._over)
        self.started = self.started.get("value", {})
        self._raise_failure()

    async def read(self, channel: int = OUTPUT) -> bytes:
        """What is there; b"" at the end. Raises ApiError, UnreachableError."""
        inbox = self._inboxes[channel]
        async with self._changed:
            await self._changed.wait_for(lambda: inbox or inbox.ended or self._over)
        if not inbox:
            if not inbox.ended:
                self._raise_failure()
            return b""
        data = inbox.take(READ_BYTES)
        told = inbox.taken(len(data))
        if told:
            await self._send(talk.text_of("taken", {"channel": channel, "bytes": told}))
        return data

    async def write(self, data: bytes) -> None:
        """All of it, as the other side has room. Raises ApiError, UnreachableError."""
        view = memoryview(data)
        while view and not self.ended:
            if not self._room.bytes:
                async with self._changed:
                    await self._changed.wait_for(lambda: self._room.bytes or self.ended)
                continue
            part = view[: min(FRAME_BYTES, self._room.bytes)]
            self._room.use(len(part))
            await self._send(talk.frame(INPUT, bytes(part)))
            view = view[len(part) :]
        self._raise_failure()

    async def end(self) -> None:
        """Nothing more will be written."""
        await self._send(talk.frame(INPUT, b""))

    async def resize(self, rows: int, columns: int) -> None:
        await self._send(talk.text_of("window", {"rows": rows, "columns": columns}))

    async def signal(self, name: str) -> None:
        """`INT`, `TERM` and so on, to whoever is in the foreground."""
        assert name in talk.SIGNALS
        await self._send(talk.text_of("signal", name))

    async def wait(self) -> int | None:
        """The exit code (negative for a signal's number); None where it is not known or there is none.

        Raises ApiError, UnreachableError.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self._exited or self._over)
        if not self._exited:
            self._raise_failure()
        return self._exit

    async def close(self) -> None:
        """Let go of it: what it ran, ends."""
        await self._socket.close()
        if self._reading is not None:
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _send(self, message: "str | bytes") -> None:
        with suppress(ConnectionClosed):  # the reader knows why
            await self._socket.send(message)

    async def _read_all(self) -> None:
        try:
            async for message in self._socket:
                self._take(message)
                async with self._changed:
                    self._changed.notify_all()
        except (ConnectionClosed, TalkError) as error:
            if self._failure is None and not self._exited:
                self._failure = UnreachableError(
                    f"the connection to the rank broke: {error}", "try again"
                )
        finally:
            self._over = True
            async with self._changed:
                self._changed.notify_all()

    def _take(self, message: "str | bytes") -> None:
        if isinstance(message, bytes):
            channel, data = talk.parse_frame(message)
            self._inboxes[channel].add(data)
            return
        said = talk.parse_text(message)
        if said.name == "started":
            self.started = {"value": said.fields}
        elif said.name == "taken":
            self._room.gain(said.number("bytes"))
        elif said.name == "exited":
            code = said.fields.get("code")
            self._exit = code if isinstance(code, int) else None
            self._exited = True
        elif said.name == "problem":
            self._failure = ApiError(
                problem_of(int(said.fields.get("status", 500)), said.fields, "")
            )

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure


async def open_talk(
    address: Address,
    path: str,
    params: Mapping[str, "str | int"],
    *,
    start: Mapping[str, Any] | None = None,
) -> Talk:
    """Connect, and wait until what is talked to is there. Raises ApiError, UnreachableError."""
    url = urlsplit(address.api_url)
    secure = url.scheme == "https"
    query = urlencode({name: value for name, value in params.items() if value not in {"", 0}})
    base = address.api_url.rstrip("/").partition("://")[2]
    headers = {"Authorization": f"Bearer {address.token}"} if address.token else {}
    try:
        socket = await connect(
            f"{'wss' if secure else 'ws'}://{base}{path}{'?' if query else ''}{query}",
            additional_headers=headers,
            user_agent_header=f"gigawatt/{__version__}",
            compression=None,
            max_size=talk.MESSAGE_BYTES_MAX,
            open_timeout=OPEN_S,
            close_timeout=CLOSE_S,
            ssl=address.trust() if secure else None,
            proxy=None if url.hostname in LOCAL else True,
        )
    except InvalidStatus as error:
        raise ApiError(_problem(error)) from error
    except (OSError, TimeoutError, InvalidHandshake) as error:
        start_hint = f"start it with: {address.start}" if address.start else "try again"
        raise UnreachableError(
            f"nothing answers at {address.api_url}: {error}", start_hint
        ) from error
    talking = Talk(socket)
    try:
        await talking.begin(start)
    except TimeoutError as error:
        await talking.close()
        raise UnreachableError("the rank's node does not answer in time", "try again") from error
    except BaseException:
        await talking.close()
        raise
    return talking


def _problem(error: InvalidStatus) -> Any:
    text = error.response.body.decode(errors="replace")
    try:
        body: Any = json.loads(text)
    except ValueError:
        body = None
    return problem_of(error.response.status_code, body, text)
