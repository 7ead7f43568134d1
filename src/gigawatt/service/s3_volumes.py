"""Volumes that are buckets: looked at when they are made and when they are refreshed; each look is a version.

What a version pins stays in the bucket. Keys are secrets of the project; they are used here and by nobody else.
"""

import asyncio
import hashlib

from gigawatt import clock
from gigawatt.build.buckets import bucket_url, parse_bucket
from gigawatt.build.digest import PREFIX
from gigawatt.build.listings import Listing, encode_listing
from gigawatt.model.artifact import Artifact
from gigawatt.model.change import Entity
from gigawatt.model.command import AddArtifact, AddVolumeVersion, CreateVolume
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller
from gigawatt.model.volume import Volume, VolumeKind, VolumeVersion
from gigawatt.reconcile.volumes import volume_id
from gigawatt.service.permissions import home, verb
from gigawatt.service.receipts import once
from gigawatt.service.services import Services, Terms
from gigawatt.service.views.volumes import (
    VolumeVersionView,
    VolumeView,
    volume_version_view,
    volume_view,
)
from gigawatt.service.volume_lookup import find_volume
from gigawatt.spec.requests import S3VolumeRequest

LISTING = "listing"  # the kind of artifact


@verb
async def create(
    caller: Caller,
    services: Services,
    name: str,
    request: S3VolumeRequest,
    *,
    project: str,
    terms: Terms,
) -> VolumeView:
    """A new volume of a bucket's objects, with what is there now as its first version. Raises RefusalError.

    Nothing is made where the bucket cannot be read, or holds what no directory can.
    """
    tenant, project = home(caller, project)

    async def write() -> Entity:
        key = volume_id(tenant, project, name)
        before = await services.read(lambda: services.store.read(Volume, key))
        if before is not None and before.deleted_ms is None:
            detail = f"there is a volume {name} already"
            raise RefusalError(RefusalCode.CONFLICT, detail, field="name")
        url = bucket_url(parse_bucket(request.url, services.buckets.endpoints))
        listing = await _look(services, f"{tenant}/{project}", url, request.secret)
        digest = await _stored(caller, services, tenant, project, listing)
        command = CreateVolume(
            tenant=tenant,
            project=project,
            by=caller.name,
            name=name,
            kind=VolumeKind.S3,
            url=url,
            secret=request.secret,
            digest=digest,
            size_bytes=listing.size_bytes,
            files=len(listing.objects),
        )
        return await services.leader.submit(command, receipt=terms.receipt(tenant))

    return volume_view(await once(Volume, services, terms, tenant, write))


@verb
async def refresh(
    caller: Caller, services: Services, name: str, *, project: str, terms: Terms
) -> tuple[VolumeVersionView, bool]:
    """What the bucket holds now as the next version, and whether it is new: what the newest has makes none."""
    volume = await find_volume(caller, services, name, project)
    if volume.kind is not VolumeKind.S3:
        detail = f"{volume.name} is a {volume.kind.value} volume, and only S3 volumes are refreshed"
        raise RefusalError(RefusalCode.UNSUPPORTED, detail, field="name")
    owner = f"{volume.tenant}/{volume.project}"
    listing = await _look(services, owner, volume.url, volume.secret)
    digest = await _stored(caller, services, volume.tenant, volume.project, listing)
    volume = await find_volume(caller, services, volume.name, volume.project)
    number = volume.latest
    newest = number and await services.read(
        lambda: services.store.read(VolumeVersion, volume.version_id(number))
    )
    if newest and newest.digest == digest:
        return volume_version_view(newest), False
    command = AddVolumeVersion(
        tenant=volume.tenant,
        project=volume.project,
        by=caller.name,
        name=volume.name,
        digest=digest,
        size_bytes=listing.size_bytes,
        files=len(listing.objects),
        stored_bytes=0,
        volume_version=volume.version,
    )
    version = await services.leader.submit(command, receipt=terms.receipt(volume.tenant))
    assert isinstance(version, VolumeVersion)
    return volume_version_view(version), True


async def _look(services: Services, owner: str, url: str, secret: str) -> Listing:
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(
        services.bucket_readers, services.buckets.look, owner, url, secret
    )


async def _stored(
    caller: Caller, services: Services, tenant: str, project: str, listing: Listing
) -> str:
    """The digest of the listing, which the store has from now on, as the tenant's."""
    data = encode_listing(listing)
    digest = PREFIX + hashlib.sha256(data).hexdigest()
    await asyncio.to_thread(services.artifacts.put_stream, digest, [data])
    artifact = Artifact(
        digest=digest,
        tenant=tenant,
        project=project,
        kind=LISTING,
        size_bytes=len(data),
        files=1,
        created_ms=clock.now_ms(),
        created_by=caller.name,
    )
    await services.leader.submit(AddArtifact(artifact=artifact), receipt=None)
    return digest
