"""Headers of GGUF: what its own library writes is read, what disagrees is refused with the numbers."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGUFWriter
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.model.refusal import RefusalError
from gigawatt.weights.gguf import read_header
from gigawatt.weights.source import file_source
from tests.unit.weights.samples import gguf_bytes, gguf_text, source


def typed(kind: int, value: bytes) -> bytes:
    return struct.pack("<I", kind) + value


def array(kind: int, length: int, value: bytes) -> bytes:
    return typed(9, struct.pack("<IQ", kind, length) + value)


def nested(depth: int) -> bytes:
    value = struct.pack("<IQ", 0, 0)
    for _ in range(depth):
        value = struct.pack("<IQ", 9, 1) + value
    return typed(9, value)


def test_what_the_library_writes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    writer = GGUFWriter(path, "llama")
    writer.add_block_count(2)
    writer.add_token_list(["a", "b", "c"])
    writer.add_float32("scale", 0.5)
    writer.add_tensor("weight", np.zeros((3, 64), dtype=np.float32))
    writer.add_tensor("bias", np.zeros(5, dtype=np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    header = read_header(file_source(path))
    assert header.version == 3
    assert header.metadata == {
        "general.architecture": "llama",
        "llama.block_count": 2,
        "tokenizer.ggml.tokens": 3,
        "scale": 0.5,
    }
    assert [(each.name, each.dtype, each.shape, each.elements) for each in header.tensors] == [
        ("weight", "F32", (64, 3), 192),
        ("bias", "F16", (5,), 5),
    ]


def test_a_type_from_the_future_is_named_and_not_refused() -> None:
    header = read_header(source(gguf_bytes(tensors=(("w", (32,), 77, 0),))))
    assert [(each.dtype, each.size_bytes) for each in header.tensors] == [("type-77", None)]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"GG", "its magic ends at byte 4, and the file has 2"),
        (gguf_bytes(magic=b"GGML"), "begins with b'GGML' and not with b'GGUF'"),
        (gguf_bytes(version=1), "has version 1 of GGUF; 2 and 3 are known"),
        (gguf_bytes(version=3 << 24), "has version 50331648"),
        (
            b"GGUF" + struct.pack("<IQQ", 3, 2**60, 0),
            "its number of tensors is 1152921504606846976",
        ),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**60), "its number of keys is 1152921504606846976"),
        (gguf_bytes()[:40], "ends at byte"),
        (gguf_bytes(data=bytes(23)), "tensor 'w' ends at byte"),
        (gguf_bytes(keys={"k": typed(13, b"")}), "the value of 'k' has the unknown type 13"),
        (gguf_bytes(keys={"k": typed(8, struct.pack("<Q", 2**40))}), "is 1099511627776; at most"),
        (gguf_bytes(keys={"k": array(0, 2**50, b"")}), "the length of the value of 'k' is"),
        (gguf_bytes(keys={"k": array(12, 1 << 20, b"")}), "and the file has"),
        (gguf_bytes(keys={"k": nested(6)}), "nests deeper than 4"),
        (
            gguf_bytes(keys={"general.alignment": typed(4, struct.pack("<I", 24))}),
            "no power of two",
        ),
        (gguf_bytes(keys={"general.alignment": typed(4, bytes(4))}), "no power of two"),
        (gguf_bytes(tensors=(("w", (2, 3), 0, 8),)), "has the offset 8, not aligned to 32"),
        (gguf_bytes(tensors=(("w", (1,) * 5, 0, 0),)), "has 5 dimensions; at most 4"),
        (gguf_bytes(tensors=(("w", (2**40, 2**40), 0, 0),)), "has the shape"),
        (gguf_bytes(tensors=(("w", (31,), 2, 0),)), "and Q4_0 has blocks of 32"),
        (gguf_bytes(tensors=(("w", (2,), 0, 0), ("w", (2,), 0, 32))), "two tensors of one name"),
        (
            gguf_bytes(tensors=(("a", (9,), 0, 0), ("b", (2,), 0, 32)), data=bytes(64)),
            "inside the one before it",
        ),
        (gguf_bytes(tensors=(("w", (2,), 0, 2**63),)), "and the file has"),
    ],
)
def test_what_disagrees_is_refused_with_its_numbers(data: bytes, said: str) -> None:
    with pytest.raises(RefusalError) as error:
        read_header(source(data, "m.gguf"))
    assert error.value.detail.startswith("m.gguf: ")
    assert said in error.value.detail


VALUES = st.one_of(
    st.tuples(st.sampled_from([0, 4, 6, 7, 8, 9, 10, 13]), st.binary(max_size=24)).map(
        lambda pair: typed(*pair)
    ),
    st.text(max_size=5).map(lambda text: typed(8, gguf_text(text))),
)


@given(
    keys=st.dictionaries(st.text(max_size=5), VALUES, max_size=3),
    tensors=st.lists(
        st.tuples(
            st.text(max_size=4),
            st.lists(st.integers(0, 70), max_size=5).map(tuple),
            st.integers(0, 45),
            st.sampled_from([0, 32, 64, 7, 2**40]),
        ),
        max_size=3,
    ).map(tuple),
    cut=st.integers(0, 400),
    data=st.binary(max_size=80),
)
def test_any_file_is_read_within_its_bounds_or_refused(
    keys: dict[str, bytes], tensors: Any, cut: int, data: bytes
) -> None:
    whole = gguf_bytes(keys=keys, tensors=tensors, data=data)
    for each in (whole, whole[:cut]):
        try:
            header = read_header(source(each, "m.gguf"))
        except RefusalError:
            continue
        for found in header.tensors:
            assert found.begin + (found.size_bytes or 0) <= len(each)


@given(st.binary(max_size=200))
def test_any_bytes_after_the_magic_are_read_or_refused(data: bytes) -> None:
    try:
        read_header(source(b"GGUF\x03\x00\x00\x00" + data, "m.gguf"))
    except RefusalError:
        return
