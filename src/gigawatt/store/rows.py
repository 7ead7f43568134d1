"""What an object is found by: its row in the table of objects."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gigawatt.model.array import JobArray
from gigawatt.model.artifact import AliasMove, Artifact, ModelCard, ModelName, ModelVersion
from gigawatt.model.bill import Closing, Invoice, Posting
from gigawatt.model.budget import Budget
from gigawatt.model.calibration import Calibration
from gigawatt.model.change import Entity
from gigawatt.model.endpoint import Endpoint, Replica, Revision
from gigawatt.model.environment import Environment
from gigawatt.model.job import Job
from gigawatt.model.ledger import NodeAccount
from gigawatt.model.node import Node
from gigawatt.model.notification import Delivery, Notification
from gigawatt.model.power import Feed
from gigawatt.model.prices import Agreement, PriceVersion
from gigawatt.model.quota import ProjectUse
from gigawatt.model.reservation import Reservation
from gigawatt.model.retention import RemovedJob
from gigawatt.model.schedule import Fire, Schedule
from gigawatt.model.stored import StorageAccount
from gigawatt.model.template import Template, TemplateVersion
from gigawatt.model.tenant import ApiKey, KeyUse, Project, Tenant, User
from gigawatt.model.tokens import TokenSpool, TokenUse
from gigawatt.model.volume import Volume, VolumeVersion
from gigawatt.model.workspace import Workspace
from gigawatt.model.world import lives
from gigawatt.store.codec import encode

Of = Callable[[Any], Any]  # a column of an object of the kind that it stands with


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """How the columns of one kind are read. `created_ms` orders lists: where a kind is not made once, it is its last change.

    Those not named here are the fields of the same name, or the default where a kind has none.
    """

    created_ms: Of = lambda each: each.created_ms
    id: Of = lambda each: each.id
    tenant: Of = lambda each: getattr(each, "tenant", "")
    project: Of = lambda each: getattr(each, "project", "")
    name: Of = lambda each: getattr(each, "name", None)
    parent: Of = lambda _: None
    phase: Of = lambda _: ""
    live: Of = lives


def row(entity: Entity) -> dict[str, Any]:
    """The columns of the table of objects, by name."""
    columns = ROWS[type(entity)]
    return {
        "kind": type(entity).__name__,
        "id": key_of(entity),
        "tenant": columns.tenant(entity),
        "project": columns.project(entity),
        "name": columns.name(entity),
        "parent": columns.parent(entity),
        "phase": columns.phase(entity),
        "live": columns.live(entity),
        "created_ms": columns.created_ms(entity),
        "version": getattr(entity, "version", 1),
        "body": encode(entity),
    }


def key_of(entity: Entity) -> str:
    """The id that an object has among those of its kind."""
    return ROWS[type(entity)].id(entity)


def replica_phase(replica: Replica) -> str:
    """`queued` until its gang is placed, then its attempt's phase; `ended` once it is not wanted any more."""
    if replica.ended_ms is not None:
        return "ended"
    attempt = replica.attempt
    return attempt.phase.value if attempt is not None and attempt.live else "queued"


def _phase(each: Any) -> str:
    return each.phase.value


def _spec_name(each: Any) -> str:
    return each.spec.name


def _own_name(each: Any) -> str:
    return each.name


def _updated_ms(each: Any) -> int:
    return each.updated_ms


def _at_ms(each: Any) -> int:
    return each.at_ms


def _made_ms(each: Any) -> int:
    return each.made_ms


def _active_or_deleted(each: Any) -> str:
    return "active" if each.deleted_ms is None else "deleted"


def _active_or_revoked(key: ApiKey) -> str:
    return "active" if key.revoked_ms is None else "revoked"


def _active_or_disabled(user: User) -> str:
    return "active" if user.disabled_ms is None else "disabled"


def _volume_phase(volume: Volume) -> str:
    """A deleted one stays live: its numbers are not given again."""
    return volume.kind.value if volume.deleted_ms is None else "deleted"


ROWS: dict[type[Any], Columns] = {
    Job: Columns(name=_spec_name, parent=lambda job: job.array or None, phase=_phase),
    JobArray: Columns(name=_spec_name, phase=_phase),
    RemovedJob: Columns(
        created_ms=lambda job: job.removed_ms, phase=lambda job: job.phase, live=lambda _: False
    ),
    Endpoint: Columns(name=_spec_name, phase=_phase),
    Replica: Columns(
        created_ms=lambda replica: replica.queued_ms,
        parent=lambda replica: replica.endpoint,
        phase=replica_phase,
    ),
    Revision: Columns(
        parent=lambda revision: revision.endpoint, phase=_phase, live=lambda _: False
    ),
    Workspace: Columns(name=_spec_name, phase=_phase),
    Environment: Columns(phase=_phase),
    Node: Columns(
        created_ms=lambda node: node.changed_ms,
        name=lambda node: node.id,
        phase=lambda node: node.state.value,
    ),
    NodeAccount: Columns(created_ms=lambda account: account.installed_ms),
    Artifact: Columns(
        id=lambda artifact: f"{artifact.tenant}/{artifact.digest}",  # every tenant holds its own
        phase=lambda artifact: artifact.kind,
    ),
    ModelVersion: Columns(parent=_own_name),
    ModelName: Columns(created_ms=_updated_ms),
    AliasMove: Columns(created_ms=_at_ms, parent=_own_name, phase=lambda move: move.alias),
    ModelCard: Columns(created_ms=_at_ms, parent=lambda card: f"{card.name}:{card.number}"),
    Volume: Columns(phase=_volume_phase),
    VolumeVersion: Columns(parent=_own_name),
    Tenant: Columns(tenant=lambda tenant: tenant.id, name=lambda tenant: tenant.id),
    Project: Columns(project=_own_name),
    ProjectUse: Columns(created_ms=_at_ms),
    Calibration: Columns(created_ms=_at_ms),
    ApiKey: Columns(parent=lambda key: key.prefix, phase=_active_or_revoked),
    User: Columns(parent=lambda user: user.kind.value, phase=_active_or_disabled),
    KeyUse: Columns(created_ms=lambda use: use.used_ms, live=lambda _: False),
    Template: Columns(created_ms=_updated_ms, phase=_active_or_deleted),
    TemplateVersion: Columns(created_ms=_at_ms, parent=_own_name),
    Schedule: Columns(phase=_phase),
    Fire: Columns(
        created_ms=lambda fire: fire.due_ms,
        parent=lambda fire: fire.schedule,
        phase=lambda fire: fire.outcome.value,
    ),
    Notification: Columns(phase=_active_or_deleted),
    Feed: Columns(
        name=lambda feed: feed.id, parent=lambda feed: feed.parent or None, phase=_active_or_deleted
    ),
    Reservation: Columns(name=lambda each: each.id, phase=_phase),
    TokenUse: Columns(parent=lambda use: use.key or None, live=lambda _: False),
    TokenSpool: Columns(),
    Delivery: Columns(
        created_ms=_at_ms, parent=lambda delivery: delivery.notification, phase=_phase
    ),
    PriceVersion: Columns(created_ms=_made_ms),
    Agreement: Columns(created_ms=_made_ms),
    Posting: Columns(),
    Closing: Columns(),
    Invoice: Columns(parent=lambda invoice: invoice.month),
    Budget: Columns(phase=_active_or_deleted),
    StorageAccount: Columns(created_ms=lambda account: account.opened_ms),
}
