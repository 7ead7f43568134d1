"""The map's wire format: a header in JSON, and arrays as they lie in memory, so that a browser only has to look at them.

    offset 0   4 bytes    GWF1
           4   u32        bytes of the header, a multiple of 8 with the eight before it
           8              the header, JSON in UTF-8, filled up with spaces
           …              the arrays, each at a multiple of 8 from the beginning of the file

Numbers are little-endian. The header's `arrays` says of each its `name`, `type` (u8, u16, u32), `offset` from the end of
the header, and `length` in items.
"""

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

MAGIC = b"GWF1"
ALIGNED = 8
LEVEL = 1  # of gzip: the arrays are long runs, and more takes longer than it saves
TAG_BYTES = 12
TYPES = {"|u1": "u8", "<u2": "u16", "<u4": "u32"}

Array = npt.NDArray[Any]  # of one of TYPES on the wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A body, as gzip and as it is; `tag` names its content."""

    tag: str
    body: bytes
    gzip: bytes


def pack(header: Mapping[str, Any], arrays: Mapping[str, Array]) -> Packed:
    """A file of these arrays."""
    told: list[dict[str, Any]] = []
    parts: list[bytes] = []
    offset = 0
    for name, array in arrays.items():
        content = np.ascontiguousarray(array).tobytes()
        told.append(
            {"name": name, "type": TYPES[array.dtype.str], "offset": offset, "length": len(array)}
        )
        rest = -len(content) % ALIGNED
        parts.append(content + bytes(rest))
        offset += len(content) + rest
    text = json.dumps({**header, "arrays": told}, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + len(MAGIC) + 4) % ALIGNED)
    body = b"".join((MAGIC, len(text).to_bytes(4, "little"), text, *parts))
    return Packed(tag=tag_of(body), body=body, gzip=_gzip(body))


def unpack(body: bytes) -> tuple[dict[str, Any], dict[str, Array]]:
    """The header and the arrays of a file; the inverse of `pack`. Raises ValueError for what is none."""
    if body[:4] != MAGIC:
        raise ValueError("it does not begin with GWF1")
    start = 8 + int.from_bytes(body[4:8], "little")
    header = json.loads(body[8:start])
    types = {ours: numpys for numpys, ours in TYPES.items()}
    arrays = {
        each["name"]: np.frombuffer(
            body, types[each["type"]], each["length"], start + each["offset"]
        )
        for each in header["arrays"]
    }
    return header, arrays


def tag_of(content: bytes) -> str:
    """A short name of some content."""
    return hashlib.blake2b(content, digest_size=TAG_BYTES).hexdigest()


def _gzip(body: bytes) -> bytes:
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()
