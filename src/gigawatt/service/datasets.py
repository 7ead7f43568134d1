"""Versions of managed volumes: checked, registered, listed, read, compared, deleted.

The bytes go through the artifact store; a version is its tree under a name. That the tenant has every file of it is
checked here: to know a digest is not to have it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from gigawatt.build.datasets import File, contents_of, difference, entries_of
from gigawatt.build.digest import PREFIX, parse_digest
from gigawatt.build.listings import Listed
from gigawatt.build.trees import PATH_BYTES_MAX, TreeManifest
from gigawatt.model.artifact import Artifact
from gigawatt.model.change import Entity
from gigawatt.model.command import AddArtifact, AddVolumeVersion, DeleteVolume
from gigawatt.model.job import Job
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller
from gigawatt.model.volume import Volume, VolumeKind, VolumeVersion
from gigawatt.reconcile.volumes import check_managed, check_project_quota, check_quota
from gigawatt.service.artifacts import TREE_KINDS, checked_tree, lacking
from gigawatt.service.lookup import Filters
from gigawatt.service.permissions import verb
from gigawatt.service.receipts import once
from gigawatt.service.services import Services, Terms
from gigawatt.service.submissions import artifact_key
from gigawatt.service.views.text import PageView
from gigawatt.service.views.volumes import (
    PushCheckView,
    VolumeDiffView,
    VolumeFileView,
    VolumeVersionView,
    diff_view,
    file_view,
    volume_version_view,
)
from gigawatt.service.volume_lookup import PHASES, find_dataset, find_volume
from gigawatt.spec.faults import nearest
from gigawatt.spec.requests import PushCheckRequest, PushRequest
from gigawatt.store.base import Query

CHANGES_MAX = 10_000  # of each kind, in one comparison
NAMED_MAX = 500  # files that a misspelt one is compared with
TRIES_MAX = 8  # pushes to one volume at the same time: each but one of them is worked out again


@dataclass(frozen=True, slots=True, kw_only=True)
class FileContent:
    """A file of a version and where its bytes are: at `path`, or in a bucket, of which `read` gives ranges."""

    file: VolumeFileView
    path: Path | None = None
    read: Callable[[int, int], Awaitable[bytes]] | None = None


@verb
async def check(
    caller: Caller, services: Services, name: str, request: PushCheckRequest, *, project: str
) -> PushCheckView:
    """What a push of this manifest would have to send, before it is sent. Raises RefusalError (limit) over a quota."""
    volume = await find_volume(caller, services, name, project)
    check_managed(volume)
    held = await services.read(
        lambda: services.store.read(Artifact, artifact_key(volume.tenant, request.digest))
    )
    if held is None:
        raise _not_stored(request.digest)
    manifest = await asyncio.to_thread(services.artifacts.tree, request.digest)
    known = await _contents(services, await _versions(services, volume))
    held_bytes = _with(known, manifest)
    await _check_quotas(services, volume, held_bytes)
    missing = await lacking(services, volume.tenant, manifest, known=known)
    return PushCheckView(
        files=len(manifest.files),
        size_bytes=manifest.size_bytes,
        missing=missing,
        missing_bytes=_bytes_of(manifest, frozenset(missing)),
        stored_bytes=held_bytes,
        quota_bytes=volume.quota_bytes,
    )


@verb
async def register(
    caller: Caller,
    services: Services,
    name: str,
    request: PushRequest,
    *,
    project: str,
    terms: Terms,
) -> tuple[VolumeVersionView, bool]:
    """The next version, and whether it is new: what the newest version is already makes none. Raises RefusalError."""
    volume = await find_volume(caller, services, name, project)
    check_managed(volume)
    known = await _contents(services, await _versions(services, volume))
    tree = await _tree(services, volume, request.digest, known)
    manifest = await asyncio.to_thread(services.artifacts.tree, request.digest)
    newest = await _newest(services, volume)
    if newest is not None and newest.digest == request.digest:
        return volume_version_view(newest), False
    job = await services.read(lambda: services.store.read(Job, caller.job)) if caller.job else None
    for tries in range(TRIES_MAX):
        command = AddVolumeVersion(
            tenant=volume.tenant,
            project=volume.project,
            by=caller.name,
            name=volume.name,
            digest=request.digest,
            size_bytes=tree.size_bytes,
            files=tree.files,
            stored_bytes=_with(known, manifest),
            volume_version=volume.version,
            project_bytes_max=services.project_bytes_max,
            message=request.message,
            job=caller.job,
            attempt=len(job.attempts) if job else 0,
        )
        try:
            version = await services.leader.submit(command, receipt=terms.receipt(volume.tenant))
        except RefusalError as error:
            if error.code is not RefusalCode.STALE_VERSION or tries == TRIES_MAX - 1:
                raise
            volume = await find_volume(caller, services, volume.name, volume.project)
            known = await _contents(services, await _versions(services, volume))
        else:
            assert isinstance(version, VolumeVersion)
            return volume_version_view(version), True
    raise AssertionError("the last try returns or raises")


@verb
async def page(
    caller: Caller, services: Services, name: str, filters: Filters, *, project: str = ""
) -> PageView[VolumeVersionView]:
    """Versions of a volume that are not deleted, newest first; a page may hold fewer than the limit."""
    volume = await find_volume(caller, services, name, project)
    query = Query(
        tenant=volume.tenant,
        project=volume.project,
        parent=volume.name,
        cursor=filters.cursor,
        limit=filters.limit,
    )
    found = await services.read(lambda: services.store.page(VolumeVersion, query))
    there = [each for each in found.items if each.number not in volume.gone]
    return PageView(items=[volume_version_view(each) for each in there], next=found.next)


@verb
async def show(
    caller: Caller, services: Services, name: str, selector: str, *, project: str = ""
) -> VolumeVersionView:
    """The version that a number or `latest` means. Raises RefusalError (not-found)."""
    _, version = await find_dataset(caller, services, name, selector, project=project)
    return volume_version_view(version)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRange:
    """Files whose path begins with `prefix`, from the `start`th on."""

    prefix: str = ""
    start: int = 0
    limit: int = 1_000


@verb
async def files(
    caller: Caller,
    services: Services,
    name: str,
    selector: str,
    wanted: FileRange,
    *,
    project: str = "",
) -> PageView[VolumeFileView]:
    """Files of a version by path."""
    _, version = await find_dataset(caller, services, name, selector, project=project)
    index = await asyncio.to_thread(entries_of, services.artifacts, version.digest)
    matching = [file for path, file in index.items() if path.startswith(wanted.prefix)]
    end = wanted.start + wanted.limit
    following = str(end) if end < len(matching) else ""
    return PageView(
        items=[file_view(file) for file in matching[wanted.start : end]], next=following
    )


@verb
async def file_content(
    caller: Caller, services: Services, name: str, selector: str, path: str, *, project: str = ""
) -> FileContent:
    """One file of a version, and where its bytes are. Raises RefusalError (not-found)."""
    _, version = await find_dataset(caller, services, name, selector, project=project)
    index = await asyncio.to_thread(entries_of, services.artifacts, version.digest)
    file = index.get(path)
    if file is None:
        raise _no_file(version.ref, path, index)
    if isinstance(file, Listed):
        return FileContent(file=file_view(file), read=_from_bucket(services, version, file))
    blob = await asyncio.to_thread(services.artifacts.ready, PREFIX + file.sha256)
    return FileContent(file=file_view(file), path=blob)


@verb
async def diff(
    caller: Caller, services: Services, name: str, before: str, after: str, *, project: str = ""
) -> VolumeDiffView:
    """In what the version `after` differs from `before`."""
    _, old = await find_dataset(caller, services, name, before, project=project)
    _, new = await find_dataset(caller, services, name, after, project=project)

    def compared() -> VolumeDiffView:
        store = services.artifacts
        found = difference(entries_of(store, old.digest), entries_of(store, new.digest))
        return diff_view(old.ref, new.ref, found, limit=CHANGES_MAX)

    return await asyncio.to_thread(compared)


@verb
async def remove(
    caller: Caller, services: Services, name: str, selector: str, *, project: str, terms: Terms
) -> VolumeVersionView:
    """Delete one version; its number is not given again. Refused while a job mounts it."""
    volume, version = await find_dataset(caller, services, name, selector, project=project)
    left = [each for each in await _versions(services, volume) if each.number != version.number]
    kept = left if volume.kind is VolumeKind.MANAGED else []
    held = sum((await _contents(services, kept)).values())

    async def write() -> Entity:
        command = DeleteVolume(
            tenant=volume.tenant,
            project=volume.project,
            by=caller.name,
            name=volume.name,
            number=version.number,
            stored_bytes=held,
            volume_version=volume.version,
        )
        return await services.leader.submit(command, receipt=terms.receipt(volume.tenant))

    await once(Volume, services, terms, volume.tenant, write)
    return volume_version_view(version)


def _from_bucket(
    services: Services, version: VolumeVersion, file: Listed
) -> Callable[[int, int], Awaitable[bytes]]:
    async def read(start: int, end: int) -> bytes:
        loop = asyncio.get_running_loop()
        wanted = partial(services.buckets.read, version.digest, file, start, end)
        return await loop.run_in_executor(services.bucket_readers, wanted)

    return read


async def _tree(
    services: Services, volume: Volume, digest: str, known: Collection[str]
) -> Artifact:
    """The tenant's tree of that digest; a manifest that was stored as a file becomes one. Raises RefusalError."""
    held = await services.read(
        lambda: services.store.read(Artifact, artifact_key(volume.tenant, digest))
    )
    if held is None:
        raise _not_stored(digest)
    if held.kind in TREE_KINDS:
        return held
    files, size_bytes = await checked_tree(services, volume.tenant, digest, known=known)
    tree = replace(held, kind="tree", files=files, size_bytes=size_bytes)
    after = await services.leader.submit(AddArtifact(artifact=tree), receipt=None)
    assert isinstance(after, Artifact)
    return after


async def _newest(services: Services, volume: Volume) -> VolumeVersion | None:
    if not volume.latest:
        return None
    key = volume.version_id(volume.latest)
    return await services.read(lambda: services.store.read(VolumeVersion, key))


async def _versions(services: Services, volume: Volume) -> list[VolumeVersion]:
    """Those that are not deleted."""
    numbers = [n for n in range(1, volume.newest + 1) if n not in volume.gone]

    def read() -> list[VolumeVersion]:
        found = (services.store.read(VolumeVersion, volume.version_id(n)) for n in numbers)
        return [each for each in found if each is not None]

    return await services.read(read)


async def _contents(services: Services, versions: list[VolumeVersion]) -> dict[str, int]:
    """What these versions hold together: bytes by digest."""
    digests = [each.digest for each in versions]
    return await asyncio.to_thread(contents_of, services.artifacts, digests)


def _with(known: Mapping[str, int], manifest: TreeManifest) -> int:
    """Bytes that are held once this tree is held too."""
    return sum({**known, **{PREFIX + file.sha256: file.size for file in manifest.files}}.values())


async def _check_quotas(services: Services, volume: Volume, held_bytes: int) -> None:
    check_quota(volume, held_bytes)
    if not services.project_bytes_max:
        return

    def others() -> int:
        total, cursor = 0, ""
        while True:
            query = Query(
                tenant=volume.tenant,
                project=volume.project,
                phases=PHASES,
                cursor=cursor,
                limit=500,
            )
            found = services.store.page(Volume, query)
            total += sum(each.stored_bytes for each in found.items if each.id != volume.id)
            if not found.next:
                return total
            cursor = found.next

    limit = services.project_bytes_max
    check_project_quota(volume, await services.read(others), held_bytes, limit)


def _bytes_of(manifest: TreeManifest, digests: frozenset[str]) -> int:
    sizes = {PREFIX + file.sha256: file.size for file in manifest.files}
    return sum(sizes[digest] for digest in digests)


def _no_file(ref: str, path: str, index: Mapping[str, File]) -> RefusalError:
    shown = path[:PATH_BYTES_MAX]
    hint = nearest(shown, list(index)[:NAMED_MAX]) if len(index) <= NAMED_MAX else ""
    hint = hint if hint.startswith("did you mean") else f"gw data ls {ref}"
    return RefusalError(
        RefusalCode.NOT_FOUND, f"there is no file {shown} in {ref}", field="path", hint=hint
    )


def _not_stored(digest: str) -> RefusalError:
    parse_digest(digest)
    return RefusalError(
        RefusalCode.NOT_FOUND,
        f"there is no artifact {digest}",
        field="digest",
        hint="store the files and the manifest first; gw data push does all of it",
    )
