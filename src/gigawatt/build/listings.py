"""What a bucket held when it was looked at: the objects below a prefix, each by its ETag. It is itself an artifact.

Its digest names a version of an S3 volume. It pins bytes that are elsewhere: an object that has changed since is not
to be had any more. Whose it is stands in it, so that no tenant's listing is ever another's.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from gigawatt.build.artifacts import ArtifactStore
from gigawatt.build.trees import MANIFEST_BYTES_MAX, PATH_BYTES_MAX
from gigawatt.model.refusal import RefusalCode, RefusalError

FORMAT = "gigawatt-listing-1"
START = f'{{"format":"{FORMAT}"'.encode()  # of every listing, and of no tree's manifest
OBJECTS_MAX = 100_000
NAME_BYTES_MAX = 255  # between two slashes, by the rule of file systems
SHOWN_MAX = 5
LISTINGS_MAX = 4  # kept in memory: a file of one is often read in many ranges


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An object: `path` is its key without the prefix, `etag` as S3 gave it, without quotation marks."""

    path: str
    size: int
    etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """`owner` is tenant/project, whose secret of the name `secret` opens `url`; without one, anybody may read it."""

    owner: str
    url: str
    secret: str
    objects: tuple[Listed, ...]  # by path

    @property
    def size_bytes(self) -> int:
        return sum(each.size for each in self.objects)


def ordered(objects: Iterable[Listed], *, where: str) -> tuple[Listed, ...]:
    """Objects by path. Raises RefusalError: invalid for keys that no directory can hold, and for none at all."""
    found = tuple(sorted(objects, key=lambda each: each.path))
    if not found:
        detail = f"there is no object below {where}"
        raise RefusalError(RefusalCode.INVALID, detail, field="url", hint="correct the prefix")
    files = {each.path for each in found}
    wrong = [each.path for each in found if not _can_be(each.path, files)]
    if wrong:
        shown = ", ".join(repr(path[:100]) for path in wrong[:SHOWN_MAX])
        detail = f"{len(wrong)} keys below {where} cannot be files of one directory: {shown}"
        hint = "choose a prefix without them, or rename them"
        raise RefusalError(RefusalCode.INVALID, detail, field="url", hint=hint)
    return found


def encode_listing(listing: Listing) -> bytes:
    """The bytes whose digest names it; the same objects give the same ones. Raises RefusalError (too-large)."""
    body = {"format": FORMAT, **asdict(listing)}
    data = json.dumps(body, sort_keys=True, separators=(",", ":")).encode("ascii")
    if len(data) > MANIFEST_BYTES_MAX:
        detail = (
            f"the listing of {listing.url} has {len(data)} bytes, and may have {MANIFEST_BYTES_MAX}"
        )
        hint = "make volumes of longer prefixes"
        raise RefusalError(RefusalCode.TOO_LARGE, detail, field="url", hint=hint)
    return data


@lru_cache(maxsize=LISTINGS_MAX)
def listing_of(store: ArtifactStore, digest: str) -> Listing | None:
    """The listing of that digest; None for what is another kind of artifact. Raises RefusalError as `store.open`."""
    with store.open(digest) as file:
        if file.read(len(START)) != START:
            return None
        file.seek(0)
        body: Any = json.loads(file.read(MANIFEST_BYTES_MAX))
    return Listing(
        owner=body["owner"],
        url=body["url"],
        secret=body["secret"],
        objects=tuple(Listed(**each) for each in body["objects"]),
    )


@lru_cache(maxsize=LISTINGS_MAX)
def objects_of(store: ArtifactStore, digest: str) -> Mapping[str, Listed]:
    """The objects of a listing by path, in its order."""
    listing = listing_of(store, digest)
    assert listing is not None, f"{digest} is no listing"
    return MappingProxyType({each.path: each for each in listing.objects})


def _can_be(path: str, files: set[str]) -> bool:
    parts = path.split("/")
    try:
        whole = 0 < len(path.encode()) <= PATH_BYTES_MAX and "\0" not in path
        named = all(len(part.encode()) <= NAME_BYTES_MAX for part in parts)
    except UnicodeEncodeError:
        return False
    inside = not any(part in {"", ".", ".."} for part in parts)
    return whole and named and inside and not _in_a_file(parts, files)


def _in_a_file(parts: list[str], files: set[str]) -> bool:
    return any("/".join(parts[:depth]) in files for depth in range(1, len(parts)))
