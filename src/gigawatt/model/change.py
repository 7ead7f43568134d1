"""What one turn of the loop changes: values to put, events and ledger entries to append, answers to remember."""

from dataclasses import dataclass, field

from gigawatt.model.array import JobArray
from gigawatt.model.artifact import AliasMove, Artifact, ModelCard, ModelName, ModelVersion
from gigawatt.model.bill import Closing, Invoice, MeterEntry, Posting
from gigawatt.model.budget import Budget
from gigawatt.model.calibration import Calibration
from gigawatt.model.endpoint import Endpoint, Replica, Revision
from gigawatt.model.environment import Environment
from gigawatt.model.event import Event
from gigawatt.model.job import Job
from gigawatt.model.ledger import LedgerEntry, NodeAccount
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

Entity = (
    Job
    | JobArray
    | Endpoint
    | Replica
    | Revision
    | Workspace
    | Environment
    | Node
    | NodeAccount
    | Artifact
    | ModelVersion
    | ModelName
    | AliasMove
    | ModelCard
    | Volume
    | VolumeVersion
    | Tenant
    | Project
    | ApiKey
    | User
    | KeyUse
    | Template
    | TemplateVersion
    | Schedule
    | Fire
    | Notification
    | Delivery
    | RemovedJob
    | ProjectUse
    | Feed
    | Reservation
    | TokenUse
    | TokenSpool
    | Calibration
    | PriceVersion
    | Agreement
    | Posting
    | Closing
    | Invoice
    | Budget
    | StorageAccount
)

# What never changes, or is put whole and no decision asks for, so the store alone has it.
Fixed = (
    Artifact
    | ModelVersion
    | AliasMove
    | ModelCard
    | RemovedJob
    | TemplateVersion
    | Fire
    | VolumeVersion
    | TokenUse
    | KeyUse
    | Calibration
    | Revision
    | PriceVersion
    | Agreement
    | Posting
    | Invoice
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The remembered answer to a write, found again under its idempotency key."""

    tenant: str
    key: str
    request_sha256: str  # the same key with another request is refused
    status: int
    body: str  # JSON
    at_ms: int


@dataclass(slots=True, kw_only=True)
class Batch:
    """All that one transaction commits. `removes` are objects that go; `inbox_done` are rows of the durable inbox
    that it answers.
    """

    puts: list[Entity] = field(default_factory=list[Entity])
    removes: list[Entity] = field(default_factory=list[Entity])
    events: list[Event] = field(default_factory=list[Event])
    entries: list[LedgerEntry] = field(default_factory=list[LedgerEntry])
    meters: list[MeterEntry] = field(default_factory=list[MeterEntry])
    receipts: list[Receipt] = field(default_factory=list[Receipt])
    inbox_done: list[tuple[int, str]] = field(
        default_factory=list[tuple[int, str]]
    )  # (row, reply as JSON)

    @property
    def empty(self) -> bool:
        return not (
            self.puts
            or self.removes
            or self.events
            or self.entries
            or self.meters
            or self.receipts
            or self.inbox_done
        )
