"""Volumes: created, listed, shown, given a quota, deleted."""

import asyncio
from dataclasses import replace

from gigawatt.build.volume_roots import allowed_directory
from gigawatt.model.change import Entity
from gigawatt.model.command import CreateVolume, DeleteVolume, SetVolumeQuota
from gigawatt.model.tenant import Caller
from gigawatt.model.volume import Volume, VolumeKind
from gigawatt.service.lookup import Filters
from gigawatt.service.permissions import home, verb
from gigawatt.service.receipts import once
from gigawatt.service.services import Services, Terms
from gigawatt.service.views.text import PageView
from gigawatt.service.views.volumes import VolumeView, volume_view
from gigawatt.service.volume_lookup import PHASES, find_volume
from gigawatt.spec.requests import VolumeRequest


@verb
async def create(
    caller: Caller, services: Services, request: VolumeRequest, *, project: str, terms: Terms
) -> VolumeView:
    """A new managed volume, without versions. Raises RefusalError (conflict) where the name is taken."""
    tenant, project = home(caller, project)
    command = CreateVolume(
        tenant=tenant,
        project=project,
        by=caller.name,
        name=request.name,
        kind=VolumeKind.MANAGED,
        quota_bytes=request.quota,
    )
    volume = await services.leader.submit(command, receipt=terms.receipt(tenant))
    assert isinstance(volume, Volume)
    return volume_view(volume)


@verb
async def create_path(
    caller: Caller, services: Services, name: str, path: str, *, project: str, terms: Terms
) -> VolumeView:
    """A new volume that is a directory below an allowed root. Raises RefusalError for any other."""
    tenant, project = home(caller, project)
    real = await asyncio.to_thread(
        allowed_directory, path, services.volume_roots, tenant=tenant, project=project
    )
    command = CreateVolume(
        tenant=tenant,
        project=project,
        by=caller.name,
        name=name,
        kind=VolumeKind.PATH,
        path=real,
    )
    volume = await services.leader.submit(command, receipt=terms.receipt(tenant))
    assert isinstance(volume, Volume)
    return volume_view(volume)


@verb
async def page(caller: Caller, services: Services, filters: Filters) -> PageView[VolumeView]:
    """Volumes, the newest first."""
    query = filters.query(caller, phases=PHASES)
    query = replace(query, phases=query.phases or PHASES)
    found = await services.read(lambda: services.store.page(Volume, query))
    return PageView(items=[volume_view(each) for each in found.items], next=found.next)


@verb
async def show(caller: Caller, services: Services, name: str, *, project: str = "") -> VolumeView:
    """One volume."""
    return volume_view(await find_volume(caller, services, name, project))


@verb
async def set_quota(
    caller: Caller,
    services: Services,
    name: str,
    quota_bytes: int,
    *,
    project: str,
    terms: Terms,
) -> VolumeView:
    """What its versions may hold together; 0 is without limit. What is there already stays."""
    volume = await find_volume(caller, services, name, project)

    async def write() -> Entity:
        command = SetVolumeQuota(
            tenant=volume.tenant,
            project=volume.project,
            by=caller.name,
            name=volume.name,
            quota_bytes=quota_bytes,
            if_version=terms.check(volume.version),
        )
        return await services.leader.submit(command, receipt=terms.receipt(volume.tenant))

    return volume_view(await once(Volume, services, terms, volume.tenant, write))


@verb
async def remove(
    caller: Caller, services: Services, name: str, *, project: str, terms: Terms
) -> VolumeView:
    """A volume with all its versions, or the name of a directory: the directory stays. Refused while jobs mount it."""
    volume = await find_volume(caller, services, name, project)

    async def write() -> Entity:
        command = DeleteVolume(
            tenant=volume.tenant,
            project=volume.project,
            by=caller.name,
            name=volume.name,
            if_version=terms.check(volume.version),
        )
        return await services.leader.submit(command, receipt=terms.receipt(volume.tenant))

    return volume_view(await once(Volume, services, terms, volume.tenant, write))
