"""What the service needs of the leader, which `control` has, and the shapes that go between them."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from gigawatt.model.attempt import Progress
from gigawatt.model.audit import AuditNote
from gigawatt.model.change import Entity
from gigawatt.model.command import Command
from gigawatt.model.environment import Environment
from gigawatt.model.event import Event
from gigawatt.model.gang import Gang, Isolation
from gigawatt.model.job import Job
from gigawatt.model.launch import Placement
from gigawatt.model.ledger import NodeAccount
from gigawatt.model.node import Node
from gigawatt.model.observation import CheckpointsFound, DemandSeen, WorkspaceTouched
from gigawatt.model.reason import Reason
from gigawatt.model.resources import Resources
from gigawatt.model.retention import Kind, Retention
from gigawatt.model.tenant import User
from gigawatt.model.work import Work
from gigawatt.model.workspace import Workspace
from gigawatt.scheduler.scores import Estimate, Score


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptRequest:
    """Remember the answer under this key: the same key and digest again gets the same answer, another digest none."""

    tenant: str
    key: str
    request_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheapestChange:
    """The smallest change of its spec with which a waiting gang would move forward."""

    field: str  # as the job file writes it, e.g. "gang.nodes"
    current: str
    proposed: str
    start: str  # when it would start with that, e.g. "now"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a gang waits: the dominant reason, its place in the line (from 1), and the way out where there is one."""

    reason: Reason
    position: int
    change: CheapestChange | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """Where a gang would go if it were submitted now; `reason` says why it would wait instead."""

    placements: tuple[Placement, ...]
    reason: Reason | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What would become of a gang that nobody has submitted: where it would start now, or why it would wait.

    `domains` has the names of the parts of the site that hold `nodes`, by level from the outermost; levels at which
    any of them has no name are left out.
    """

    nodes: tuple[str, ...] = ()
    domains: tuple[tuple[str, tuple[str, ...]], ...] = ()
    explanation: Explanation | None = None  # None where it would start now


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Files that may be removed together. `used_ms` is when they were last changed or marked as used."""

    kind: Kind
    id: str
    size_bytes: int
    used_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Of the disk that holds the data directory."""

    total_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Every node, and by id what has a live attempt, as they are at one moment."""

    nodes: tuple[Node, ...]
    work: Mapping[str, Work]


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """What a project and those below it use, in the order of KINDS, and how it stands against others.

    `share` is its dominant share beyond its quota, present and of late, over its weight: the least is owed the most.
    """

    used: tuple[int, ...]  # after those of KINDS, of single `kinds` of GPU
    quota: tuple[
        int, ...
    ]  # what is guaranteed: its own, or that of those below it; -1 where nothing is
    average: tuple[int, ...]  # of late
    share: float
    kinds: tuple[str, ...] = ()


class Premises(Protocol):
    """The files of the instance that may be removed. Calls block."""

    def survey(self) -> tuple[Found, ...]:
        """What is on this machine's disk, apart from contents."""
        ...

    def contents(self) -> tuple[Found, ...]:
        """Bytes of artifacts, here and where they are kept beyond this disk. Raises RefusalError."""
        ...

    def files_of(self, digest: str) -> tuple[str, ...]:
        """Digests of the files that a stored tree names; none where it is none. Raises RefusalError."""
        ...

    def discard(
        self, kind: Kind, id: str, *, unused_since_ms: int, unless: Callable[[], bool]
    ) -> None:
        """Remove one thing, unless it was used since then or `unless` says no. Raises OSError, RefusalError."""
        ...

    def sweep(self) -> None:
        """Delete what a killed process had set aside. Raises OSError."""
        ...


class Leader(Protocol):
    """The one writer. Reads of live figures are from memory and do not block."""

    @property
    def epoch(self) -> int: ...

    @property
    def ready(self) -> bool: ...

    async def submit(self, command: Command, *, receipt: ReceiptRequest | None) -> Entity:
        """The object that a command made or changed, after the commit. Raises RefusalError."""
        ...

    def audited(self, notes: tuple[AuditNote, ...]) -> None:
        """Have notes put on the audit record with the next commit."""
        ...

    def least_isolation(self, tenant: str) -> Isolation:
        """What everything of a tenant must have at least."""
        ...

    def users_of(self, account: str) -> tuple[User, ...]:
        """Those that an account at a provider of sign-in has, by id."""
        ...

    def keys_of(self, user: str) -> tuple[str, ...]:
        """The ids of a user's keys that are not revoked."""
        ...

    def job(self, id: str) -> Job | None:
        """A job that has not ended."""
        ...

    def progress(self, gang: str) -> Progress | None:
        """The newest that a live job reported."""
        ...

    def workspace(self, id: str) -> Workspace | None:
        """A workspace that is not gone, with what was last measured of it."""
        ...

    def workspace_touched(self, seen: WorkspaceTouched) -> None:
        """Take in that a person is at one."""
        ...

    def waiting(self, gang: str) -> tuple[int, Reason] | None:
        """Position and reason of the last cycle."""
        ...

    def line(self) -> tuple[str, ...]:
        """Every gang that waits for nodes, in the order of the last cycle's line."""
        ...

    def free(self, node: str) -> Resources | None:
        """What no gang holds of a node."""
        ...

    def environment(self, id: str) -> Environment | None:
        """An environment with the stage that its build is at."""
        ...

    def ready_environments(self) -> tuple[Environment, ...]:
        """Every environment that is built."""
        ...

    def unused_environments(self, *, since_ms: int) -> tuple[Environment, ...]:
        """Those that no live work refers to and none has used since then, the longest unused first."""
        ...

    def explain(self, gang: str) -> Explanation | None: ...

    def estimated(self, gang: str) -> Estimate | None:
        """When a gang that waits will start, as it was last worked out; None where it was not yet, or nothing lets it."""
        ...

    def end_of(self, job: Job) -> Estimate | None:
        """When a job that waits or runs should be done; None where that is not known."""
        ...

    def expected_ms(self, gang: Gang, *, user: str, name: str) -> int:
        """How long half of the jobs like it took at most; 0 where nothing is known of any."""
        ...

    async def estimate(self, gang: str) -> Estimate | None:
        """As `estimated`, worked out now where it was not yet."""
        ...

    async def estimate_asked(self, gang: Gang, *, user: str) -> Estimate | None:
        """When a gang would start that this user would submit now."""
        ...

    async def sooner(self, gang: str) -> CheapestChange | None:
        """A dated change with which a gang that waits would start well before it does without."""
        ...

    def score(self) -> Score:
        """How well this leader's estimates came true."""
        ...

    def feasible(self, gang: Gang) -> Reason | None:
        """Why this cluster could never hold the gang, even empty; None where it could."""
        ...

    def what_if(self, gang: Gang) -> WhatIf: ...

    def ask(self, gang: Gang) -> Asked:
        """What the next decision would say of a gang that is not in the line, and what would start it."""
        ...

    def gpu_kinds(self) -> tuple[str, ...]:
        """Those that any node has, sorted."""
        ...

    def accounts_now(self) -> tuple[NodeAccount, ...]: ...

    def account(self, node: str) -> NodeAccount | None:
        """That of one node."""
        ...

    def fleet(self) -> Fleet:
        """Nodes and what holds them: a copy that does not change any more."""
        ...

    def owed(self) -> dict[str, Owed]:
        """Who uses what now, by project as tenant/name."""
        ...

    def drawn(self) -> dict[str, int]:
        """What gangs draw through each feed, in milliwatts."""
        ...

    def policies(self) -> dict[tuple[str, str], Retention]:
        """Of every project, by tenant and name."""
        ...

    def needs(self, kind: Kind, id: str) -> bool:
        """Whether anything live uses it. Safe to call from any thread."""
        ...

    def subscribe(self) -> AsyncIterator[Event]:
        """Events committed from this call on; ends when the watcher fell behind or the leader stops."""
        ...

    async def gateway_config(self, *, after: int, wait_s: float) -> dict[str, Any]:
        """The gateways' configuration, once its revision differs from `after` or `wait_s` has passed."""
        ...

    def checkpoint_dir(self, job: Job) -> str:
        """The directory that a job's checkpoints are below."""
        ...

    async def checkpoints_found(self, seen: CheckpointsFound) -> None:
        """Take in what looking at a live job's checkpoints came to."""
        ...

    async def demand(self, seen: tuple[DemandSeen, ...]) -> None:
        """Take in what a gateway counted."""
        ...
