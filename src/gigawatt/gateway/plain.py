"""One small request to a server, beside those of clients: a probe, or a word to its runtime."""

import asyncio
import re

REPLY_BYTES_MAX = 64 * 1024
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d{1,5})\r\n", re.IGNORECASE)


async def ask(
    address: tuple[str, int], method: str, path: str, *, within_s: float
) -> tuple[int, bytes] | None:
    """Status and body; None where it does not answer in time, or not in HTTP."""
    host, port = address
    content = "content-type: application/json\r\ncontent-length: 2\r\n" if method == "POST" else ""
    request = (
        f"{method} {path} HTTP/1.1\r\nhost: {host}:{port}\r\nconnection: close\r\n{content}\r\n"
        f"{'{}' if method == 'POST' else ''}"
    )
    try:
        async with asyncio.timeout(within_s):
            reader, writer = await asyncio.open_connection(host, port, limit=REPLY_BYTES_MAX)
            try:
                writer.write(request.encode())
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                body = await (reader.readexactly(int(length[1])) if length else reader.read())
            finally:
                writer.close()
    except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
        return None
    words = head.split(b"\r\n", 1)[0].split(b" ")
    return (int(words[1]), body) if len(words) > 1 and words[1].isdigit() else None
