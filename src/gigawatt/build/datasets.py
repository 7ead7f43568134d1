"""Stored trees as data sets: their files by path, what several hold together, in what two differ."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from gigawatt.build.artifacts import ArtifactStore
from gigawatt.build.digest import PREFIX
from gigawatt.build.listings import Listed, listing_of, objects_of
from gigawatt.build.trees import TreeFile

File = TreeFile | Listed

INDEXES_MAX = 4  # kept in memory: a file of a tree is often read in many ranges


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One path; `None` bytes where one side does not have it."""

    path: str
    before_bytes: int | None
    after_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeDiff:
    """Sorted by path. What has the same content in both is only counted."""

    added: tuple[Change, ...]
    removed: tuple[Change, ...]
    changed: tuple[Change, ...]
    same: int


@lru_cache(maxsize=INDEXES_MAX)
def files_of(store: ArtifactStore, digest: str) -> Mapping[str, TreeFile]:
    """The files of a tree by path, in its order. Raises RefusalError (not-found, invalid)."""
    return MappingProxyType({each.path: each for each in store.tree(digest).files})


def contents_of(store: ArtifactStore, digests: Iterable[str]) -> dict[str, int]:
    """The files of all these trees: bytes by digest, each content once. Raises RefusalError (not-found)."""
    sizes: dict[str, int] = {}
    for digest in dict.fromkeys(digests):
        with store.open(digest) as file:  # it was checked when it was stored
            files = json.load(file)["files"]
        sizes.update((f"{PREFIX}{each['sha256']}", each["size"]) for each in files)
    return sizes


def entries_of(store: ArtifactStore, digest: str) -> Mapping[str, TreeFile] | Mapping[str, Listed]:
    """The files of a tree, or the objects of a listing, by path. Raises RefusalError (not-found, invalid)."""
    if listing_of(store, digest) is not None:
        return objects_of(store, digest)
    return files_of(store, digest)


def difference(before: Mapping[str, File], after: Mapping[str, File]) -> TreeDiff:
    """What became of `before`. A file whose mode alone differs is changed too."""
    added = [_change(path, None, after[path]) for path in sorted(after.keys() - before.keys())]
    removed = [_change(path, before[path], None) for path in sorted(before.keys() - after.keys())]
    both = sorted(before.keys() & after.keys())
    changed = [
        _change(path, before[path], after[path]) for path in both if before[path] != after[path]
    ]
    return TreeDiff(
        added=tuple(added),
        removed=tuple(removed),
        changed=tuple(changed),
        same=len(both) - len(changed),
    )


def _change(path: str, before: File | None, after: File | None) -> Change:
    return Change(
        path=path,
        before_bytes=before.size if before else None,
        after_bytes=after.size if after else None,
    )
