"""Where supervisors call when they have come: a line each, and we look at once instead of at the next cycle."""

import asyncio
import hmac
import json
import socket
from collections.abc import Callable

from gigawatt.engine.supervisor.job import CALL, proof

LINE_BYTES_MAX = 4096
LINE_S = 5.0


class CallBox:
    """`token_of` is an attempt's, "" for none; `came` is told key and node of who proved to know it."""

    def __init__(self, token_of: Callable[[str], str], came: Callable[[str, str], None]) -> None:
        self._token_of = token_of
        self._came = came
        self._server: asyncio.Server | None = None
        self.place: tuple[str, int] = ("", 0)

    async def open(self, host: str) -> None:
        """Listen on this address, on a free port. Raises OSError."""
        self._server = await asyncio.start_server(self._take, host, 0, limit=LINE_BYTES_MAX)
        bound = self._server.sockets[0].getsockname()
        self.place = (str(bound[0]), int(bound[1]))

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(LINE_S):
                said = json.loads(await reader.readline())
            key, node = str(said["key"]), str(said["node"])
            facts = (key, node, str(said["host"]), str(said["port"]))
            token = self._token_of(key)
            if token and hmac.compare_digest(str(said["mac"]), proof(token, CALL, *facts)):
                self._came(key, node)
        except (OSError, ValueError, KeyError, TypeError, TimeoutError):
            return  # not one of ours
        finally:
            writer.close()


def own_address(other: str) -> str:
    """Ours on the way to another host. Raises OSError."""
    family, kind, _, _, place = socket.getaddrinfo(other, 9, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind) as sock:
        sock.connect(place)  # nothing is sent
        return str(sock.getsockname()[0])
