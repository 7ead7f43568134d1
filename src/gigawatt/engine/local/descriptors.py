"""Bytes from and to open files that are not sockets: pipes and terminals, waited for by the event loop."""

import asyncio
import contextlib
import errno
import os
from collections.abc import Callable

from gigawatt.engine.supervisor.terminal import Size, resize
from gigawatt.engine.talk import WindowSize

GONE = {
    errno.EIO,
    errno.EBADF,
    errno.ECONNRESET,
}  # a terminal's other end hung up, or we have closed it


class Descriptor:
    """Reads, writes, or does both; one task for each at a time. Closed once, by whoever has it."""

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._waiting: dict[str, asyncio.Future[None]] = {}

    async def read(self, limit: int) -> bytes:
        """What is there, b"" at the end."""
        while self._fd >= 0:
            try:
                return os.read(self._fd, limit)
            except BlockingIOError:
                await self._until_ready("read")
            except OSError as error:
                if error.errno not in GONE:
                    raise
                break
        return b""

    async def write(self, data: bytes) -> None:
        """All of it. Raises BrokenPipeError."""
        view = memoryview(data)
        while view:
            if self._fd < 0:
                raise BrokenPipeError
            try:
                view = view[os.write(self._fd, view) :]
            except BlockingIOError:
                await self._until_ready("write")
            except OSError as error:
                raise BrokenPipeError from error

    def resize(self, window: WindowSize) -> None:
        """Of a terminal. One that was hung up has no window."""
        if self._fd < 0:
            return
        with contextlib.suppress(OSError):
            resize(self._fd, Size(window.rows, window.columns))

    async def end(self) -> None:
        """Nothing more will be written."""
        self.close()

    def close(self) -> None:
        """Whoever waits finds it closed. Idempotent."""
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        for what, waiter in self._waiting.items():
            self._watcher(what, fd)()
            if not waiter.done():
                waiter.set_result(None)
        os.close(fd)

    async def _until_ready(self, what: str) -> None:
        loop = asyncio.get_running_loop()
        fd = self._fd
        ready = self._waiting[what] = loop.create_future()

        def found() -> None:
            if not ready.done():
                ready.set_result(None)

        if what == "read":
            loop.add_reader(fd, found)
        else:
            loop.add_writer(fd, found)
        try:
            await ready
        finally:
            if self._waiting.pop(what, None) is ready and self._fd >= 0:
                self._watcher(what, fd)()

    @staticmethod
    def _watcher(what: str, fd: int) -> Callable[[], object]:
        """What takes the loop's watch off a descriptor."""
        loop = asyncio.get_running_loop()
        return lambda: loop.remove_reader(fd) if what == "read" else loop.remove_writer(fd)


class TerminalEnd:
    """A terminal's input: its end is a character, as the terminal itself stays open for what comes out."""

    def __init__(self, descriptor: Descriptor) -> None:
        self._descriptor = descriptor

    async def write(self, data: bytes) -> None:
        await self._descriptor.write(data)

    async def end(self) -> None:
        """As Ctrl-D at the beginning of a line."""
        await self._descriptor.write(b"\x04")


class Nothing:
    """A source that ends at once."""

    async def read(self, limit: int) -> bytes:
        assert limit
        return b""
