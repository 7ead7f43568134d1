"""What an object is found by: its row in the table of objects."""

from dataclasses import dataclass
from typing import Any

from gigawatt.model.array import JobArray
from gigawatt.model.artifact import AliasMove, Artifact, ModelCard, ModelName, ModelVersion
from gigawatt.model.change import Entity
from gigawatt.model.endpoint import Endpoint, EndpointPhase, Replica
from gigawatt.model.environment import Environment
from gigawatt.model.job import Job
from gigawatt.model.ledger import NodeAccount
from gigawatt.model.node import Node
from gigawatt.model.retention import RemovedJob
from gigawatt.model.tenant import ApiKey, Project, Tenant
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


def facts_of(entity: Entity) -> Facts:
    match entity:
        case Job() | JobArray():
            return _facts_of_job(entity)
        case Endpoint() | Replica() | Environment():
            return _facts_of_work(entity)
        case Node() | NodeAccount():
            return _facts_of_node(entity)
        case Artifact() | ModelVersion() | ModelName() | AliasMove() | ModelCard():
            return _facts_of_model(entity)
        case Tenant() | Project() | ApiKey():
            return _facts_of_tenant(entity)
        case RemovedJob():
            return Facts(
                id=entity.id,
                created_ms=entity.removed_ms,
                tenant=entity.tenant,
                project=entity.project,
                name=entity.name,
                phase=entity.phase,
                live=False,
                version=entity.version,
            )


def replica_phase(replica: Replica) -> str:
    """`queued` until its gang is placed, then its attempt's phase; `ended` once it is not wanted any more."""
    if replica.ended_ms is not None:
        return "ended"
    attempt = replica.attempt
    return attempt.phase.value if attempt is not None and attempt.live else "queued"


def _facts_of_job(entity: Job | JobArray) -> Facts:
    return Facts(
        id=entity.id,
        created_ms=entity.created_ms,
        tenant=entity.tenant,
        project=entity.project,
        name=entity.spec.name,
        parent=(entity.array or None) if isinstance(entity, Job) else None,
        phase=entity.phase.value,
        live=not entity.ended,
        version=entity.version,
    )


def _facts_of_work(entity: Endpoint | Replica | Environment) -> Facts:
    match entity:
        case Endpoint():
            return Facts(
                id=entity.id,
                created_ms=entity.created_ms,
                tenant=entity.tenant,
                project=entity.project,
                name=entity.spec.name,
                phase=entity.phase.value,
                live=entity.phase is not EndpointPhase.STOPPED,
                version=entity.version,
            )
        case Replica():
            return Facts(
                id=entity.id,
                created_ms=entity.queued_ms,
                tenant=entity.tenant,
                project=entity.project,
                parent=entity.endpoint,
                phase=replica_phase(entity),
                live=entity.ended_ms is None,
                version=entity.version,
            )
        case Environment():
            return Facts(
                id=entity.id,
                created_ms=entity.created_ms,
                tenant=entity.tenant,
                project=entity.project,
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
            return Facts(
                id=entity.id,
                created_ms=entity.created_ms,
                tenant=entity.tenant,
                project=entity.project,
                name=entity.name,
                parent=entity.name,
            )
        case ModelName():
            return Facts(
                id=entity.id,
                created_ms=entity.updated_ms,
                tenant=entity.tenant,
                project=entity.project,
                name=entity.name,
                version=entity.version,
            )
        case AliasMove():
            return Facts(
                id=entity.id,
                created_ms=entity.at_ms,
                tenant=entity.tenant,
                project=entity.project,
                name=entity.name,
                parent=entity.name,
                phase=entity.alias,
            )
        case ModelCard():
            return Facts(
                id=entity.id,
                created_ms=entity.at_ms,
                tenant=entity.tenant,
                project=entity.project,
                name=entity.name,
                parent=f"{entity.name}:{entity.number}",
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
            return Facts(
                id=entity.id,
                created_ms=entity.created_ms,
                tenant=entity.tenant,
                project=entity.project,
                name=entity.name,
                phase="active" if entity.revoked_ms is None else "revoked",
                live=entity.revoked_ms is None,
                version=entity.version,
            )
