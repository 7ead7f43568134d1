"""Ports here that lead to ports of a rank's host: a connection of its own for each that is made."""

import asyncio
import contextlib
import errno
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.sdk.background import Background
from gigawatt.sdk.errors import ApiError, GigawattError, UnreachableError
from gigawatt.sdk.live import Live
from gigawatt.sdk.talks import Talk
from gigawatt.spec.talk import FRAME_BYTES

CONNECTIONS_MAX = 200  # at once; more are closed at once
BUFFER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """From a port here (0 for any free one) to a port there."""

    here: int
    there: int


class PortForward:
    """Listens from entering to leaving it. `ports` are those listened on, in the order in which they were asked for.

    `failed` is called with what goes wrong with a connection; the others go on.
    """

    def __init__(
        self,
        live: Live,
        forwards: tuple[Forward, ...],
        *,
        bind: str = "127.0.0.1",
        failed: Callable[[GigawattError], object] | None = None,
    ) -> None:
        self.ports: tuple[int, ...] = ()
        self._live = live
        self._forwards = forwards
        self._bind = bind
        self._failed = failed
        self._servers: list[asyncio.Server] = []
        self._connections: set[asyncio.Task[None]] = set()
        self._background: Background | None = None

    async def __aenter__(self) -> "PortForward":
        """Raises RefusalError (a port is in use here, or not ours to take)."""
        try:
            for forward in self._forwards:
                self._servers.append(await self._listen(forward))
        except BaseException:
            await self._close()
            raise
        self.ports = tuple(each.sockets[0].getsockname()[1] for each in self._servers)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._close()

    def __enter__(self) -> "PortForward":
        self._background = Background()
        try:
            return self._background.call(self.__aenter__())
        except BaseException:
            self._background.close()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._background is not None
        self._background.call(self._close())
        self._background.close()

    async def _listen(self, forward: Forward) -> asyncio.Server:
        def opened(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if len(self._connections) >= CONNECTIONS_MAX:
                writer.transport.abort()
                return
            task = asyncio.create_task(self._carry(forward.there, reader, writer))
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)

        try:
            return await asyncio.start_server(opened, self._bind, forward.here, limit=BUFFER_BYTES)
        except OSError as error:
            raise _cannot_listen(error, self._bind, forward) from error

    async def _carry(
        self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """One connection, to its end. Where there is nothing at the other end, it is reset."""
        try:
            talking = await self._live.connect(port)
        except (ApiError, UnreachableError) as error:
            if self._failed is not None:
                self._failed(error)
            writer.transport.abort()
            return
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_out(reader, talking))
                both.create_task(_back(talking, writer))
        except* (ApiError, UnreachableError, OSError):
            writer.transport.abort()  # one of the two ends has gone
        finally:
            writer.close()
            await talking.close()

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        for task in tuple(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)


async def _out(reader: asyncio.StreamReader, talking: Talk) -> None:
    while data := await reader.read(FRAME_BYTES):
        await talking.write(data)
    await talking.end()


async def _back(talking: Talk, writer: asyncio.StreamWriter) -> None:
    while data := await talking.read():
        writer.write(data)
        await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.write_eof()


def _cannot_listen(error: OSError, bind: str, forward: Forward) -> RefusalError:
    where = f"port {forward.here} of {bind}"
    if error.errno == errno.EADDRINUSE:
        hint = f"take another: {forward.here + 1}:{forward.there}, or :{forward.there} for any free one"
        return RefusalError(
            RefusalCode.CONFLICT, f"{where} is in use here", field="port", hint=hint
        )
    said = error.strerror or str(error)
    return RefusalError(RefusalCode.INVALID, f"{where} cannot be listened on: {said}", field="port")
