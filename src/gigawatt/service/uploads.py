"""Large files, sent part by part, and small ones, many at a time: what is here, what is more, and what comes of it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial

from gigawatt.build.digest import parse_digest
from gigawatt.build.packs import store_pack
from gigawatt.build.uploads import PART_BYTES, Part
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller
from gigawatt.service.artifacts import Whole, file_limit, known, not_held, record, record_files
from gigawatt.service.permissions import home, verb
from gigawatt.service.services import Services
from gigawatt.service.views.registry import (
    ArtifactView,
    MissingView,
    PackView,
    PartView,
    UploadView,
)
from gigawatt.spec.requests import PACK_BYTES_MAX, MissingRequest, PackRequest, parse_request

LINE_BYTES_MAX = 256 * 1024  # of what a pack begins with
FINISH_WAIT_S = 15.0  # for a file to be proven and stored, before the caller is told to ask again


@dataclass(frozen=True, slots=True, kw_only=True)
class PartUpload:
    """A part that is sent: bytes that must have `sha256`."""

    digest: str
    number: int
    sha256: str
    chunks: AsyncIterator[bytes]


@verb
async def show(caller: Caller, services: Services, digest: str) -> UploadView:
    """What is here of a file that the tenant sends; nothing, where it sends none of that digest."""
    parse_digest(digest)
    parts = await asyncio.to_thread(services.artifacts.uploads.parts, caller.tenant, digest)
    return UploadView(
        digest=digest,
        part_bytes=PART_BYTES,
        parts=tuple(PartView(number=part.number, sha256=part.sha256) for part in parts),
        finishing=_key(caller, digest) in services.finishing,
    )


@verb
async def put(caller: Caller, services: Services, upload: PartUpload) -> PartView:
    """Keep a part. Raises RefusalError; then it is not here."""
    parse_digest(upload.digest)
    if (upload.number + 1) * PART_BYTES > file_limit(services) + PART_BYTES:
        detail = f"part {upload.number} lies beyond the {file_limit(services)} bytes allowed"
        raise RefusalError(RefusalCode.TOO_LARGE, detail, field="number")
    await asyncio.to_thread(services.disk.check_room)
    data = bytearray()
    async for chunk in upload.chunks:
        data += chunk
        if len(data) > PART_BYTES:
            detail = f"a part has at most {PART_BYTES} bytes"
            raise RefusalError(RefusalCode.TOO_LARGE, detail)
    part = Part(number=upload.number, sha256=upload.sha256)
    await asyncio.to_thread(
        services.artifacts.uploads.put, caller.tenant, upload.digest, part, bytes(data)
    )
    return PartView(number=part.number, sha256=part.sha256)


@verb
async def finish(
    caller: Caller, services: Services, digest: str, size_bytes: int, *, project: str
) -> tuple[ArtifactView, bool] | UploadView:
    """The artifact made of the parts, and whether it is new to the tenant; the upload, where it takes longer.

    Asking again waits on. Raises RefusalError; then the parts that are right stay.
    """
    tenant, project = home(caller, project)
    parse_digest(digest)
    if size_bytes > file_limit(services):
        detail = f"this is more than the {file_limit(services)} bytes allowed"
        raise RefusalError(RefusalCode.TOO_LARGE, detail, field="size")
    key = _key(caller, digest)
    task = services.finishing.get(key)
    if task is None:
        call = asyncio.to_thread(services.artifacts.uploads.finish, tenant, digest, size_bytes)
        task = services.finishing[key] = asyncio.create_task(call)
        task.add_done_callback(partial(_ended, services, key))
    done, _ = await asyncio.wait({task}, timeout=FINISH_WAIT_S)
    if not done:
        return await show(caller, services, digest)
    whole = Whole(digest=digest, kind="file", size_bytes=size_bytes)
    try:
        task.result()
    except RefusalError as refusal:
        # It may have been finished by a call whose answer was lost.
        held = await known(services, tenant, digest)
        if refusal.code is not RefusalCode.CONFLICT or held is None:
            raise
    return await record(services, caller, whole, project=project)


@verb
async def missing(caller: Caller, services: Services, request: MissingRequest) -> MissingView:
    """Which files the tenant is to send. Those that it has stay for now."""
    wanted = tuple(dict.fromkeys(request.digests))
    return MissingView(missing=await not_held(services, caller.tenant, wanted))


@verb
async def put_pack(
    caller: Caller, services: Services, chunks: AsyncIterator[bytes], *, project: str
) -> PackView:
    """Keep small files that come in one body: a line that says what they are, and their bytes one after the other.

    Raises RefusalError: invalid, too-large; digest-mismatch: those before it may be kept then.
    """
    _, project = home(caller, project)
    await asyncio.to_thread(services.disk.check_room)
    pack = await _unpacked(chunks)
    await asyncio.to_thread(store_pack, services.artifacts, pack)
    sizes = {digest: len(data) for digest, data in pack.items()}
    new = await record_files(services, caller, sizes, project=project)
    return PackView(files=len(pack), new=new)


async def _unpacked(chunks: AsyncIterator[bytes]) -> dict[str, memoryview]:
    """Bytes by digest, not proven yet. Raises RefusalError."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > LINE_BYTES_MAX + PACK_BYTES_MAX:
            detail = f"a pack has at most {PACK_BYTES_MAX} bytes of files"
            raise RefusalError(RefusalCode.TOO_LARGE, detail)
    line, _, _ = body[:LINE_BYTES_MAX].partition(b"\n")
    files = parse_request(PackRequest, bytes(line)).files
    rest = memoryview(body)[len(line) + 1 :]
    if sum(each.size for each in files) != len(rest):
        detail = f"{len(rest)} bytes follow in place of {sum(each.size for each in files)}"
        raise RefusalError(RefusalCode.INVALID, detail, field="files", hint="send it again")
    found: dict[str, memoryview] = {}
    start = 0
    for each in files:
        found[each.digest] = rest[start : start + each.size]
        start += each.size
    return found


def _ended(services: Services, key: str, task: "asyncio.Task[None]") -> None:
    services.finishing.pop(key, None)
    if not task.cancelled():
        task.exception()  # looked at: who asks again meets it again


def _key(caller: Caller, digest: str) -> str:
    return f"{caller.tenant}/{digest}"
