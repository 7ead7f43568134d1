"""Artifacts: put bytes under their digest, see whether they are there, read them back.

The store of contents knows no tenants; the records here do. Bytes that another tenant has are not given to one that
only knows their digest: whoever puts an artifact must show all of it.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from gigawatt import clock
from gigawatt.build.artifacts import FILE_BYTES_MAX
from gigawatt.build.datasets import files_of
from gigawatt.build.digest import PREFIX, mismatch, parse_digest
from gigawatt.build.trees import MANIFEST_BYTES_MAX, PATH_BYTES_MAX, TreeManifest
from gigawatt.model.artifact import Artifact
from gigawatt.model.command import AddArtifact
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller
from gigawatt.service.lookup import not_found
from gigawatt.service.permissions import home, verb
from gigawatt.service.services import Services
from gigawatt.service.submissions import artifact_key
from gigawatt.service.views.registry import ArtifactView, artifact_view
from gigawatt.spec.faults import nearest
from gigawatt.spec.requests import PACK_BYTES_MAX, PACK_FILES_MAX

NAMED_MAX = 500  # files of a tree that a misspelt one is compared with
TREE_KINDS = frozenset({"tree", "model"})
KINDS = ("bundle", "file", "tree")
BUNDLE_BYTES_MAX = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What is sent: bytes that must have `digest`. A tree's bytes are its manifest."""

    digest: str
    kind: str
    chunks: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A file that a client has opened to be read, and handed over. `tell` is told how many bytes are through."""

    fd: int
    tell: Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """Bytes that the store has, and that a tenant has shown all of."""

    digest: str
    kind: str
    size_bytes: int
    files: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """An artifact and the file that holds its bytes."""

    view: ArtifactView
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesContent:
    """The files that hold what was asked for, in order, and their bytes together."""

    paths: tuple[Path, ...]
    size_bytes: int


@verb
async def put(
    caller: Caller, services: Services, upload: Upload, *, project: str
) -> tuple[ArtifactView, bool]:
    """The artifact, and whether it is new to the tenant. Raises RefusalError; then nothing is kept."""
    tenant, project = home(caller, project)
    parse_digest(upload.digest)
    if upload.kind not in KINDS:
        detail = f"kind must be one of {', '.join(KINDS)}, not {upload.kind}"
        raise RefusalError(RefusalCode.INVALID, detail, field="kind")
    await asyncio.to_thread(services.disk.check_room)
    size_bytes, files = await _received(services, upload), 1
    if upload.kind == "tree":
        files, size_bytes = await checked_tree(services, tenant, upload.digest)
    whole = Whole(digest=upload.digest, kind=upload.kind, size_bytes=size_bytes, files=files)
    return await record(services, caller, whole, project=project)


@verb
async def put_open(
    caller: Caller, services: Services, given: Given, *, project: str
) -> tuple[ArtifactView, bool]:
    """Store a file that is handed over open, under whatever digest it has. Raises RefusalError; then nothing is kept."""
    _, project = home(caller, project)
    await asyncio.to_thread(services.disk.check_room)
    stored = await asyncio.to_thread(
        services.artifacts.put_open, given.fd, limit_bytes=file_limit(services), tell=given.tell
    )
    whole = Whole(digest=stored.digest, kind="file", size_bytes=stored.size_bytes)
    return await record(services, caller, whole, project=project)


@verb
async def show(caller: Caller, services: Services, digest: str) -> ArtifactView:
    """What is on record of an artifact whose bytes are there. Raises RefusalError (not-found, unavailable)."""
    parse_digest(digest)
    held = await known(services, caller.tenant, digest)
    if held is None or not await asyncio.to_thread(services.artifacts.exists, digest):
        raise not_found("artifact", digest)
    return artifact_view(held)


@verb
async def content(caller: Caller, services: Services, digest: str) -> Content:
    """The artifact and where its bytes are. Raises RefusalError (not-found)."""
    parse_digest(digest)
    held = await known(services, caller.tenant, digest)
    if held is None:
        raise not_found("artifact", digest)
    path = await asyncio.to_thread(services.artifacts.ready, digest)
    return Content(view=artifact_view(held), path=path)


@verb
async def file_content(caller: Caller, services: Services, digest: str, name: str) -> Content:
    """One file of a tree, by its path in it, and where its bytes are. Raises RefusalError (not-found)."""
    tree = await content(caller, services, digest)
    if tree.view.kind not in TREE_KINDS:
        raise not_found("artifact", f"{digest}/{name}")
    files = await asyncio.to_thread(files_of, services.artifacts, digest)
    found = files.get(name)
    if found is None:
        hint = nearest(name[:PATH_BYTES_MAX], list(islice(files, NAMED_MAX)))
        detail = f"there is no file {name[:PATH_BYTES_MAX]} in {digest}"
        raise RefusalError(RefusalCode.NOT_FOUND, detail, field="path", hint=hint)
    path = await asyncio.to_thread(services.artifacts.ready, PREFIX + found.sha256)
    return Content(view=tree.view, path=path)


@verb
async def check_file(caller: Caller, services: Services, digest: str, name: str) -> None:
    """Read one file of a tree whole. A damaged copy is deleted, and fetched anew from where artifacts are kept.

    Raises RefusalError: not-found; digest-mismatch where it was the only copy, which can be sent again now.
    """
    found = await file_content(caller, services, digest, name)
    await asyncio.to_thread(services.artifacts.sound, PREFIX + found.path.name)


@verb
async def files_content(
    caller: Caller, services: Services, digest: str, numbers: range
) -> FilesContent:
    """Several small files of a tree, by their numbers in its manifest.

    Raises RefusalError: not-found; invalid for numbers that it does not have; too-large.
    """
    tree = await content(caller, services, digest)
    if tree.view.kind not in TREE_KINDS:
        raise not_found("artifact", digest)
    files = await asyncio.to_thread(files_of, services.artifacts, digest)
    if not numbers or numbers.stop > len(files):
        detail = f"files {numbers.start} to {numbers.stop} of a tree of {len(files)}"
        hint = "`start` is less than `stop`, which is at most their count"
        raise RefusalError(RefusalCode.INVALID, detail, field="stop", hint=hint)
    wanted = tuple(islice(files.values(), numbers.start, numbers.stop))
    size_bytes = sum(each.size for each in wanted)
    if len(wanted) > PACK_FILES_MAX or size_bytes > PACK_BYTES_MAX:
        detail = (
            f"{len(wanted)} files of {size_bytes} bytes at once;"
            f" {PACK_FILES_MAX} of {PACK_BYTES_MAX} are allowed"
        )
        hint = "ask for fewer at a time, and for large ones alone"
        raise RefusalError(RefusalCode.TOO_LARGE, detail, field="stop", hint=hint)

    def paths() -> tuple[Path, ...]:
        return tuple(services.artifacts.ready(PREFIX + each.sha256) for each in wanted)

    return FilesContent(paths=await asyncio.to_thread(paths), size_bytes=size_bytes)


async def lacking(
    services: Services, tenant: str, manifest: TreeManifest, *, known: Collection[str] = ()
) -> tuple[str, ...]:
    """Digests of files that a manifest names and the tenant does not have, each once, in its order.

    `known` are those that it has anyway, in what stays. Another tenant's bytes are not there for one that knows their
    digest.
    """
    wanted = dict.fromkeys(PREFIX + file.sha256 for file in manifest.files)
    return await not_held(services, tenant, [each for each in wanted if each not in known])


async def not_held(services: Services, tenant: str, digests: Sequence[str]) -> tuple[str, ...]:
    """Those that the tenant does not have, in their order. Those that it has count as used just now."""

    def look() -> tuple[str, ...]:
        held = _on_record(services, tenant, digests)
        return tuple(
            digest for digest in digests if digest not in held or not services.artifacts.use(digest)
        )

    return await services.read(look)


async def checked_tree(
    services: Services, tenant: str, digest: str, *, known: Collection[str] = ()
) -> tuple[int, int]:
    """Files and bytes of a stored manifest. Raises RefusalError for what is none, and for files not there yet."""
    manifest = await asyncio.to_thread(services.artifacts.tree, digest)
    missing = await lacking(services, tenant, manifest, known=known)
    if missing:
        detail = f"{len(missing)} files of this tree are not stored yet, first {missing[0]}"
        hint = "store every file with kind file, then the tree"
        raise RefusalError(RefusalCode.CONFLICT, detail, field="digest", hint=hint)
    return len(manifest.files), manifest.size_bytes


async def known(services: Services, tenant: str, digest: str) -> Artifact | None:
    """What is on record of a tenant's artifact."""
    return await services.read(lambda: services.store.read(Artifact, artifact_key(tenant, digest)))


async def record(
    services: Services, caller: Caller, whole: Whole, *, project: str
) -> tuple[ArtifactView, bool]:
    """The artifact on record for the caller's tenant, and whether it was not before. The store has its bytes."""
    held = await known(services, caller.tenant, whole.digest)
    if held is not None:
        return artifact_view(held), False
    return artifact_view(await _noted(services, caller, whole, project=project)), True


async def record_files(
    services: Services, caller: Caller, sizes: Mapping[str, int], *, project: str
) -> int:
    """Have files, sizes by digest, on record for the caller's tenant; how many were not before. As `record`, in one look."""
    held = await services.read(lambda: _on_record(services, caller.tenant, tuple(sizes)))
    fresh = [
        Whole(digest=digest, kind="file", size_bytes=size)
        for digest, size in sizes.items()
        if digest not in held
    ]
    await asyncio.gather(*(_noted(services, caller, each, project=project) for each in fresh))
    return len(fresh)


def file_limit(services: Services) -> int:
    """Bytes of one file at most."""
    return min(services.artifact_bytes_max, FILE_BYTES_MAX)


async def _received(services: Services, upload: Upload) -> int:
    """Store the bytes, or only hash them where they are there already; how many there were."""
    limit_bytes = _limit_bytes(services, upload.kind)
    store = services.artifacts
    if not await asyncio.to_thread(store.use, upload.digest):
        stored = await store.put_stream_async(upload.digest, upload.chunks, limit_bytes=limit_bytes)
        return stored.size_bytes
    sha256, size_bytes = hashlib.sha256(), 0
    async for chunk in upload.chunks:
        sha256.update(chunk)
        size_bytes += len(chunk)
        if size_bytes > limit_bytes:
            detail = f"this is more than the {limit_bytes} bytes allowed"
            raise RefusalError(RefusalCode.TOO_LARGE, detail)
    got = PREFIX + sha256.hexdigest()
    if got != upload.digest:
        raise mismatch(wanted=upload.digest, got=got)
    if not await asyncio.to_thread(store.use, upload.digest):
        detail = "its bytes were removed while they were sent, as nothing used them"
        raise RefusalError(RefusalCode.CONFLICT, detail, hint="send them again")
    return size_bytes


def _limit_bytes(services: Services, kind: str) -> int:
    own = {"bundle": BUNDLE_BYTES_MAX, "tree": MANIFEST_BYTES_MAX}.get(kind)
    return min(own or services.artifact_bytes_max, services.artifact_bytes_max)


def _on_record(services: Services, tenant: str, digests: Sequence[str]) -> Collection[str]:
    """Those of these that the tenant has on record. Blocks."""
    keys = {artifact_key(tenant, digest): digest for digest in digests}
    found = services.store.read_many(Artifact, tuple(keys))
    return {digest for key, digest in keys.items() if key in found}


async def _noted(services: Services, caller: Caller, whole: Whole, *, project: str) -> Artifact:
    artifact = Artifact(
        digest=whole.digest,
        tenant=caller.tenant,
        project=project,
        kind=whole.kind,
        size_bytes=whole.size_bytes,
        files=whole.files,
        created_ms=clock.now_ms(),
        created_by=caller.name,
    )
    after = await services.leader.submit(AddArtifact(artifact=artifact), receipt=None)
    assert isinstance(after, Artifact)
    return after
