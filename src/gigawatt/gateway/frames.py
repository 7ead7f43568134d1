"""Messages between the parent of a gateway and its workers: a letter, a length, and bytes, over a socket pair."""

import asyncio
import struct

HEAD = struct.Struct("<cI")

ROWS = b"R"  # to a worker: the rows of the shared memory, as JSON; a configuration follows
CONFIG = b"C"  # to a worker: a configuration, as it came
CONTROL_UP = b"U"  # to a worker
CONTROL_DOWN = b"D"
DEMANDS = b"T"  # to the parent: a list of EndpointDemand, as JSON
SOMEONE_WAITS = b"W"  # to the parent


def frame(kind: bytes, payload: bytes = b"") -> bytes:
    return HEAD.pack(kind, len(payload)) + payload


async def read_frame(reader: asyncio.StreamReader) -> tuple[bytes, bytes] | None:
    """The next one; None once the other side has ended."""
    try:
        head = await reader.readexactly(HEAD.size)
        kind, length = HEAD.unpack(head)
        return kind, await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
