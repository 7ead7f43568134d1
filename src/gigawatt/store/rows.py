"""What an object is found by: its row in the table of objects."""

from dataclasses import dataclass
from typing import Any, Protocol, TypedDict, Unpack

from gigawatt.model.array import JobArray
from gigawatt.model.artifact import AliasMove, Artifact, ModelCard, ModelName, ModelVersion
from gigawatt.model.change import Entity
from gigawatt.model.endpoint import Endpoint, Replica
from gigawatt.model.environment import Environment
from gigawatt.model.job import Job
from gigawatt.model.ledger import NodeAccount
from gigawatt.model.node import Node
from gigawatt.model.notification import Delivery, Notification
from gigawatt.model.retention import RemovedJob
from gigawatt.model.schedule import Fire, Schedule
from gigawatt.model.template import Template, TemplateVersion
from gigawatt.model.tenant import ApiKey, Project, Tenant
from gigawatt.model.volume import Volume, VolumeVersion
from gigawatt.model.workspace import Workspace
from gigawatt.model.world import lives
from gigawatt.store.codec import encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The columns that differ by kind. `created_ms` orders lists: where a kind is not made once, it is its last change."""

    id: str
    created_ms: int
    tenant: str = ""
    project: str = ""
    name: str | None = None
    parent: str | None = None
    phase: str = ""
    live: bool = True
    version: int = 1


def row(entity: Entity) -> dict[str, Any]:
    """The columns of the table of objects, by name."""
    facts = facts_of(entity)
    return {
        "kind": type(entity).__name__,
        "id": facts.id,
        "tenant": facts.tenant,
        "project": facts.project,
        "name": facts.name,
        "parent": facts.parent,
        "phase": facts.phase,
        "live": facts.live,
        "created_ms": facts.created_ms,
        "version": facts.version,
        "body": encode(entity),
    }


class _Own(TypedDict, total=False):
    """The columns that not every kind has."""

    name: str
    parent: str | None
    phase: str
    live: bool
    version: int


class _Owned(Protocol):
    """What a tenant holds, in a project."""

    @property
    def id(self) -> str: ...

    @property
    def tenant(self) -> str: ...

    @property
    def project(self) -> str: ...


def facts_of(entity: Entity) -> Facts:  # noqa: PLR0911 - one flat table
    match entity:
        case Job() | JobArray() | RemovedJob():
            return _facts_of_job(entity)
        case Endpoint() | Replica() | Environment() | Workspace():
            return _facts_of_work(entity)
        case Node() | NodeAccount():
            return _facts_of_node(entity)
        case Artifact() | ModelVersion() | ModelName() | AliasMove() | ModelCard():
            return _facts_of_model(entity)
        case Volume() | VolumeVersion():
            return _facts_of_volume(entity)
        case Tenant() | Project() | ApiKey():
            return _facts_of_tenant(entity)
        case Template() | TemplateVersion():
            return _facts_of_template(entity)
        case Schedule() | Fire():
            return _facts_of_schedule(entity)
        case Notification() | Delivery():
            return _facts_of_notification(entity)


def replica_phase(replica: Replica) -> str:
    """`queued` until its gang is placed, then its attempt's phase; `ended` once it is not wanted any more."""
    if replica.ended_ms is not None:
        return "ended"
    attempt = replica.attempt
    return attempt.phase.value if attempt is not None and attempt.live else "queued"


def _owned(entity: _Owned, *, created_ms: int, **own: Unpack[_Own]) -> Facts:
    return Facts(
        id=entity.id,
        created_ms=created_ms,
        tenant=entity.tenant,
        project=entity.project,
        **own,
    )


def _facts_of_job(entity: Job | JobArray | RemovedJob) -> Facts:
    if isinstance(entity, RemovedJob):
        return _owned(
            entity,
            created_ms=entity.removed_ms,
            name=entity.name,
            phase=entity.phase,
            live=False,
            version=entity.version,
        )
    return _owned(
        entity,
        created_ms=entity.created_ms,
        name=entity.spec.name,
        parent=(entity.array or None) if isinstance(entity, Job) else None,
        phase=entity.phase.value,
        live=lives(entity),
        version=entity.version,
    )


def _facts_of_work(entity: Endpoint | Replica | Environment | Workspace) -> Facts:
    match entity:
        case Workspace():
            return _owned(
                entity,
                created_ms=entity.created_ms,
                name=entity.spec.name,
                phase=entity.phase.value,
                live=lives(entity),
                version=entity.version,
            )
        case Endpoint():
            return _owned(
                entity,
                created_ms=entity.created_ms,
                name=entity.spec.name,
                phase=entity.phase.value,
                live=lives(entity),
                version=entity.version,
            )
        case Replica():
            return _owned(
                entity,
                created_ms=entity.queued_ms,
                parent=entity.endpoint,
                phase=replica_phase(entity),
                live=lives(entity),
                version=entity.version,
            )
        case Environment():
            return _owned(
                entity,
                created_ms=entity.created_ms,
                phase=entity.phase.value,
                version=entity.version,
            )


def _facts_of_node(entity: Node | NodeAccount) -> Facts:
    match entity:
        case Node():
            return Facts(
                id=entity.id,
                created_ms=entity.changed_ms,
                name=entity.id,
                phase=entity.state.value,
                version=entity.version,
            )
        case NodeAccount():
            return Facts(id=entity.id, created_ms=entity.installed_ms, version=entity.version)


def _facts_of_model(
    entity: Artifact | ModelVersion | ModelName | AliasMove | ModelCard,
) -> Facts:
    match entity:
        case Artifact():
            return Facts(
                id=f"{entity.tenant}/{entity.digest}",  # every tenant holds its own
                created_ms=entity.created_ms,
                tenant=entity.tenant,
                project=entity.project,
                phase=entity.kind,
            )
        case ModelVersion():
            return _owned(
                entity,
                created_ms=entity.created_ms,
                name=entity.name,
                parent=entity.name,
            )
        case ModelName():
            return _owned(
                entity,
                created_ms=entity.updated_ms,
                name=entity.name,
                version=entity.version,
            )
        case AliasMove():
            return _owned(
                entity,
                created_ms=entity.at_ms,
                name=entity.name,
                parent=entity.name,
                phase=entity.alias,
            )
        case ModelCard():
            return _owned(
                entity,
                created_ms=entity.at_ms,
                name=entity.name,
                parent=f"{entity.name}:{entity.number}",
            )


def _facts_of_volume(entity: Volume | VolumeVersion) -> Facts:
    match entity:
        case Volume():
            return _owned(
                entity,
                created_ms=entity.created_ms,
                name=entity.name,
                phase=entity.kind.value if entity.deleted_ms is None else "deleted",
                version=entity.version,  # a deleted one stays live: its numbers are not given again
            )
        case VolumeVersion():
            return _owned(
                entity,
                created_ms=entity.created_ms,
                name=entity.name,
                parent=entity.name,
            )


def _facts_of_tenant(entity: Tenant | Project | ApiKey) -> Facts:
    match entity:
        case Tenant():
            return Facts(
                id=entity.id,
                created_ms=entity.created_ms,
                tenant=entity.id,
                name=entity.id,
                version=entity.version,
            )
        case Project():
            return Facts(
                id=entity.id,
                created_ms=entity.created_ms,
                tenant=entity.tenant,
                project=entity.name,
                name=entity.name,
                version=entity.version,
            )
        case ApiKey():
            return _owned(
                entity,
                created_ms=entity.created_ms,
                name=entity.name,
                phase="active" if entity.revoked_ms is None else "revoked",
                live=lives(entity),
                version=entity.version,
            )


def _facts_of_template(entity: Template | TemplateVersion) -> Facts:
    match entity:
        case Template():
            return _owned(
                entity,
                created_ms=entity.updated_ms,
                name=entity.name,
                phase="active" if entity.deleted_ms is None else "deleted",
                version=entity.version,
            )
        case TemplateVersion():
            return _owned(
                entity,
                created_ms=entity.at_ms,
                name=entity.name,
                parent=entity.name,
            )


def _facts_of_schedule(entity: Schedule | Fire) -> Facts:
    match entity:
        case Schedule():
            return _owned(
                entity,
                created_ms=entity.created_ms,
                name=entity.name,
                phase=entity.phase.value,
                live=lives(entity),
                version=entity.version,
            )
        case Fire():
            return _owned(
                entity,
                created_ms=entity.due_ms,
                parent=entity.schedule,
                phase=entity.outcome.value,
            )


def _facts_of_notification(entity: Notification | Delivery) -> Facts:
    match entity:
        case Notification():
            return _owned(
                entity,
                created_ms=entity.created_ms,
                name=entity.name,
                phase="active" if entity.deleted_ms is None else "deleted",
                live=lives(entity),
                version=entity.version,
            )
        case Delivery():
            return _owned(
                entity,
                created_ms=entity.at_ms,
                parent=entity.notification,
                phase=entity.phase.value,
                live=lives(entity),
                version=entity.version,
            )
