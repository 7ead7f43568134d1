"""Bytes of a request into a file, hashed and written while the next ones come."""

import asyncio
from collections.abc import AsyncIterable

from gigawatt.build.incoming import Incoming

STREAM_BUFFER_BYTES = 4 * 1024 * 1024


async def write_behind(writer: Incoming, chunks: AsyncIterable[bytes]) -> None:
    """Write and hash one buffer in a thread while the next one is received."""
    writing: asyncio.Task[None] | None = None
    held = bytearray()
    try:
        async for chunk in chunks:
            held += chunk
            if len(held) >= STREAM_BUFFER_BYTES:
                if writing is not None:
                    await writing
                writing = asyncio.create_task(asyncio.to_thread(writer.write, held))
                held = bytearray()
    finally:
        # The thread must be done with the file before the file is closed, however this ends.
        if writing is not None:
            await _settled(writing)
    if writing is not None:
        await writing
    await asyncio.to_thread(writer.write, held)


async def _settled(task: "asyncio.Task[None]") -> None:
    """Wait until `task` is done, a cancellation meanwhile notwithstanding; it is raised then."""
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    task.exception()  # looked at: what ended the upload first is what is told
