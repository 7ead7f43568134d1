"""Answers with bytes that are elsewhere: whole or one range of them, read piece by piece as the caller takes them."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.responses import Response, StreamingResponse

PIECE_BYTES = 4 << 20
BYTES = "application/octet-stream"
PARTIAL, BEYOND = 206, 416
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")

Read = Callable[[int, int], Awaitable[bytes]]
"""Bytes from a place up to another. Raises RefusalError."""


async def bytes_reply(read: Read, size_bytes: int, asked: str, *, etag: str) -> Response:
    """What `asked`, a Range header or none, wants of them. The first piece is there before the answer begins.

    So what cannot be read is refused in words; what fails later breaks off short of the length that was told.
    """
    wanted = range_of(asked, size_bytes)
    headers = {"ETag": f'"{etag}"', "Accept-Ranges": "bytes"}
    if wanted is None:
        return Response(
            status_code=BEYOND, headers={**headers, "Content-Range": f"bytes */{size_bytes}"}
        )
    start, end = wanted
    whole = (start, end) == (0, size_bytes)
    if not whole:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size_bytes}"
    headers["Content-Length"] = str(end - start)
    first = await read(start, min(start + PIECE_BYTES, end)) if end > start else b""
    return StreamingResponse(
        _pieces(read, first, start + len(first), end),
        status_code=200 if whole else PARTIAL,
        media_type=BYTES,
        headers=headers,
    )


def range_of(asked: str, size_bytes: int) -> tuple[int, int] | None:
    """Start and end of what is wanted; all of it for no header and for those not understood, None beyond the end."""
    found = _RANGE.fullmatch(asked.replace(" ", ""))
    if found is None or not any(found.groups()):
        return 0, size_bytes
    first, last = found.groups()
    if not first:
        start, end = max(size_bytes - int(last), 0), size_bytes
    else:
        start = int(first)
        end = min(int(last) + 1, size_bytes) if last else size_bytes
        if last and int(last) < start:
            return 0, size_bytes
    return (start, end) if start < end else None


async def _pieces(read: Read, first: bytes, start: int, end: int) -> AsyncIterator[bytes]:
    yield first
    for place in range(start, end, PIECE_BYTES):
        yield await read(place, min(place + PIECE_BYTES, end))
