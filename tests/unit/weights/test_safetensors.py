"""Headers of safetensors: what the format's own library refuses is refused here, with the file and the numbers."""

import json
import struct
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import safetensors
from hypothesis import given
from hypothesis import strategies as st
from safetensors import SafetensorError
from safetensors.numpy import save

from gigawatt.model.refusal import RefusalError
from gigawatt.weights.safetensors import HEADER_BYTES_MAX, TensorPlace, read_header
from gigawatt.weights.source import file_source
from tests.unit.weights.samples import safetensors_bytes, source, tensor, two_tensors

LIBRARY: Any = safetensors  # its stubs have no types


def refused(data: bytes) -> str:
    with pytest.raises(RefusalError) as error:
        read_header(source(data))
    assert error.value.field == "path"
    return error.value.detail


def test_a_header_says_where_every_tensor_is() -> None:
    header = read_header(source(two_tensors()))
    begin = header.data_begin
    assert header.tensors == (
        TensorPlace(name="a", dtype="F32", shape=(2,), begin=begin, end=begin + 8),
        TensorPlace(name="b", dtype="BF16", shape=(1, 3), begin=begin + 8, end=begin + 14),
    )


def test_what_the_library_writes_is_read() -> None:
    arrays = {
        "x": np.arange(6, dtype=np.float16).reshape(2, 3),
        "y": np.array(3),
        "z": np.zeros((0, 4)),
    }
    data = save(arrays, metadata={"format": "np"})
    header = read_header(source(data))
    assert header.metadata == {"format": "np"}
    for each in header.tensors:
        found = np.frombuffer(data[each.begin : each.end], dtype=arrays[each.name].dtype)
        assert np.array_equal(found.reshape(each.shape), arrays[each.name])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"abc", "has 3 bytes, and a safetensors file has at least 8"),
        (struct.pack("<Q", HEADER_BYTES_MAX + 1), "says that its header has 100000001 bytes"),
        (struct.pack("<Q", 100) + b"{}", "its header has 100 bytes, and the file only 10"),
        (struct.pack("<Q", 2) + b"[]", "its header begins with b'[' and not with '{'"),
        (struct.pack("<Q", 2) + b"{x", "its header is not JSON"),
        (struct.pack("<Q", 8) + b'{"\xff":{}}', "its header is not JSON"),
        (struct.pack("<Q", 13) + b'{"a":1,"a":1}', "names something twice"),
        (safetensors_bytes({"a": {}}, b""), "tensor 'a' needs exactly dtype, shape"),
        (safetensors_bytes({"a": tensor([1], 0, 4, "F99")}, bytes(4)), "the unknown type 'F99'"),
        (safetensors_bytes({"a": tensor([-1], 0, 4)}, bytes(4)), "an impossible shape"),
        (safetensors_bytes({"a": tensor([2], 0, 4)}, bytes(4)), "has 8 bytes, and its data_off"),
        (safetensors_bytes({"a": tensor([3], 0, 1, "F4")}, bytes(1)), "has 1.5 bytes"),
        (safetensors_bytes({"a": tensor([2**62, 8], 0, 0)}, b""), "and its data_offsets 0 to 0"),
        (
            safetensors_bytes({"a": tensor([2], 0, 8), "b": tensor([2], 4, 12)}, bytes(12)),
            "inside the one before it",
        ),
        (safetensors_bytes({"a": tensor([1], 4, 8)}, bytes(8)), "4 bytes before tensor 'a'"),
        (two_tensors()[:-1], "its tensors end at byte"),
        (two_tensors() + b"x", "and the file goes on to"),
        (safetensors_bytes({"__metadata__": {"a": 1}}, b""), "is not text by name"),
        (struct.pack("<Q", 200_001) + b'{"a":' + b"[" * 199_996, "its header is not JSON"),
    ],
)
def test_what_disagrees_is_refused_with_its_numbers(data: bytes, said: str) -> None:
    detail = refused(data)
    assert detail.startswith("model.safetensors: ")
    assert said in detail


def test_a_truncated_file_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(two_tensors()[:-3])
    with pytest.raises(RefusalError, match=r"model\.safetensors: its tensors end at byte \d+"):
        read_header(file_source(file))


SHAPES = st.lists(st.integers(-1, 6), max_size=3)
TENSORS = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "BF16", "U8", "F4", "BOOL", "X"]),
        "shape": SHAPES,
        "data_offsets": st.lists(st.integers(-1, 60), min_size=1, max_size=3),
    }
)


@st.composite
def near_misses(draw: st.DrawFn) -> bytes:
    """Files that are right, but for what is drawn."""
    header: dict[str, Any] = {}
    at = 0
    for name in draw(st.lists(st.text(max_size=3), max_size=4, unique=True)):
        shape = draw(st.lists(st.integers(0, 4), max_size=3))
        size = int(np.prod(shape)) * 4
        shift = draw(st.sampled_from([0, 0, 0, 0, 1, -1]))
        header[name] = tensor(shape, at + shift, at + size)
        at += size
    if draw(st.booleans()):
        header[draw(st.text(max_size=2))] = draw(TENSORS)
    extra = draw(st.sampled_from([0, 0, 0, 1, -1]))
    data = safetensors_bytes(header, bytes(max(0, at + extra)))
    return data[: draw(st.sampled_from([len(data), len(data), len(data), 7, 12]))]


@given(data=st.one_of(near_misses(), st.binary(max_size=64)))
def test_nothing_is_taken_that_the_library_refuses(data: bytes) -> None:
    try:
        header = read_header(source(data))
    except RefusalError:
        return
    try:
        theirs = dict(cast("list[tuple[str, Any]]", LIBRARY.deserialize(data)))
    except SafetensorError as error:  # pragma: no cover - what this test is for
        raise AssertionError(f"taken here, and there: {error}") from error
    ours = {each.name: (list(each.shape), each.dtype) for each in header.tensors}
    assert ours == {name: (each["shape"], each["dtype"]) for name, each in theirs.items()}


@given(sizes=st.lists(st.integers(0, 5), max_size=5))
def test_everything_that_the_library_writes_is_taken(sizes: list[int]) -> None:
    arrays = {f"t{number}": np.zeros(size) for number, size in enumerate(sizes)}
    header = read_header(source(save(arrays)))
    assert {each.name: each.shape for each in header.tensors} == {
        name: array.shape for name, array in arrays.items()
    }


@given(text=st.text(max_size=200))
def test_any_header_is_read_or_refused(text: str) -> None:
    body = ("{" + text).encode()
    try:
        read_header(source(struct.pack("<Q", len(body)) + body))
    except RefusalError:
        return
    json.loads(body)
