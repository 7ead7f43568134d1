"""What an object is found by: its row in the table of objects, as one table of kinds says."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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


def facts_of(entity: Entity) -> Facts:
    """What its kind is found by. Whose it is and its version are called the same in every kind that has them."""
    kind = _KINDS[type(entity)]
    fields: Any = entity
    return Facts(
        id=kind.id(fields),
        created_ms=kind.made(fields),
        tenant=kind.tenant(fields),
        project=kind.project(fields),
        name=kind.name(fields),
        parent=kind.parent(fields),
        phase=kind.phase(fields),
        live=kind.live and lives(entity),
        version=getattr(entity, "version", 1),
    )


def replica_phase(replica: Replica) -> str:
    """`queued` until its gang is placed, then its attempt's phase; `ended` once it is not wanted any more."""
    if replica.ended_ms is not None:
        return "ended"
    attempt = replica.attempt
    return attempt.phase.value if attempt is not None and attempt.live else "queued"


Column = Callable[[Any], Any]


def _nothing(_: Any) -> str:
    return ""


def _none(_: Any) -> None:
    return None


def _name(entity: Any) -> str:
    return entity.name


def _spec_name(entity: Any) -> str:
    return entity.spec.name


def _phase(entity: Any) -> str:
    return entity.phase.value


def _there(entity: Any) -> str:
    return "active" if entity.deleted_ms is None else "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """How the columns follow from an object of one kind."""

    made: Column
    name: Column = _none
    parent: Column = _none
    phase: Column = _nothing
    id: Column = lambda e: e.id
    tenant: Column = lambda e: getattr(e, "tenant", "")
    project: Column = lambda e: getattr(e, "project", "")
    live: bool = True  # of what can be live at all


_KINDS: dict[type[Any], _Kind] = {
    Job: _Kind(
        made=lambda e: e.created_ms,
        name=_spec_name,
        parent=lambda e: e.array or None,
        phase=_phase,
    ),
    JobArray: _Kind(made=lambda e: e.created_ms, name=_spec_name, phase=_phase),
    RemovedJob: _Kind(made=lambda e: e.removed_ms, name=_name, phase=lambda e: e.phase, live=False),
    Endpoint: _Kind(made=lambda e: e.created_ms, name=_spec_name, phase=_phase),
    Replica: _Kind(made=lambda e: e.queued_ms, parent=lambda e: e.endpoint, phase=replica_phase),
    Workspace: _Kind(made=lambda e: e.created_ms, name=_spec_name, phase=_phase),
    Environment: _Kind(made=lambda e: e.created_ms, phase=_phase),
    Node: _Kind(made=lambda e: e.changed_ms, name=lambda e: e.id, phase=lambda e: e.state.value),
    NodeAccount: _Kind(made=lambda e: e.installed_ms),
    Artifact: _Kind(
        id=lambda e: f"{e.tenant}/{e.digest}",  # every tenant holds its own
        made=lambda e: e.created_ms,
        phase=lambda e: e.kind,
    ),
    ModelVersion: _Kind(made=lambda e: e.created_ms, name=_name, parent=_name),
    ModelName: _Kind(made=lambda e: e.updated_ms, name=_name),
    AliasMove: _Kind(made=lambda e: e.at_ms, name=_name, parent=_name, phase=lambda e: e.alias),
    ModelCard: _Kind(made=lambda e: e.at_ms, name=_name, parent=lambda e: f"{e.name}:{e.number}"),
    Volume: _Kind(
        made=lambda e: e.created_ms,
        name=_name,  # a deleted one stays live: its numbers are not given again
        phase=lambda e: e.kind.value if e.deleted_ms is None else "deleted",
    ),
    VolumeVersion: _Kind(made=lambda e: e.created_ms, name=_name, parent=_name),
    Tenant: _Kind(made=lambda e: e.created_ms, tenant=lambda e: e.id, name=lambda e: e.id),
    Project: _Kind(made=lambda e: e.created_ms, project=_name, name=_name),
    ApiKey: _Kind(
        made=lambda e: e.created_ms,
        name=_name,
        phase=lambda e: "active" if e.revoked_ms is None else "revoked",
    ),
    Template: _Kind(made=lambda e: e.updated_ms, name=_name, phase=_there),
    TemplateVersion: _Kind(made=lambda e: e.at_ms, name=_name, parent=_name),
    Schedule: _Kind(made=lambda e: e.created_ms, name=_name, phase=_phase),
    Fire: _Kind(
        made=lambda e: e.due_ms, parent=lambda e: e.schedule, phase=lambda e: e.outcome.value
    ),
    Notification: _Kind(made=lambda e: e.created_ms, name=_name, phase=_there),
    Delivery: _Kind(made=lambda e: e.at_ms, parent=lambda e: e.notification, phase=_phase),
}
