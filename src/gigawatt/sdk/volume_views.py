"""What the API answers about volumes, as types. See `gigawatt.sdk.views`."""

from typing import TypedDict


class VolumeView(TypedDict):
    """`latest` is the newest version's number, 0 for none; `path` for a volume that is a directory,
    `url` and the name of a `secret` for one that is a bucket.
    """

    name: str
    tenant: str
    project: str
    kind: str
    path: str
    url: str
    secret: str
    latest: int
    versions: int
    stored_bytes: int
    quota_bytes: int
    created_ms: int
    created_by: str
    changed_ms: int
    version: int


class VolumeVersionView(TypedDict):
    """A data set; `ref` is `name:number`."""

    number: int
    ref: str
    digest: str
    size_bytes: int
    files: int
    created_ms: int
    created_by: str
    message: str
    job: str
    attempt: int


class PushCheckView(TypedDict):
    """`missing` are digests of files that are to be stored first."""

    files: int
    size_bytes: int
    missing: list[str]
    missing_bytes: int
    stored_bytes: int
    quota_bytes: int


class VolumeFileView(TypedDict):
    path: str
    size_bytes: int
    sha256: str
    executable: bool
    etag: str


class MountView(TypedDict):
    """A volume that ranks see at `path`; `mode` is ro or rw."""

    volume: str
    path: str
    mode: str


class VolumeChangeView(TypedDict):
    """`None` bytes where one side does not have the path."""

    path: str
    before_bytes: int | None
    after_bytes: int | None


class VolumeDiffView(TypedDict):
    """In what `after` differs from `before`. `cut` says that there is more than is listed."""

    before: str
    after: str
    added: list[VolumeChangeView]
    removed: list[VolumeChangeView]
    changed: list[VolumeChangeView]
    same: int
    cut: bool
