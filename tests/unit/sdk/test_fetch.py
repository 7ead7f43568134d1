"""Manifests that a store sends are not believed."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.sdk.artifacts import TreeFile, manifest_of
from gigawatt.sdk.fetch import is_inside, parse_tree


def a_file(path: str, **changes: Any) -> TreeFile:
    fields: dict[str, Any] = {"size": 1, "sha256": "0" * 64, "executable": False, **changes}
    return TreeFile(path=path, **fields)


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def parsed(*files: TreeFile) -> tuple[TreeFile, ...]:
    data = manifest_of(files)
    return parse_tree(data, digest_of(data))


def test_a_manifest_is_read_back() -> None:
    files = (a_file("a"), a_file("b/c", executable=True))
    assert parsed(*files) == files


@pytest.mark.parametrize(
    "files",
    [
        (a_file("../up"),),
        (a_file("/etc/passwd"),),
        (a_file("a/../../b"),),
        (a_file("a//b"),),
        (a_file("."),),
        (a_file(""),),
        (a_file("nul\0"),),
        (a_file("x" * 5_000),),
        (a_file("a"), a_file("a")),
        (a_file("a"), a_file("a/b")),
        (a_file("a", size=-1),),
        (a_file("a", sha256="../../x"),),
        (a_file("a", size="1"),),
        (a_file("a", executable=1),),
    ],
)
def test_a_manifest_that_leads_outside_or_cannot_be_is_refused(files: tuple[TreeFile, ...]) -> None:
    with pytest.raises(RefusalError) as refused:
        parsed(*files)
    assert refused.value.code is RefusalCode.INVALID


@pytest.mark.parametrize(
    "body", [[], 1, {}, {"format": "x", "files": []}, {"format": "gigawatt-tree-1", "files": [1]}]
)
def test_what_is_no_manifest_is_refused(body: object) -> None:
    data = json.dumps(body, separators=(",", ":")).encode()
    with pytest.raises(RefusalError, match="it is no manifest of a tree"):
        parse_tree(data, digest_of(data))


def test_a_manifest_that_does_not_have_its_digest_is_refused() -> None:
    with pytest.raises(RefusalError) as refused:
        parse_tree(manifest_of((a_file("a"),)), "sha256:" + "0" * 64)
    assert refused.value.code is RefusalCode.DIGEST_MISMATCH


@given(st.text(alphabet="a./\\\0é", max_size=12))
def test_a_path_that_is_taken_stays_inside(path: str) -> None:
    if is_inside(path):
        depth = 0
        for part in path.split("/"):
            depth += -1 if part == ".." else 1
            assert depth > 0
        assert not path.startswith("/")
