"""HTTP to the control plane: one request at a time on a connection that is kept open."""

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from gigawatt.build.certificates import trusting
from gigawatt.gateway.limits import MIB

READ_BYTES = 256 * 1024
REPLY_BYTES_MAX = 64 * MIB
CONNECT_S = 5.0


class ControlError(Exception):
    """The control plane cannot be reached, or what it says cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlReply:
    status: int
    body: bytes


class ControlClient:
    def __init__(self, url: str, *, authority: str = "") -> None:
        """`url` is the API's, http or https; `authority` a file with what it is believed by, empty for the system's.

        Raises ValueError for anything else, OSError for a file that cannot be read.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"{url!r} is not an http or https URL")
        self._tls = trusting(authority) if parts.scheme == "https" else None
        self._host = parts.hostname
        self._port = parts.port or (443 if self._tls else 80)
        self._authority = parts.netloc.rpartition("@")[2]
        self._prefix = parts.path.rstrip("/")
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(
        self, method: str, path: str, *, token: str, body: bytes = b"", timeout_s: float
    ) -> ControlReply:
        """Raises ControlError; then it may or may not have arrived."""
        message = (
            f"{method} {self._prefix}{path} HTTP/1.1\r\nhost: {self._authority}\r\n"
            f"authorization: Bearer {token}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        ).encode() + body
        try:
            async with asyncio.timeout(timeout_s):
                return await self._exchange(message)
        except TimeoutError as error:
            self.close()
            raise ControlError(f"no answer within {timeout_s:g} s") from error
        except (OSError, EOFError) as error:
            self.close()
            raise ControlError(str(error) or type(error).__name__) from error
        except (HttpParserError, HttpParserUpgrade) as error:
            self.close()
            raise ControlError(f"malformed reply: {error}") from error
        except BaseException:
            self.close()  # a reply that nobody reads would be taken for the next one's
            raise

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _exchange(self, message: bytes) -> ControlReply:
        if self._streams is not None:
            try:
                return await self._send(self._streams, message)
            except (OSError, EOFError):
                self.close()  # it hung up while idle; what it never read is sent again
        async with asyncio.timeout(CONNECT_S):
            self._streams = await asyncio.open_connection(self._host, self._port, ssl=self._tls)
        return await self._send(self._streams, message)

    async def _send(
        self, streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], message: bytes
    ) -> ControlReply:
        reader, writer = streams
        writer.write(message)
        await writer.drain()
        reply = _Reply()
        parser = HttpResponseParser(reply)
        reply.parser = parser
        try:
            await _read_whole(reader, parser, reply)
        finally:
            reply.parser = None  # they refer to each other
        if not reply.keep_alive:
            self.close()
        return ControlReply(status=reply.status, body=b"".join(reply.parts))


class _Reply:
    """What the parser finds."""

    def __init__(self) -> None:
        self.parser: HttpResponseParser | None = None
        self.status = 0
        self.parts: list[bytes] = []
        self.size_bytes = 0
        self.framed = False
        self.to_close = False
        self.keep_alive = False
        self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.framed = self.framed or name.lower() in {b"content-length", b"transfer-encoding"}

    def on_headers_complete(self) -> None:
        assert self.parser is not None
        self.status = self.parser.get_status_code()
        self.keep_alive = self.parser.should_keep_alive()
        self.to_close = not self.framed and self.status not in {204, 304}

    def on_body(self, body: bytes) -> None:
        self.parts.append(body)
        self.size_bytes += len(body)

    def on_message_complete(self) -> None:
        self.complete = self.status >= 200


async def _read_whole(
    reader: asyncio.StreamReader, parser: HttpResponseParser, reply: _Reply
) -> None:
    while not reply.complete:
        data = await reader.read(READ_BYTES)
        if not data and reply.to_close:
            return
        if not data:
            raise EOFError("the control plane hung up")
        parser.feed_data(data)
        if reply.size_bytes > REPLY_BYTES_MAX:
            raise OSError(f"the reply is larger than {REPLY_BYTES_MAX} bytes")
