"""The world: every live object, in memory, written by the leader alone.

Finished jobs, arrays, replicas, endpoints and workspaces leave it and are read from the store. `dependents` names, for a job, an
array or a task, the blocked ones that come after it, and arrays whose tasks come after those of an array one by one. `removed_ids` and `used_ms` settle what a removal and a request that
overtake each other mean: artifacts and jobs by their ids in the store.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TypeVar

from gigawatt.model.array import JobArray, task_of
from gigawatt.model.artifact import Artifact, ModelName
from gigawatt.model.bill import Closing
from gigawatt.model.budget import Budget
from gigawatt.model.change import Entity, Fixed
from gigawatt.model.endpoint import Endpoint, EndpointPhase, Replica
from gigawatt.model.environment import Environment
from gigawatt.model.job import Job, JobPhase
from gigawatt.model.ledger import NodeAccount
from gigawatt.model.node import Node
from gigawatt.model.notification import Delivery, DeliveryPhase, Notification
from gigawatt.model.pace import Pace
from gigawatt.model.power import Feed
from gigawatt.model.quota import ProjectUse
from gigawatt.model.ranges import contains
from gigawatt.model.reservation import Reservation
from gigawatt.model.schedule import Schedule, SchedulePhase
from gigawatt.model.stored import StorageAccount
from gigawatt.model.template import Template
from gigawatt.model.tenant import ApiKey, Project, Tenant, User
from gigawatt.model.tokens import TokenSpool
from gigawatt.model.trial import Trials
from gigawatt.model.volume import Volume
from gigawatt.model.workspace import Workspace, WorkspacePhase

T = TypeVar("T")

_TABLES: dict[type, str] = {
    Job: "jobs",
    JobArray: "arrays",
    Endpoint: "endpoints",
    Replica: "replicas",
    Workspace: "workspaces",
    Environment: "environments",
    Node: "nodes",
    NodeAccount: "accounts",
    ModelName: "models",
    Volume: "volumes",
    Tenant: "tenants",
    Project: "projects",
    ApiKey: "keys",
    User: "users",
    Template: "templates",
    Schedule: "schedules",
    Notification: "notifications",
    Delivery: "deliveries",
    ProjectUse: "uses",
    Feed: "feeds",
    Reservation: "reservations",
    TokenSpool: "spools",
    Closing: "closings",
    Budget: "budgets",
    StorageAccount: "storage",
}

RECENT_MAX = 10_000  # removals and uses that requests under way may not know of yet
PROGRAMS_MAX = 1_000  # whose runs are remembered
RECENT_ENDED_MAX = 10_000  # jobs and arrays whose end is remembered for those that come after them


def lives(entity: Entity) -> bool:  # noqa: C901, PLR0911 - one flat table
    """Whether it is held; what has ended is in the store alone."""
    match entity:
        case Job() | JobArray():
            return not entity.ended
        case Replica():
            return entity.ended_ms is None
        case Endpoint():
            return entity.phase is not EndpointPhase.STOPPED
        case Schedule():
            return entity.phase is not SchedulePhase.DELETED
        case Notification() | Feed() | Budget():
            return entity.deleted_ms is None
        case Reservation():
            return not entity.over
        case Delivery():
            return entity.phase is DeliveryPhase.PENDING
        case Workspace():
            return entity.phase is not WorkspacePhase.DELETED
        case ApiKey():
            return entity.revoked_ms is None
        case TokenSpool():
            return not entity.closed
        case _:
            return True


@dataclass(slots=True, kw_only=True)
class World:
    epoch: int
    jobs: dict[str, Job] = field(default_factory=dict[str, Job])
    arrays: dict[str, JobArray] = field(default_factory=dict[str, JobArray])
    endpoints: dict[str, Endpoint] = field(default_factory=dict[str, Endpoint])
    replicas: dict[str, Replica] = field(default_factory=dict[str, Replica])
    workspaces: dict[str, Workspace] = field(default_factory=dict[str, Workspace])
    environments: dict[str, Environment] = field(default_factory=dict[str, Environment])
    nodes: dict[str, Node] = field(default_factory=dict[str, Node])
    accounts: dict[str, NodeAccount] = field(default_factory=dict[str, NodeAccount])
    models: dict[str, ModelName] = field(default_factory=dict[str, ModelName])
    volumes: dict[str, Volume] = field(default_factory=dict[str, Volume])
    tenants: dict[str, Tenant] = field(default_factory=dict[str, Tenant])
    projects: dict[str, Project] = field(default_factory=dict[str, Project])
    keys: dict[str, ApiKey] = field(default_factory=dict[str, ApiKey])
    users: dict[str, User] = field(default_factory=dict[str, User])
    templates: dict[str, Template] = field(default_factory=dict[str, Template])
    schedules: dict[str, Schedule] = field(default_factory=dict[str, Schedule])
    notifications: dict[str, Notification] = field(default_factory=dict[str, Notification])
    deliveries: dict[str, Delivery] = field(default_factory=dict[str, Delivery])  # not yet arrived
    dependents: dict[str, dict[str, None]] = field(default_factory=dict[str, dict[str, None]])
    saved_ms: dict[str, int] = field(default_factory=dict[str, int])
    recent_ended: OrderedDict[str, JobPhase] = field(default_factory=OrderedDict[str, JobPhase])
    removed_ids: OrderedDict[str, None] = field(default_factory=OrderedDict[str, None])
    used_ms: OrderedDict[str, int] = field(default_factory=OrderedDict[str, int])
    uses: dict[str, ProjectUse] = field(default_factory=dict[str, ProjectUse])
    feeds: dict[str, Feed] = field(default_factory=dict[str, Feed])
    reservations: dict[str, Reservation] = field(default_factory=dict[str, Reservation])
    spools: dict[str, TokenSpool] = field(default_factory=dict[str, TokenSpool])
    closings: dict[str, Closing] = field(default_factory=dict[str, Closing])
    budgets: dict[str, Budget] = field(default_factory=dict[str, Budget])
    storage: dict[str, StorageAccount] = field(default_factory=dict[str, StorageAccount])
    trials: OrderedDict[str, Trials] = field(default_factory=OrderedDict[str, Trials])
    paces: dict[str, Pace] = field(default_factory=dict[str, Pace])  # by job
    kept_bytes: dict[str, int] = field(default_factory=dict[str, int])  # by project, as last seen
    limits_told: dict[str, int] = field(default_factory=dict[str, int])  # highest threshold told
    marked: dict[str, None] = field(default_factory=dict[str, None])  # nodes with marks

    def put(self, entity: Entity) -> None:
        """Hold `entity` if it is live; let go of it if it has ended."""
        if isinstance(entity, NodeAccount):  # which are most, and live on
            self.accounts[entity.id] = entity
            return
        if isinstance(entity, Fixed):
            return
        if isinstance(entity, Job | JobArray):
            self._remember(entity)
        elif isinstance(entity, Node):
            _hold(self.marked, entity.id, None, live=bool(entity.marks))
        _hold(getattr(self, _TABLES[type(entity)]), entity.id, entity, live=lives(entity))

    def remove(self, entity: Entity) -> None:
        """Let go of an object that is removed for good."""
        key = f"{entity.tenant}/{entity.digest}" if isinstance(entity, Artifact) else entity.id
        _remember(self.removed_ids, key, None)

    def use(self, key: str, *, now_ms: int) -> None:
        """Something that may be removed is used now: a plan that was made before does not hold for it."""
        _remember(self.used_ms, key, now_ms)

    def knows(self, entity: Entity) -> bool:
        """Whether a value of this kind and id is held."""
        if isinstance(entity, Fixed):
            return False
        return entity.id in getattr(self, _TABLES[type(entity)])

    def note_trials(self, program: str, trials: Trials) -> None:
        """What is known of a program's runs; of too many programs the one longest unused is forgotten."""
        self.trials[program] = trials
        self.trials.move_to_end(program)
        if len(self.trials) > PROGRAMS_MAX:
            self.trials.popitem(last=False)

    def unended(self, id: str) -> bool:
        """Whether a job, an array or a task of this id has still to end."""
        return id in self.jobs or id in self.arrays or self._to_come(id)

    def ended_as(self, id: str) -> JobPhase | None:
        """How a job, an array or a task has ended, where that is remembered."""
        task = task_of(id)
        array = self.arrays.get(task[0]) if task else None
        known = array.phase_of(task[1]) if array and task else None
        return known or self.recent_ended.get(id)

    def _to_come(self, id: str) -> bool:
        """Whether it is a task that is still a number."""
        task = task_of(id)
        array = self.arrays.get(task[0]) if task else None
        if array is None or task is None:
            return False
        return contains(array.pending, task[1]) or contains(array.running, task[1])

    def _remember(self, work: Job | JobArray) -> None:
        earlier_ones = work.spec.after if work.phase is JobPhase.BLOCKED else ()
        if work.spec.after_each and not work.ended:
            earlier_ones = (*earlier_ones, work.spec.after_each)
        for earlier in earlier_ones:
            if self.unended(earlier):
                self.dependents.setdefault(earlier, {})[work.id] = None
        if work.ended:
            self.recent_ended[work.id] = work.phase
            self.recent_ended.move_to_end(work.id)
            if len(self.recent_ended) > RECENT_ENDED_MAX:
                self.recent_ended.popitem(last=False)
        else:
            self.recent_ended.pop(work.id, None)


def _remember(table: OrderedDict[str, T], key: str, value: T) -> None:
    table[key] = value
    table.move_to_end(key)
    if len(table) > RECENT_MAX:
        table.popitem(last=False)


def _hold(table: dict[str, T], key: str, value: T, *, live: bool) -> None:
    if live:
        table[key] = value
    else:
        table.pop(key, None)
