"""Durable state: one protocol, one schema, two databases.

Calls block; asynchronous callers run them in a thread. Writes go through `commit` alone, in one transaction, fenced by
the leader's epoch; only `inbox_put` is open to processes that do not lead.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from gigawatt.ledger.charges import Quantity
from gigawatt.model.audit import AuditRecord
from gigawatt.model.change import Batch, Entity, Receipt
from gigawatt.model.event import Event
from gigawatt.model.ledger import TimeClass
from gigawatt.model.world import World

E = TypeVar("E", bound=Entity)


class FencedError(Exception):
    """Another leader has a higher epoch: nothing was committed, and nothing may be done any more."""


class LedError(Exception):
    """Another process holds the lease; `holder` says which."""

    def __init__(self, holder: str) -> None:
        super().__init__(f"the lease is held by {holder}")
        self.holder = holder


class StoreFullError(Exception):
    """The disk or the database has no room: nothing of the batch was committed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Filters, all of which must hold; empty ones hold always. Newest first, at most `limit`."""

    tenant: str = ""
    project: str = ""
    phases: tuple[str, ...] = ()
    name: str = ""
    name_prefix: str = ""
    name_part: str = ""
    id_prefix: str = ""
    since_ms: int = 0
    until_ms: int = 0
    parent: str = ""  # replicas: their endpoint; tasks: their array; model versions: their name
    live_only: bool = False
    orphans: bool = False  # only those without a parent
    cursor: str = (
        ""  # from a page's `next`; another query's cursor is refused (RefusalError, field `cursor`)
    )
    limit: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[E]):
    items: tuple[E, ...]
    next: str  # empty at the end


@dataclass(frozen=True, slots=True, kw_only=True)
class EventQuery:
    """Events after `after_seq`, oldest first."""

    after_seq: int = 0
    tenant: str = ""
    project: str = ""
    subject: str = ""
    kinds: tuple[str, ...] = ()
    limit: int = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerQuery:
    unit: str = ""
    tenant: str = ""
    project: str = ""
    gang: str = ""
    node: str = ""
    since_ms: int = 0
    until_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerTotal:
    unit: str
    time_class: TimeClass
    unit_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerMoment:
    """What the entries of one node and moment put into a class: of all, and of who is asked for."""

    node: str  # empty where moments of all nodes are summed
    at_ms: int
    unit: str
    time_class: TimeClass
    unit_ms: int
    asked_unit_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterQuery:
    """What was written after some rows and up to others, of time that ended after `since_ms` and by `until_ms`; 0 is no bound.

    `by` names what else sums are told apart by: gang, node, key. `classes` are the only classes of time asked for, if any.
    """

    tenant: str = ""
    project: str = ""
    since_ms: int = 0
    until_ms: int = 0
    entries_after: int = 0
    entries_through: int = 0
    meters_after: int = 0
    meters_through: int = 0
    by: tuple[str, ...] = ()
    classes: tuple[TimeClass, ...] = ()
    reserved: bool = False  # only what was on reserved nodes
    daily: bool = True  # else all days are summed, and the first that is asked for stands for them


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxRow:
    row: int
    command: str  # JSON
    reply: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Who leads, or led last; `until_ms` is 0 where the lease was let go."""

    holder: str
    epoch: int
    until_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery:
    """Records below `before_seq`, newest first. Empty filters hold always."""

    tenant: str = ""
    project: str = ""
    actor: str = ""
    verb: str = ""  # whole, or its beginning up to a dot: keys.
    target: str = ""  # whole, or its beginning
    outcome: str = ""
    since_ms: int = 0
    until_ms: int = 0
    before_seq: int = 0
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditCheck:
    """Whether the chain holds from its anchor to its head; `broken_seq` is where it does not."""

    records: int
    first_seq: int
    head_seq: int
    head_hash: str
    broken_seq: int = 0
    problem: str = ""


class Store(Protocol):
    """`migrate` first, `close` last. Safe to call from several threads; reads see whole commits and wait for no writer."""

    def migrate(self) -> None:
        """Bring the schema to this version's. A newer schema is refused (RefusalError) and left alone."""
        ...

    def close(self) -> None: ...

    def lead(self, *, holder: str, now_ms: int, lease_ms: int) -> int:
        """Become the leader: the new epoch, higher than any before. Raises LedError while another's lease holds;
        the same holder may always take over from itself.
        """
        ...

    def lease(self) -> Lease | None:
        """None in a database that was never used. Needs no `migrate`, and changes nothing."""
        ...

    def renew(self, *, epoch: int, now_ms: int, lease_ms: int) -> None:
        """Keep the lease. Raises FencedError."""
        ...

    def resign(self, *, epoch: int) -> None:
        """Let the lease go; the epoch stays used."""
        ...

    def commit(self, batch: Batch, *, epoch: int, now_ms: int) -> tuple[Event, ...]:
        """All or nothing; the batch's events with their `seq`. Raises FencedError, StoreFullError."""
        ...

    def load_world(self, *, epoch: int) -> World:
        """Every live object."""
        ...

    def read(self, kind: type[E], id: str) -> E | None: ...

    def read_many(self, kind: type[E], ids: Sequence[str]) -> dict[str, E]:
        """Those that are there, by the ids asked for: many for little more than one costs."""
        ...

    def read_named(self, kind: type[E], *, tenant: str, project: str, name: str) -> E | None:
        """The newest of that name."""
        ...

    def page(self, kind: type[E], query: Query) -> "Page[E]": ...

    def count(self, kind: type[E], query: Query) -> dict[str, int]:
        """How many in each phase; the cursor and the limit do not count."""
        ...

    def events(self, query: EventQuery) -> tuple[Event, ...]: ...

    def newest_seq(self) -> int: ...

    def audit(self, query: AuditQuery) -> tuple[AuditRecord, ...]:
        """Newest first."""
        ...

    def keep_audit(self, kept_ms: int) -> None:
        """From now on records are kept for so long."""
        ...

    def check_audit(self) -> AuditCheck:
        """Walk all of the audit record."""
        ...

    def receipts(self, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Receipt]:
        """Remembered answers by (tenant, idempotency key)."""
        ...

    def ledger_totals(self, query: LedgerQuery) -> tuple[LedgerTotal, ...]:
        """Sums by unit and class, sorted."""
        ...

    def ledger_moments(
        self, query: LedgerQuery, *, step_ms: int, limit: int
    ) -> tuple[LedgerMoment, ...]:
        """The entries since a time, summed by node and moment. Where those are more than `limit`, all nodes' are summed
        by steps, as if they were written at the step's end.
        """
        ...

    def quantities(self, query: MeterQuery) -> tuple[Quantity, ...]:
        """Sums of the ledger and of what is metered beside it, by day and by all that prices depend on; sorted."""
        ...

    def metered_rows(self) -> tuple[int, int]:
        """The newest row of the ledger, and of what is metered beside it; 0 for none."""
        ...

    def inbox_put(self, command: str, *, now_ms: int) -> int: ...

    def inbox_pending(self, *, limit: int) -> tuple[InboxRow, ...]:
        """Rows without a reply, oldest first."""
        ...

    def inbox_reply(self, row: int) -> InboxRow | None: ...
