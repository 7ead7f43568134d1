"""The manifest of a tree."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.build.trees import (
    TreeFile,
    encode_manifest,
    manifest_of,
    parse_manifest,
)
from gigawatt.model.refusal import RefusalCode, RefusalError

HEX = "ab" * 32
SEGMENTS = st.sampled_from(["a", "b", "a-b", "ab", "é", "a.b"])
PATHS = st.lists(st.lists(SEGMENTS, min_size=1, max_size=3).map("/".join), unique=True, max_size=8)


def file(path: str, size: int = 1) -> TreeFile:
    return TreeFile(path=path, size=size, sha256=HEX, executable=False)


def body(**fields: object) -> dict[str, Any]:
    entry = {"path": "a", "size": 1, "sha256": HEX, "executable": False} | fields
    return {"format": "gigawatt-tree-1", "files": [entry]}


def encoded(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


@settings(deadline=None, max_examples=60)
@given(paths=PATHS, order=st.randoms())
def test_the_order_in_which_files_are_found_does_not_count(paths: list[str], order: Any) -> None:
    files = [
        file(path) for path in paths if not any(other.startswith(path + "/") for other in paths)
    ]
    shuffled = list(files)
    order.shuffle(shuffled)
    assert encode_manifest(manifest_of(shuffled)) == encode_manifest(manifest_of(files))
    assert parse_manifest(encode_manifest(manifest_of(shuffled))) == manifest_of(files)


def test_the_size_of_a_tree_is_that_of_its_files() -> None:
    assert manifest_of([file("a", 3), file("b/c", 4)]).size_bytes == 7


@pytest.mark.parametrize(
    "path",
    ["", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a\0", "\ud800", "x" * 5000],
)
def test_a_path_that_no_directory_can_hold_is_refused(path: str) -> None:
    with pytest.raises(RefusalError) as caught:
        parse_manifest(encoded(body(path=path)))
    assert caught.value.code is RefusalCode.INVALID
    assert "is not a path inside a directory" in caught.value.detail


def test_a_path_twice_or_below_a_file_is_refused() -> None:
    with pytest.raises(RefusalError, match="in it twice"):
        manifest_of([file("a"), file("a")])
    with pytest.raises(RefusalError, match="lies in what is itself a file"):
        manifest_of([file("a"), file("a-b"), file("a/b")])


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (encoded([]), "not of the format"),
        (encoded(body() | {"format": "zip"}), "not of the format"),
        (encoded(body() | {"files": "a"}), "not a list"),
        (encoded(body() | {"files": [1]}), "not an object"),
        (encoded(body(size="1")), "needs exactly"),
        (encoded(body(size=True)), "needs exactly"),
        (encoded(body(more=1)), "needs exactly"),
        (encoded(body(size=-1)), "impossible size"),
        (encoded(body(sha256="00")), "impossible size or sha256"),
        (encoded(body(sha256=HEX.upper())), "impossible size or sha256"),
        (json.dumps(body()).encode(), "canonical"),
    ],
)
def test_a_manifest_that_was_not_written_by_us_is_refused(value: bytes, says: str) -> None:
    with pytest.raises(RefusalError, match=says):
        parse_manifest(value)
