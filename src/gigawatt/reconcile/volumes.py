"""Volumes: created, given versions within their quotas, deleted when nothing that lives mounts them."""

from collections.abc import Iterator
from dataclasses import dataclass

from gigawatt.model.array import JobArray
from gigawatt.model.command import AddVolumeVersion, CreateVolume, DeleteVolume, SetVolumeQuota
from gigawatt.model.endpoint import Endpoint, Replica
from gigawatt.model.job import Job
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.values import replace
from gigawatt.model.volume import VERSIONS_MAX, Mount, Volume, VolumeKind, VolumeVersion
from gigawatt.model.workspace import Workspace
from gigawatt.reconcile import storage
from gigawatt.reconcile.models import use_artifact
from gigawatt.reconcile.projects import check_project
from gigawatt.reconcile.storage import shown
from gigawatt.reconcile.turn import Turn


def command(
    turn: Turn, asked: CreateVolume | AddVolumeVersion | SetVolumeQuota | DeleteVolume
) -> Volume | VolumeVersion:
    """Do what a caller asked of volumes. Raises RefusalError, having changed nothing."""
    match asked:
        case CreateVolume():
            return create(turn, asked)
        case AddVolumeVersion():
            return add_version(turn, asked)
        case SetVolumeQuota():
            return set_quota(turn, asked)
        case DeleteVolume():
            return delete(turn, asked)


def create(turn: Turn, command: CreateVolume) -> Volume:
    """A new volume. One that had the name and was deleted leaves its numbers behind: they are not given again."""
    check_project(turn, command.tenant, command.project)
    key = volume_id(command.tenant, command.project, command.name)
    before = turn.world.volumes.get(key)
    if before is not None and before.deleted_ms is None:
        detail = f"there is a volume {command.name} already"
        raise RefusalError(RefusalCode.CONFLICT, detail, field="name")
    volume = turn.put(
        Volume(
            id=key,
            tenant=command.tenant,
            project=command.project,
            name=command.name,
            kind=command.kind,
            path=command.path,
            url=command.url,
            secret=command.secret,
            quota_bytes=command.quota_bytes,
            newest=before.newest if before else 0,
            gone=tuple(range(1, before.newest + 1)) if before else (),
            created_ms=turn.now_ms,
            created_by=command.by,
            changed_ms=turn.now_ms,
            version=before.version if before else 1,
        )
    )
    turn.emit("volume.created", volume, f"{command.kind.value} by {command.by}")
    if not command.digest:
        return volume
    first = AddVolumeVersion(
        tenant=volume.tenant,
        project=volume.project,
        by=command.by,
        name=volume.name,
        digest=command.digest,
        size_bytes=command.size_bytes,
        files=command.files,
        stored_bytes=0,
        volume_version=volume.version,
    )
    add_version(turn, first)
    return turn.world.volumes[volume.id]


def add_version(turn: Turn, command: AddVolumeVersion) -> VolumeVersion:
    """The next version, unless a quota is in its way or the volume has changed meanwhile."""
    volume = _known(turn, command.tenant, command.project, command.name)
    check_versioned(volume)
    use_artifact(turn, command.tenant, command.digest)
    _check_current(volume, command.volume_version)
    check_quota(volume, command.stored_bytes)
    _check_project_quota(turn, volume, command)
    if volume.newest >= VERSIONS_MAX:
        detail = f"{volume.name} has had {VERSIONS_MAX} versions, which is the limit"
        raise RefusalError(RefusalCode.LIMIT, detail, hint="go on with another volume")
    number = volume.newest + 1
    version = turn.put(
        VolumeVersion(
            id=volume.version_id(number),
            tenant=volume.tenant,
            project=volume.project,
            name=volume.name,
            number=number,
            digest=command.digest,
            size_bytes=command.size_bytes,
            files=command.files,
            created_ms=turn.now_ms,
            created_by=command.by,
            message=command.message,
            job=command.job,
            attempt=command.attempt,
        )
    )
    after = turn.put(
        replace(volume, newest=number, stored_bytes=command.stored_bytes, changed_ms=turn.now_ms)
    )
    storage.measured(turn, after)
    turn.emit("volume.version", version, f"{version.ref} by {command.by}")
    return version


def set_quota(turn: Turn, command: SetVolumeQuota) -> Volume:
    """What is there already stays, also where it is more."""
    volume = _known(turn, command.tenant, command.project, command.name)
    check_managed(volume)
    after = turn.put(replace(volume, quota_bytes=command.quota_bytes, changed_ms=turn.now_ms))
    turn.emit(
        "volume.quota",
        after,
        f"{shown(command.quota_bytes) if command.quota_bytes else 'none'} by {command.by}",
    )
    return after


def delete(turn: Turn, command: DeleteVolume) -> Volume:
    """A version, or all of a volume, is not there any more. What no other name holds can be pruned then."""
    volume = _known(turn, command.tenant, command.project, command.name)
    _check_unused(turn, volume, command.number)
    if not command.number:
        after = turn.put(
            replace(volume, deleted_ms=turn.now_ms, changed_ms=turn.now_ms, stored_bytes=0)
        )
        storage.measured(turn, after)
        turn.emit("volume.deleted", after, f"by {command.by}")
        return after
    _check_current(volume, command.volume_version)
    if volume.number_of(str(command.number)) is None:
        raise _no_version(volume, command.number)
    after = turn.put(
        replace(
            volume,
            gone=tuple(sorted({*volume.gone, command.number})),
            stored_bytes=command.stored_bytes,
            changed_ms=turn.now_ms,
        )
    )
    storage.measured(turn, after)
    turn.emit("volume.version_deleted", after, f"{volume.name}:{command.number} by {command.by}")
    return after


def check_mounts(turn: Turn, tenant: str, project: str, mounts: tuple[Mount, ...]) -> None:
    """Refuse work whose data has been deleted since it was looked up."""
    for mount in mounts:
        volume = _known(turn, tenant, project, mount.volume)
        if mount.number and volume.number_of(str(mount.number)) is None:
            raise _no_version(volume, mount.number)


def check_versioned(volume: Volume) -> None:
    """Refuse what only volumes with versions have."""
    if volume.kind is VolumeKind.PATH:
        detail = (
            f"{volume.name} is a {volume.kind.value} volume, and only managed ones have versions"
        )
        hint = f"write to {volume.path} itself, or push to a managed volume"
        raise RefusalError(RefusalCode.UNSUPPORTED, detail, field="name", hint=hint)


def check_managed(volume: Volume) -> None:
    """Refuse what only volumes have whose bytes are in the store."""
    check_versioned(volume)
    if volume.kind is VolumeKind.S3:
        detail = f"{volume.name} is an S3 volume: its bytes are in the bucket, not in the store"
        hint = (
            f"gw data refresh {volume.name} makes a version of what is there now; "
            "push to a managed volume"
        )
        raise RefusalError(RefusalCode.UNSUPPORTED, detail, field="name", hint=hint)


def check_quota(volume: Volume, stored_bytes: int) -> None:
    """Refuse what would take a volume over its own quota."""
    if volume.quota_bytes and stored_bytes > volume.quota_bytes:
        more = stored_bytes - volume.stored_bytes
        raise RefusalError(
            RefusalCode.LIMIT,
            f"{volume.name} holds {shown(volume.stored_bytes)}, this adds {shown(more)}, and its quota "
            f"is {shown(volume.quota_bytes)}",
            field="quota",
            hint=f"gw data delete {volume.name}:N frees what only that version has; "
            f"an administrator raises it: gw data quota {volume.name} SIZE",
        )


def check_project_quota(volume: Volume, others_bytes: int, stored_bytes: int, limit: int) -> None:
    """Refuse what would take all volumes of a project over what the operator allows; `limit` 0 is none."""
    if limit and others_bytes + stored_bytes > limit:
        held = others_bytes + volume.stored_bytes
        more = stored_bytes - volume.stored_bytes
        raise RefusalError(
            RefusalCode.LIMIT,
            f"the volumes of project {volume.project} hold {shown(held)}, this adds {shown(more)}, and "
            f"a project may hold {shown(limit)}",
            field="quota",
            hint="delete versions or volumes that nobody needs: gw data list",
        )


def volume_id(tenant: str, project: str, name: str) -> str:
    return f"{tenant}/{project}/{name}"


def _known(turn: Turn, tenant: str, project: str, name: str) -> Volume:
    volume = turn.world.volumes.get(volume_id(tenant, project, name))
    if volume is None or volume.deleted_ms is not None:
        raise RefusalError(RefusalCode.NOT_FOUND, f"there is no volume {name}", hint="gw data list")
    return volume


def _check_current(volume: Volume, seen: int) -> None:
    if volume.version != seen:
        detail = f"{volume.name} was changed meanwhile: it has version {volume.version}, not {seen}"
        raise RefusalError(RefusalCode.STALE_VERSION, detail, hint="ask again")


def _check_project_quota(turn: Turn, volume: Volume, command: AddVolumeVersion) -> None:
    others = sum(
        each.stored_bytes
        for each in turn.world.volumes.values()
        if (each.tenant, each.project) == (volume.tenant, volume.project)
        and each.id != volume.id
        and each.deleted_ms is None
    )
    check_project_quota(volume, others, command.stored_bytes, command.project_bytes_max)


def _check_unused(turn: Turn, volume: Volume, number: int) -> None:
    for user in _users(turn):
        if (user.tenant, user.project) != (volume.tenant, volume.project):
            continue
        for mount in user.volumes:
            if mount.volume == volume.name and number in {0, mount.number}:
                detail = f"{mount.ref} is mounted by {user.words}"
                raise RefusalError(RefusalCode.CONFLICT, detail, hint=user.hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class _User:
    tenant: str
    project: str
    volumes: tuple[Mount, ...]
    words: str
    hint: str


def _users(turn: Turn) -> Iterator[_User]:
    """Whatever mounts volumes or will again: a suspended workspace does, and replicas of an older spec until they end."""
    world = turn.world
    arrays = (each for each in world.arrays.values() if not each.ended)
    for work in (*world.jobs.values(), *arrays):
        words = f"{work.id} ({work.spec.name}), {work.phase.value}"
        yield _user(work, work.spec.volumes, words, f"wait for its end, or gw cancel {work.id}")
    for workspace in world.workspaces.values():
        name = workspace.spec.name
        words, hint = f"workspace {name}, {workspace.phase.value}", f"gw dev delete {name}"
        yield _user(workspace, workspace.spec.volumes, words, hint)
    for endpoint in world.endpoints.values():
        name = endpoint.spec.name
        words = f"endpoint {name}, {endpoint.phase.value}"
        hint = f"serve {name} without it, or gw endpoints stop {name}"
        for generation in endpoint.generations:
            yield _user(endpoint, endpoint.spec_of(generation).volumes, words, hint)
    for replica in world.replicas.values():
        hint = "it is being replaced: try again when it has ended"
        yield _user(replica, replica.volumes, f"replica {replica.id}", hint)


def _user(
    work: Job | JobArray | Workspace | Endpoint | Replica,
    volumes: tuple[Mount, ...],
    words: str,
    hint: str,
) -> _User:
    return _User(tenant=work.tenant, project=work.project, volumes=volumes, words=words, hint=hint)


def _no_version(volume: Volume, number: int) -> RefusalError:
    why = "was deleted" if 1 <= number <= volume.newest else "was never pushed"
    latest = f"the newest is {volume.name}:{volume.latest}" if volume.latest else "it has none"
    return RefusalError(
        RefusalCode.NOT_FOUND, f"{volume.name}:{number} {why}; {latest}", field="number"
    )
