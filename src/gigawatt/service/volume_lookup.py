"""Finding the volume and the version that a caller names, and what a job's mounts mean; what is not there is not told."""

import asyncio
from dataclasses import replace

from gigawatt.build.volume_roots import allowed_directory
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller
from gigawatt.model.volume import LATEST, Mount, Volume, VolumeKind, VolumeVersion
from gigawatt.reconcile.volumes import volume_id
from gigawatt.service.lookup import REFERENCE_CHARS_MAX
from gigawatt.service.permissions import home, sees, within
from gigawatt.service.services import Services
from gigawatt.service.submissions import Place
from gigawatt.spec.faults import nearest
from gigawatt.store.base import Query

PHASES = tuple(kind.value for kind in VolumeKind)  # those that are not deleted
NAMES_COMPARED_MAX = 500


async def find_volume(
    caller: Caller, services: Services, name: str, project: str = "", *, field: str = ""
) -> Volume:
    """The volume of that name: in the project, else where a caller without one has it. Raises RefusalError (not-found)."""
    within_tenant, _ = within(caller, "", project)

    def find() -> Volume | None:
        tenant, own = home(caller, project)
        found = services.store.read(Volume, volume_id(tenant, own, name))
        if found is not None and found.deleted_ms is None and sees(caller, tenant, found.project):
            return found
        if project or caller.project:
            return None
        query = Query(tenant=within_tenant, name=name, phases=PHASES, limit=1)
        items = services.store.page(Volume, query).items
        return items[0] if items else None

    known = bool(name) and len(name) <= REFERENCE_CHARS_MAX
    found = await services.read(find) if known else None
    if found is None:
        raise await _unknown(caller, services, name, project, field)
    return found


async def find_dataset(
    caller: Caller, services: Services, name: str, selector: str, *, project: str = ""
) -> tuple[Volume, VolumeVersion]:
    """The volume and the version of it that "3", or "" or "latest" means. Raises RefusalError (not-found)."""
    volume = await find_volume(caller, services, name, project)
    return volume, await version_of(services, volume, selector)


async def version_of(
    services: Services, volume: Volume, selector: str, *, field: str = ""
) -> VolumeVersion:
    """The version that a selector means. Raises RefusalError (not-found)."""
    number = volume.number_of(selector)
    if number is None:
        raise no_version(volume, selector, field=field)
    version = await services.read(
        lambda: services.store.read(VolumeVersion, volume.version_id(number))
    )
    assert version is not None, f"{volume.id} counts {number}, which is not there"
    return version


async def resolved_mounts(
    caller: Caller, services: Services, mounts: tuple[Mount, ...], place: Place
) -> tuple[Mount, ...]:
    """Mounts as a job has them: which version, with which digest; which directory. Raises RefusalError.

    Names mean volumes of the job's own project alone.
    """
    found: list[Mount] = []
    for index, mount in enumerate(mounts):
        name, _, selector = mount.volume.partition(":")
        field = f"volumes.{index}.volume"
        volume = await find_volume(caller, services, name, place.project, field=field)
        if volume.kind is VolumeKind.PATH:
            found.append(await _directory(services, volume, selector, mount, field))
            continue
        if mount.writable and volume.kind is VolumeKind.S3:
            raise _bucket(volume, index)
        if mount.writable:
            raise _immutable(volume, index)
        version = await version_of(services, volume, selector, field=field)
        found.append(
            replace(
                mount,
                volume=name,
                number=version.number,
                digest=version.digest,
                size_bytes=version.size_bytes,
            )
        )
    return tuple(found)


def no_version(volume: Volume, selector: str, *, field: str = "") -> RefusalError:
    """What is answered for a version that is not there."""
    if volume.kind is VolumeKind.PATH:
        detail = f"{volume.name} is a path volume, which has no versions"
        return RefusalError(RefusalCode.NOT_FOUND, detail, field=field, hint=f"name {volume.name}")
    shown = selector[:REFERENCE_CHARS_MAX] or LATEST
    if volume.latest:
        hint = f"the newest is {volume.name}:{volume.latest}; gw data show {volume.name}"
    else:
        verb = f"refresh {volume.name}"
        if volume.kind is VolumeKind.MANAGED:
            verb = f"push {volume.name} DIRECTORY"
        hint = f"make one: gw data {verb}"
    detail = f"volume {volume.name} has no version {shown}"
    return RefusalError(RefusalCode.NOT_FOUND, detail, field=field, hint=hint)


async def _directory(
    services: Services, volume: Volume, selector: str, mount: Mount, field: str
) -> Mount:
    """Allowed when the volume was made; it must still be, and still be where it was."""
    if selector:
        raise no_version(volume, selector, field=field)
    if not services.engine.capabilities().shared_filesystem:
        raise _unseen(volume, field)
    real = await asyncio.to_thread(
        allowed_directory,
        volume.path,
        services.volume_roots,
        tenant=volume.tenant,
        project=volume.project,
    )
    if real != volume.path:
        detail = f"{volume.path} is a link by now, and is not followed"
        raise RefusalError(RefusalCode.CONFLICT, detail, field=field)
    return replace(mount, volume=volume.name, source=volume.path)


def _unseen(volume: Volume, field: str) -> RefusalError:
    """What a node has at that path, if anything, would be another directory on each."""
    return RefusalError(
        RefusalCode.UNSUPPORTED,
        f"volume {volume.name} is the directory {volume.path}, and not every node sees this machine's files",
        field=field,
        hint=f"gw data push NAME {volume.path} makes a volume that nodes fetch and verify, read-only",
    )


def _bucket(volume: Volume, index: int) -> RefusalError:
    return RefusalError(
        RefusalCode.UNSUPPORTED,
        f"{volume.name} is an S3 volume, which is mounted read-only: nothing would say when what is written is whole",
        field=f"volumes.{index}.mode",
        hint="write elsewhere and gw.data.push(NAME, directory), or have the program write to S3 itself",
    )


def _immutable(volume: Volume, index: int) -> RefusalError:
    return RefusalError(
        RefusalCode.UNSUPPORTED,
        f"a version of {volume.name} never changes, so it cannot be mounted rw",
        field=f"volumes.{index}.mode",
        hint=f"write elsewhere and make a new version of it: gw.data.push({volume.name!r}, directory)",
    )


async def _unknown(
    caller: Caller, services: Services, name: str, project: str, field: str
) -> RefusalError:
    tenant, within_project = within(caller, "", project)
    query = Query(tenant=tenant, project=within_project, phases=PHASES, limit=NAMES_COMPARED_MAX)
    others = await services.read(lambda: services.store.page(Volume, query))
    shown = name[:REFERENCE_CHARS_MAX]
    meant = nearest(shown, {each.name for each in others.items})
    hint = meant if meant.startswith("did you mean") else "gw data list shows those there are"
    return RefusalError(
        RefusalCode.NOT_FOUND, f"there is no volume {shown}", field=field, hint=hint
    )
