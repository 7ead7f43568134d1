"""The header of a GGUF file: metadata and every tensor's type, shape and place, checked against the file.

https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import math
import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

from gigawatt.weights.source import Source, damaged

MAGIC = b"GGUF"
VERSIONS = (2, 3)
KEYS_MAX = 65_536
TENSORS_MAX = 1_048_576
NAME_BYTES_MAX = 65_535
STRING_BYTES_MAX = 16 * 1024 * 1024
ELEMENTS_MAX = 1 << 26  # of all arrays together
DEPTH_MAX = 4
DIMENSIONS_MAX = 4
ALIGNMENT_DEFAULT = 32
ALIGNMENT_MAX = 1 << 20
VALUE_CHARS_KEPT = 1_024
U64_MAX = 2**64 - 1

STRING, ARRAY = 8, 9
SCALARS = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}
# Type: name, elements of a block, bytes of a block.
TYPES = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18),
    21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1),
    25: ("I16", 1, 2),
    26: ("I32", 1, 4),
    27: ("I64", 1, 8),
    28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56),
    30: ("BF16", 1, 2),
    34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17),
    40: ("NVFP4", 64, 36),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufTensor:
    """`begin` is bytes from the start of the file; `size_bytes` is None for a type that is not known here."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    size_bytes: int | None

    @property
    def elements(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufHeader:
    """`metadata` has scalars and short text; of arrays, how many elements they have."""

    version: int
    metadata: dict[str, Any]
    tensors: tuple[GgufTensor, ...]


def read_header(source: Source) -> GgufHeader:
    """Raises RefusalError naming the file and the numbers that disagree; OSError where it cannot be read."""
    with source.open() as file:
        return _Reader(file=file, name=source.name, size=source.size_bytes).header()


@dataclass(slots=True, kw_only=True)
class _Reader:
    file: BinaryIO
    name: str
    size: int
    at: int = 0
    elements: int = 0

    def header(self) -> GgufHeader:
        magic = self.take(4, "its magic")
        if magic != MAGIC:
            raise damaged(self.name, f"begins with {magic!r} and not with {MAGIC!r}")
        version = self.number("<I", "its version")
        if version not in VERSIONS:
            hint = "convert it anew with a current llama.cpp"
            if version & 0xFFFF == 0:
                hint = "it was written for a big-endian machine"
            raise damaged(self.name, f"has version {version} of GGUF; 2 and 3 are known", hint)
        tensors = self.count("its number of tensors", TENSORS_MAX)
        keys = self.count("its number of keys", KEYS_MAX)
        metadata: dict[str, Any] = {}
        for _ in range(keys):
            key = self.text("a key", NAME_BYTES_MAX)
            if key in metadata:
                raise damaged(self.name, f"has the key {key[:200]!r} twice")
            metadata[key] = self.value(self.number("<I", f"the type of {key[:200]!r}"), key, 0)
        infos = [self.tensor() for _ in range(tensors)]
        return GgufHeader(
            version=version, metadata=metadata, tensors=self.placed(infos, self.alignment(metadata))
        )

    def take(self, count: int, what: str) -> bytes:
        if count > self.size - self.at:
            raise damaged(
                self.name, f"{what} ends at byte {self.at + count}, and the file has {self.size}"
            )
        data = self.file.read(count)
        if len(data) != count:
            raise damaged(self.name, f"{what} has {count} bytes, of which {len(data)} were there")
        self.at += count
        return data

    def number(self, form: str, what: str) -> Any:
        return struct.unpack(form, self.take(struct.calcsize(form), what))[0]

    def count(self, what: str, limit: int) -> int:
        found: int = self.number("<Q", what)
        if found > limit:
            raise damaged(self.name, f"{what} is {found}; at most {limit} are allowed")
        return found

    def text(self, what: str, limit: int) -> str:
        data = self.take(self.count(f"the length of {what}", limit), what)
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise damaged(self.name, f"{what} is not UTF-8") from error

    def value(self, kind: int, key: str, depth: int) -> Any:
        what = f"the value of {key[:200]!r}"
        if kind in SCALARS:
            return self.number(SCALARS[kind], what)
        if kind == STRING:
            # Vocabularies hold pieces of characters, so text inside a value need not be whole.
            size = self.count(f"the length of {what}", STRING_BYTES_MAX)
            return self.take(size, what)[:VALUE_CHARS_KEPT].decode(errors="replace")
        if kind != ARRAY:
            raise damaged(self.name, f"{what} has the unknown type {kind}")
        return self.array(key, what, depth)

    def array(self, key: str, what: str, depth: int) -> int:
        """How many elements; they are passed over."""
        if depth >= DEPTH_MAX:
            raise damaged(self.name, f"{what} nests deeper than {DEPTH_MAX}")
        kind: int = self.number("<I", f"the type in {what}")
        length = self.count(f"the length of {what}", ELEMENTS_MAX)
        self.elements += length
        if self.elements > ELEMENTS_MAX:
            raise damaged(self.name, f"its arrays have more than {ELEMENTS_MAX} elements together")
        if kind in SCALARS:
            self.skip(length * struct.calcsize(SCALARS[kind]), what)
            return length
        for _ in range(length):
            if kind == STRING:
                self.skip(self.count(f"the length of {what}", STRING_BYTES_MAX), what)
            else:
                self.value(kind, key, depth + 1)
        return length

    def skip(self, count: int, what: str) -> None:
        if count > self.size - self.at:
            raise damaged(
                self.name, f"{what} ends at byte {self.at + count}, and the file has {self.size}"
            )
        self.file.seek(count, 1)
        self.at += count

    def tensor(self) -> tuple[str, int, tuple[int, ...], int]:
        name = self.text("a tensor's name", NAME_BYTES_MAX)
        what = f"tensor {name[:200]!r}"
        dimensions: int = self.number("<I", f"the number of dimensions of {what}")
        if dimensions > DIMENSIONS_MAX:
            raise damaged(
                self.name, f"{what} has {dimensions} dimensions; at most {DIMENSIONS_MAX} can be"
            )
        shape = tuple(self.number("<Q", f"the shape of {what}") for _ in range(dimensions))
        kind: int = self.number("<I", f"the type of {what}")
        return name, kind, shape, self.number("<Q", f"the offset of {what}")

    def alignment(self, metadata: dict[str, Any]) -> int:
        found = metadata.get("general.alignment", ALIGNMENT_DEFAULT)
        if type(found) is not int or not 0 < found <= ALIGNMENT_MAX or found & (found - 1):
            raise damaged(self.name, f"general.alignment is {str(found)[:40]}, no power of two")
        return found

    def placed(
        self, infos: list[tuple[str, int, tuple[int, ...], int]], alignment: int
    ) -> tuple[GgufTensor, ...]:
        """Tensors in the order in which they lie in the file, none over another or over the file's end."""
        data_begin = -(-self.at // alignment) * alignment
        found = [self.place(info, data_begin, alignment) for info in infos]
        if len({each.name for each in found}) != len(found):
            raise damaged(self.name, "has two tensors of one name")
        found.sort(key=lambda each: (each.begin, each.name))
        through = data_begin
        for each in found:
            what = f"tensor {each.name[:200]!r}"
            if each.begin < through:
                detail = f"{what} begins at byte {each.begin}, inside the one before it"
                raise damaged(self.name, f"{detail}, which ends at {through}")
            through = each.begin + (each.size_bytes or 0)
            if through > self.size:
                raise damaged(
                    self.name, f"{what} ends at byte {through}, and the file has {self.size}"
                )
        return tuple(found)

    def place(
        self, info: tuple[str, int, tuple[int, ...], int], data_begin: int, alignment: int
    ) -> GgufTensor:
        name, kind, shape, offset = info
        what = f"tensor {name[:200]!r}"
        if offset % alignment:
            raise damaged(self.name, f"{what} has the offset {offset}, not aligned to {alignment}")
        known = TYPES.get(kind)
        size_bytes = None
        if known is not None:
            dtype, block_elements, block_bytes = known
            elements = math.prod(shape)
            if elements > U64_MAX or (shape[0] if shape else 1) % block_elements:
                detail = f"{what} has the shape {list(shape)}, and {dtype} has blocks"
                raise damaged(self.name, f"{detail} of {block_elements}")
            size_bytes = elements // block_elements * block_bytes
        dtype = known[0] if known else f"type-{kind}"
        return GgufTensor(
            name=name, dtype=dtype, shape=shape, begin=data_begin + offset, size_bytes=size_bytes
        )
