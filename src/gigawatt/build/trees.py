"""The manifest of a tree: which files a directory held, each by its digest. It is itself an artifact.

The same files give the same bytes, whatever order they were found in: canonical JSON, sorted by path.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, cast

from gigawatt.model.refusal import RefusalCode, RefusalError

FORMAT = "gigawatt-tree-1"
TREE_FILES_MAX = 100_000
MANIFEST_BYTES_MAX = 64 * 1024 * 1024
PATH_BYTES_MAX = 4096
HEX = re.compile(r"[0-9a-f]{64}")
FIELDS = {"path": str, "size": int, "sha256": str, "executable": bool}


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeFile:
    path: str  # relative, with slashes
    size: int  # bytes
    sha256: str  # 64 hex digits
    executable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeManifest:
    """Files by path, sorted. Directories are there because files are in them."""

    files: tuple[TreeFile, ...]

    @property
    def size_bytes(self) -> int:
        return sum(file.size for file in self.files)


def manifest_of(files: Iterable[TreeFile]) -> TreeManifest:
    """The manifest of files in any order. Raises RefusalError (invalid) for paths that no directory can hold."""
    ordered = tuple(sorted(files, key=lambda file: file.path))
    _check_paths(ordered)
    return TreeManifest(files=ordered)


def encode_manifest(manifest: TreeManifest) -> bytes:
    """The bytes whose digest names the tree."""
    body = {"format": FORMAT, "files": [asdict(file) for file in manifest.files]}
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode("ascii")


def parse_manifest(data: bytes) -> TreeManifest:
    """A manifest from outside. Raises RefusalError (invalid) for whatever `encode_manifest` cannot have written."""
    if len(data) > MANIFEST_BYTES_MAX:
        raise RefusalError(
            RefusalCode.TOO_LARGE, f"a manifest has at most {MANIFEST_BYTES_MAX} bytes"
        )
    try:
        body: Any = json.loads(data)
    except ValueError as error:
        raise _invalid("it is not JSON") from error
    if not isinstance(body, dict) or cast("dict[str, Any]", body).get("format") != FORMAT:
        raise _invalid(f"it is not of the format {FORMAT}")
    manifest = manifest_of(_files(cast("dict[str, Any]", body).get("files")))
    if encode_manifest(manifest) != data:
        raise _invalid("it is not in canonical form: sorted by path, without spaces")
    return manifest


def _files(entries: object) -> list[TreeFile]:
    if not isinstance(entries, list):
        raise _invalid("`files` is not a list")
    files: list[TreeFile] = []
    for index, entry in enumerate(cast("list[object]", entries)):
        if not isinstance(entry, dict):
            raise _invalid(f"files[{index}] is not an object")
        fields = cast("dict[str, Any]", entry)
        if {name: type(value) for name, value in fields.items()} != FIELDS:
            raise _invalid(f"files[{index}] needs exactly path, size, sha256 and executable")
        files.append(TreeFile(**fields))
    return files


def _check_paths(files: tuple[TreeFile, ...]) -> None:
    if len(files) > TREE_FILES_MAX:
        raise RefusalError(
            RefusalCode.TOO_LARGE, f"{len(files)} files, and a tree has at most {TREE_FILES_MAX}"
        )
    paths = {file.path for file in files}
    if len(paths) != len(files):
        raise _invalid("a path is in it twice")
    for file in files:
        parts = file.path.split("/")
        if not _is_safe(file.path) or any(part in {"", ".", ".."} for part in parts):
            raise _invalid(f"{file.path[:200]!r} is not a path inside a directory")
        if any("/".join(parts[:depth]) in paths for depth in range(1, len(parts))):
            raise _invalid(f"{file.path!r} lies in what is itself a file")
        if file.size < 0 or not HEX.fullmatch(file.sha256):
            raise _invalid(f"{file.path!r} has an impossible size or sha256")


def _is_safe(path: str) -> bool:
    try:
        return 0 < len(path.encode()) <= PATH_BYTES_MAX and "\0" not in path
    except UnicodeEncodeError:
        return False


def _invalid(problem: str) -> RefusalError:
    return RefusalError(RefusalCode.INVALID, f"this manifest cannot be used: {problem}")
