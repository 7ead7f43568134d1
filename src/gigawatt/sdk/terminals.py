"""A terminal of a workspace: the way in by a link, then what is typed and what the shell writes, both as bytes."""

import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import httpx2

from gigawatt.sdk.errors import UnreachableError

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

CONNECT_S = 10.0
MESSAGE_BYTES_MAX = 1 << 22
TERMINALS = "-/terminals/"


class Terminal:
    """Attached to a shell. `exit_code` is known once the shell has ended, and None if only the connection has."""

    def __init__(self, socket: "ClientConnection") -> None:
        self._socket = socket
        self.exit_code: int | None = None

    async def type(self, data: bytes) -> None:
        """Raises websockets.exceptions.ConnectionClosed."""
        await self._socket.send(data)

    async def resize(self, *, columns: int, rows: int) -> None:
        """Raises websockets.exceptions.ConnectionClosed."""
        await self._socket.send(json.dumps({"cols": columns, "rows": rows}))

    async def output(self) -> AsyncIterator[bytes]:
        """What the shell wrote before, at most a screen or a few; then what it writes, until it or the connection ends."""
        async for message in self._socket:
            if isinstance(message, bytes):
                yield message
            else:
                self.exit_code = json.loads(message).get("exit", self.exit_code)


@asynccontextmanager
async def attached(
    link: str, *, name: str = "1", trust: ssl.SSLContext | None = None
) -> AsyncGenerator[Terminal]:
    """The terminal of that name in the workspace that a link leads into. Raises UnreachableError."""
    from websockets.asyncio.client import connect
    from websockets.exceptions import WebSocketException

    url = urlsplit(link)
    cookie = await _entered(link, trust)
    secure = url.scheme == "https"
    scheme = "wss" if secure else "ws"
    address = urlunsplit((scheme, url.netloc, f"{url.path}{TERMINALS}{name}", "", ""))
    try:
        async with connect(
            address,
            additional_headers={"Cookie": cookie},
            compression=None,
            max_size=MESSAGE_BYTES_MAX,
            open_timeout=CONNECT_S,
            ssl=trust or secure or None,
            proxy=None if url.hostname in {"127.0.0.1", "::1", "localhost"} else True,
        ) as socket:
            yield Terminal(socket)
    except (OSError, WebSocketException) as error:
        raise UnreachableError(
            f"no terminal of the workspace answers at {url.netloc}: {error}",
            "gw dev show NAME says whether it runs",
        ) from error


async def _entered(link: str, trust: ssl.SSLContext | None) -> str:
    """Follow the link: the cookie that it gives. Raises UnreachableError."""
    try:
        async with httpx2.AsyncClient(timeout=CONNECT_S, verify=trust or True) as client:
            answer = await client.get(link, follow_redirects=False)
    except httpx2.TransportError as error:
        raise UnreachableError(
            f"nothing answers at {urlsplit(link).netloc}: {error}",
            "the proxy to workspaces may be on another address: see workspace_url in the settings",
        ) from error
    given = answer.headers.get("set-cookie", "").partition(";")[0]
    if not given:
        raise UnreachableError("the link into the workspace was used, or is too old", "try again")
    return given
