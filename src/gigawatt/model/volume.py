"""Volumes: data by name in a project, and how a gang sees them. A data set is a version of a managed volume.

A version never changes, and its number is never given again: what `imagenet:3` meant, it means for ever, or nothing.
"""

from dataclasses import dataclass
from enum import StrEnum

LATEST = "latest"
VERSIONS_MAX = 10_000  # of one volume, those deleted included


class VolumeKind(StrEnum):
    MANAGED = "managed"  # versions in the content-addressed store
    PATH = "path"  # a directory of the nodes: theirs or a mounted one
    S3 = "s3"  # a bucket's objects; each version pins those of one listing


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """`newest` is the last number given; `gone` are those of deleted versions, sorted."""

    id: str  # tenant/project/name
    tenant: str
    project: str
    name: str
    kind: VolumeKind
    created_ms: int
    created_by: str
    path: str = ""  # kind path: where it is on nodes, without links
    url: str = ""  # kind s3: s3://bucket/prefix?options
    secret: str = ""  # kind s3: the name of the one that opens it; empty where anybody may read it
    quota_bytes: int = 0  # that its versions may hold together; 0 is without limit
    stored_bytes: int = 0  # of the files of its versions, each counted once
    newest: int = 0
    gone: tuple[int, ...] = ()
    changed_ms: int = 0
    deleted_ms: int | None = None
    version: int = 1

    @property
    def latest(self) -> int:
        """The highest number that is not deleted; 0 for none."""
        return next((n for n in range(self.newest, 0, -1) if n not in self.gone), 0)

    def number_of(self, selector: str) -> int | None:
        """The version that "3", or "" or "latest" (the newest) means; None where nothing is meant."""
        if selector in {"", LATEST}:
            return self.latest or None
        if not (selector.isascii() and selector.isdecimal()) or len(selector) > 9:
            return None
        number = int(selector)
        return number if 1 <= number <= self.newest and number not in self.gone else None

    def version_id(self, number: int) -> str:
        """The id of its version of that number; ids sort by it."""
        return f"{self.id}:{number:08d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeVersion:
    """`name:number` within a project."""

    id: str
    tenant: str
    project: str
    name: str
    number: int
    digest: str  # of the tree; of an S3 volume, of the listing
    size_bytes: int
    files: int
    created_ms: int
    created_by: str
    message: str = ""
    job: str = ""  # which pushed it, and in which attempt
    attempt: int = 0

    @property
    def ref(self) -> str:
        return f"{self.name}:{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A volume in the view of every rank of a gang. Of a managed one `number`, `digest` and `size_bytes` say which."""

    volume: str
    path: str  # below the gang's own directory
    writable: bool = False  # path volumes alone
    number: int = 0
    digest: str = ""
    size_bytes: int = 0
    source: str = ""  # kind path: the directory on nodes

    @property
    def ref(self) -> str:
        return f"{self.volume}:{self.number}" if self.number else self.volume


def data_of(mounts: tuple[Mount, ...]) -> tuple[tuple[str, int], ...]:
    """The trees that nodes keep for these mounts and their bytes, sorted, each once."""
    return tuple(sorted({(mount.digest, mount.size_bytes) for mount in mounts if mount.digest}))
