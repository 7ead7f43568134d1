"""Files that change hands with clients on this machine, over a socket in the data directory; `sdk.handoff` is the other end.

A client hands in a file that it has opened, so nothing is read here that it could not read itself. The socket lies in a
directory of the instance's user alone, and every request carries a key, as those by HTTP do.
"""

import asyncio
import fcntl
import json
import logging
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

from gigawatt.api.problems import problem_fields
from gigawatt.build.seals import seal_of
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.service import artifacts
from gigawatt.service.artifacts import Given
from gigawatt.service.audit import signed_in
from gigawatt.service.services import Services

log = logging.getLogger(__name__)

SOCKET = "handoff.sock"
AT_ONCE_MAX = 4  # further ones wait
BACKLOG = 64
MESSAGE_BYTES_MAX = 64 * 1024
REQUEST_S = 10.0  # for a client that has connected to say what it wants


class Handoff:
    """Open it in a running loop, and close it in the same."""

    def __init__(self, path: Path, services: Services) -> None:
        self._path = path
        self._services = services
        self._slots = asyncio.Semaphore(AT_ONCE_MAX)
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: socket.socket | None = None

    def open(self) -> None:
        """Listen. Raises OSError."""
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        try:
            _bind(listener, self._path)
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            raise
        self._listener = listener
        asyncio.get_running_loop().add_reader(listener.fileno(), self._accept, listener)

    async def close(self) -> None:
        """Stop listening, and break off what goes on: nothing of it is stored."""
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener.fileno())
            self._listener.close()
            self._path.unlink(missing_ok=True)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, listener: socket.socket) -> None:
        with suppress(BlockingIOError, ConnectionAbortedError):
            connection, _ = listener.accept()
            connection.settimeout(0)
            task = asyncio.get_running_loop().create_task(self._serve(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, connection: socket.socket) -> None:
        descriptors: list[int] = []
        try:
            async with self._slots:
                async with asyncio.timeout(REQUEST_S):
                    await _readable(connection)
                data, descriptors, _, _ = socket.recv_fds(connection, MESSAGE_BYTES_MAX, 1)
                if data:
                    await self._answer(connection, data, descriptors)
        except RefusalError as refusal:
            await _answered(connection, {"problem": problem_fields(refusal)})
        except (TimeoutError, OSError) as error:
            log.info("a file did not change hands: %s", error or "the client was silent")
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
            connection.close()

    async def _answer(self, connection: socket.socket, data: bytes, descriptors: list[int]) -> None:
        """Raises RefusalError, OSError."""
        request = _parsed(data)
        services = self._services
        caller = await signed_in(services, f"Bearer {request.get('token', '')}", address="")
        if request.get("op") == "put" and descriptors:
            _check_readable(descriptors[0])
            loop = asyncio.get_running_loop()

            def tell(through: int) -> None:
                loop.call_soon_threadsafe(_tell, connection, through)

            given = Given(fd=descriptors[0], tell=tell)
            view, new = await artifacts.put_open(
                caller, services, given, project=request.get("project", "")
            )
            answer = {"digest": view.digest, "size_bytes": view.size_bytes, "new": new}
            await _answered(connection, answer)
        elif request.get("op") == "file":
            digest, name = request.get("digest", ""), request.get("path", "")
            found = await artifacts.file_content(caller, services, digest, name)
            with found.path.open("rb") as file:
                size_bytes = os.fstat(file.fileno()).st_size
                answer = {"size_bytes": size_bytes, "seal": seal_of(file.fileno())}
                await _answered(connection, answer, file.fileno())
        else:
            raise RefusalError(RefusalCode.INVALID, "there is no such request", field="op")


def _parsed(data: bytes) -> dict[str, str]:
    try:
        request: Any = json.loads(data)
        if all(type(value) is str for value in request.values()):
            return request
    except (ValueError, RecursionError, AttributeError):
        pass
    raise RefusalError(RefusalCode.INVALID, "the request is not an object of texts")


def _check_readable(descriptor: int) -> None:
    """Refuse what is no file, and what the client itself could not read through it. Raises RefusalError."""
    mode = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    readable = mode & os.O_ACCMODE in {os.O_RDONLY, os.O_RDWR} and not mode & os.O_PATH
    if not readable or not stat.S_ISREG(os.fstat(descriptor).st_mode):
        detail = "what was handed in is not a file that was opened to be read"
        raise RefusalError(RefusalCode.INVALID, detail)


async def _readable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_reader(connection.fileno(), lambda: ready.done() or ready.set_result(None))
    try:
        await ready
    finally:
        loop.remove_reader(connection.fileno())


async def _answered(connection: socket.socket, answer: dict[str, Any], *descriptors: int) -> None:
    """Send it once there is room. Raises OSError, TimeoutError where the client reads nothing."""
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_writer(connection.fileno(), lambda: ready.done() or ready.set_result(None))
    try:
        async with asyncio.timeout(REQUEST_S):
            await ready
    finally:
        loop.remove_writer(connection.fileno())
    socket.send_fds(connection, [json.dumps(answer).encode()], descriptors)


def _tell(connection: socket.socket, through: int) -> None:
    """Progress is told to whoever reads it."""
    with suppress(OSError):
        connection.send(json.dumps({"through": through}).encode())


def _bind(listener: socket.socket, path: Path) -> None:
    """Bind however long the path is. Raises OSError."""
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        listener.bind(f"/proc/self/fd/{directory}/{path.name}")
        path.chmod(0o600)
    finally:
        os.close(directory)
