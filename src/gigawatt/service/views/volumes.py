"""Volumes and their versions as callers see them."""

from collections.abc import Sequence
from dataclasses import dataclass

from gigawatt.build.datasets import Change, TreeDiff
from gigawatt.build.listings import Listed
from gigawatt.build.trees import TreeFile
from gigawatt.model.volume import Mount, Volume, VolumeVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeView:
    """A volume. `latest` is the newest version's number, 0 for none; `path` and no versions for kind `path`.

    `url`, and the name of the `secret` that opens it, for kind `s3`.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeVersionView:
    """A data set: `ref` is `name:number`. `job` pushed it, if a rank did."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class PushCheckView:
    """What a push would send: `missing` are digests of files that are to be stored first."""

    files: int
    size_bytes: int
    missing: Sequence[str]
    missing_bytes: int
    stored_bytes: int
    quota_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeFileView:
    """One file of a version: `sha256` of what the store has, `etag` of what a bucket has; the other is empty."""

    path: str
    size_bytes: int
    sha256: str
    executable: bool
    etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeChangeView:
    """One path in which two versions differ; null where one does not have it."""

    path: str
    before_bytes: int | None
    after_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeDiffView:
    """In what `after` differs from `before`, by path. `cut` says that there is more than is listed."""

    before: str
    after: str
    added: Sequence[VolumeChangeView]
    removed: Sequence[VolumeChangeView]
    changed: Sequence[VolumeChangeView]
    same: int
    cut: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MountView:
    """A volume that a job's ranks see, `volume` with its version."""

    volume: str
    path: str
    mode: str


def volume_view(volume: Volume) -> VolumeView:
    return VolumeView(
        name=volume.name,
        tenant=volume.tenant,
        project=volume.project,
        kind=volume.kind.value,
        path=volume.path,
        url=volume.url,
        secret=volume.secret,
        latest=volume.latest,
        versions=volume.newest - len(volume.gone),
        stored_bytes=volume.stored_bytes,
        quota_bytes=volume.quota_bytes,
        created_ms=volume.created_ms,
        created_by=volume.created_by,
        changed_ms=volume.changed_ms,
        version=volume.version,
    )


def volume_version_view(version: VolumeVersion) -> VolumeVersionView:
    return VolumeVersionView(
        number=version.number,
        ref=version.ref,
        digest=version.digest,
        size_bytes=version.size_bytes,
        files=version.files,
        created_ms=version.created_ms,
        created_by=version.created_by,
        message=version.message,
        job=version.job,
        attempt=version.attempt,
    )


def file_view(file: TreeFile | Listed) -> VolumeFileView:
    kept = file if isinstance(file, TreeFile) else None
    return VolumeFileView(
        path=file.path,
        size_bytes=file.size,
        sha256=kept.sha256 if kept else "",
        executable=kept.executable if kept else False,
        etag="" if isinstance(file, TreeFile) else file.etag,
    )


def diff_view(before: str, after: str, diff: TreeDiff, *, limit: int) -> VolumeDiffView:
    """At most `limit` of each kind of change."""
    kinds = (diff.added, diff.removed, diff.changed)
    return VolumeDiffView(
        before=before,
        after=after,
        added=_changes(diff.added[:limit]),
        removed=_changes(diff.removed[:limit]),
        changed=_changes(diff.changed[:limit]),
        same=diff.same,
        cut=any(len(each) > limit for each in kinds),
    )


def mount_view(mount: Mount) -> MountView:
    return MountView(volume=mount.ref, path=mount.path, mode="rw" if mount.writable else "ro")


def _changes(changes: Sequence[Change]) -> tuple[VolumeChangeView, ...]:
    return tuple(
        VolumeChangeView(
            path=each.path, before_bytes=each.before_bytes, after_bytes=each.after_bytes
        )
        for each in changes
    )
