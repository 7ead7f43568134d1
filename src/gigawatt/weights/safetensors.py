"""The header of a safetensors file: every tensor's type, shape and place, checked against each other and the file.

The format: 8 bytes with the header's length, the header in JSON, and tensors that fill the rest without a gap.
https://github.com/huggingface/safetensors#format
"""

import json
import math
from dataclasses import dataclass
from typing import Any, cast

from gigawatt.model.refusal import RefusalError
from gigawatt.weights.source import Source, damaged

HEADER_BYTES_MAX = 100_000_000  # the format's own limit
LENGTH_BYTES = 8
METADATA = "__metadata__"
FIELDS = frozenset({"dtype", "shape", "data_offsets"})
DIMENSION_MAX = 2**63 - 1
DTYPE_BITS = {
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "BOOL": 8,
    "U8": 8,
    "I8": 8,
    "F8_E5M2": 8,
    "F8_E4M3": 8,
    "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8,
    "F8_E5M2FNUZ": 8,
    "I16": 16,
    "U16": 16,
    "F16": 16,
    "BF16": 16,
    "I32": 32,
    "U32": 32,
    "F32": 32,
    "C64": 64,
    "F64": 64,
    "I64": 64,
    "U64": 64,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorPlace:
    """`begin` and `end` are bytes from the start of the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def elements(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetensorsHeader:
    """Tensors in the order in which they lie in the file."""

    tensors: tuple[TensorPlace, ...]
    metadata: dict[str, str]
    data_begin: int


def read_header(source: Source) -> SafetensorsHeader:
    """Raises RefusalError naming the file and the numbers that disagree; OSError where it cannot be read."""
    name, size = source.name, source.size_bytes
    with source.open() as file:
        start = file.read(LENGTH_BYTES)
        if len(start) < LENGTH_BYTES:
            raise damaged(name, f"has {size} bytes, and a safetensors file has at least 8")
        length = int.from_bytes(start, "little")
        if length > HEADER_BYTES_MAX:
            detail = (
                f"says that its header has {length} bytes; at most {HEADER_BYTES_MAX} are allowed"
            )
            raise damaged(name, detail, "it is no safetensors file, or damaged at its start")
        if LENGTH_BYTES + length > size:
            raise damaged(name, f"its header has {length} bytes, and the file only {size}")
        text = file.read(length)
    if len(text) < length:
        raise damaged(name, f"its header has {length} bytes, of which {len(text)} could be read")
    fields = _object(name, text)
    data_begin = LENGTH_BYTES + length
    metadata = _metadata(name, fields.pop(METADATA, {}))
    tensors = [_tensor(name, key, value, data_begin) for key, value in fields.items()]
    tensors.sort(key=lambda each: (each.begin, each.end, each.name))
    _check_cover(name, tensors, data_begin, size)
    return SafetensorsHeader(tensors=tuple(tensors), metadata=metadata, data_begin=data_begin)


def _object(name: str, text: bytes) -> dict[str, Any]:
    if not text.startswith(b"{"):
        raise damaged(name, f"its header begins with {text[:1]!r} and not with '{{'")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise damaged(name, "names something twice in its header")
        return found

    try:
        found: Any = json.loads(text.decode("utf-8"), object_pairs_hook=unique)
    except RefusalError:
        raise
    except (ValueError, RecursionError) as error:
        raise damaged(name, f"its header is not JSON ({str(error)[:100]})") from error
    assert isinstance(found, dict)
    return cast("dict[str, Any]", found)


def _metadata(name: str, found: object) -> dict[str, str]:
    plain = cast("dict[str, object]", found) if isinstance(found, dict) else None
    if plain is None or not all(isinstance(value, str) for value in plain.values()):
        raise damaged(name, f"its {METADATA} is not text by name")
    return cast("dict[str, str]", plain)


def _tensor(name: str, key: str, value: object, data_begin: int) -> TensorPlace:
    fields = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    if fields.keys() != FIELDS:
        raise damaged(name, f"tensor {_shown(key)} needs exactly dtype, shape and data_offsets")
    dtype, shape, offsets = fields["dtype"], fields["shape"], fields["data_offsets"]
    bits = DTYPE_BITS.get(dtype) if isinstance(dtype, str) else None
    if bits is None:
        raise damaged(
            name,
            f"tensor {_shown(key)} has the unknown type {_shown(dtype)}",
            f"known: {', '.join(DTYPE_BITS)}",
        )
    if not _are_counts(shape) or not _are_counts(offsets) or len(offsets) != 2:
        raise damaged(name, f"tensor {_shown(key)} has an impossible shape or data_offsets")
    begin, end = offsets
    wanted_bits = math.prod(shape) * bits
    if wanted_bits > DIMENSION_MAX or wanted_bits % 8 or end - begin != wanted_bits // 8:
        detail = f"tensor {_shown(key)} of {dtype} {shape} has {wanted_bits / 8:.12g} bytes"
        raise damaged(name, f"{detail}, and its data_offsets {begin} to {end} have {end - begin}")
    return TensorPlace(
        name=key, dtype=dtype, shape=tuple(shape), begin=data_begin + begin, end=data_begin + end
    )


def _are_counts(values: object) -> bool:
    return isinstance(values, list) and all(
        type(value) is int and 0 <= value <= DIMENSION_MAX for value in cast("list[object]", values)
    )


def _check_cover(name: str, tensors: list[TensorPlace], data_begin: int, size: int) -> None:
    """Tensors fill the file from the header's end to its own, one after the other."""
    through = data_begin
    for each in tensors:
        if each.begin < through:
            detail = f"tensor {_shown(each.name)} begins at byte {each.begin}"
            raise damaged(name, f"{detail}, inside the one before it, which ends at {through}")
        if each.begin > through:
            detail = f"{each.begin - through} bytes before tensor {_shown(each.name)} are nobody's"
            raise damaged(name, detail)
        through = each.end
    if through > size:
        raise damaged(name, f"its tensors end at byte {through}, and the file has {size}")
    if through < size:
        raise damaged(name, f"its tensors end at byte {through}, and the file goes on to {size}")


def _shown(value: object) -> str:
    return repr(value)[:200]
