"""Small files of weights, written by hand so that each number in them can be wrong."""

import io
import json
import struct
from collections.abc import Mapping
from functools import partial
from typing import Any

from gigawatt.weights.source import Source


def source(data: bytes, name: str = "model.safetensors") -> Source:
    return Source(name=name, size_bytes=len(data), open=partial(io.BytesIO, data))


def safetensors_bytes(header: Any, data: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensor(shape: list[int], begin: int, end: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def two_tensors() -> bytes:
    header = {"a": tensor([2], 0, 8), "b": tensor([1, 3], 8, 14, "BF16")}
    return safetensors_bytes(header, bytes(14))


def gguf_text(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def gguf_bytes(
    *,
    magic: bytes = b"GGUF",
    version: int = 3,
    keys: Mapping[str, bytes] | None = None,
    tensors: tuple[tuple[str, tuple[int, ...], int, int], ...] = (("w", (2, 3), 0, 0),),
    data: bytes = bytes(24),
) -> bytes:
    """`keys` are typed values as bytes; `tensors` are name, shape, type and offset."""
    held = keys if keys is not None else {"general.architecture": _typed(8, gguf_text("llama"))}
    out = magic + struct.pack("<IQQ", version, len(tensors), len(held))
    for key, value in held.items():
        out += gguf_text(key) + value
    for name, shape, kind, offset in tensors:
        out += gguf_text(name) + struct.pack("<I", len(shape))
        out += struct.pack(f"<{len(shape)}Q", *shape) + struct.pack("<IQ", kind, offset)
    return out + bytes(-len(out) % 32) + data


def _typed(kind: int, value: bytes) -> bytes:
    return struct.pack("<I", kind) + value
