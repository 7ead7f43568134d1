"""One turn of the loop: the world as it is being changed, the time, and everything that the turn changes.

Reconciling functions read and change the world through a turn alone, so that what is committed is what was changed.
A function that refuses raises RefusalError before its first `put`.
"""

from dataclasses import dataclass, field
from typing import TypeVar

from gigawatt.ledger.account import Settled
from gigawatt.model.action import Action
from gigawatt.model.artifact import Artifact
from gigawatt.model.bill import MeterEntry
from gigawatt.model.change import Batch, Entity, Fixed
from gigawatt.model.event import Event
from gigawatt.model.ledger import LedgerEntry
from gigawatt.model.values import replace
from gigawatt.model.world import World

T = TypeVar("T", bound=Entity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What launches need to know of this instance. `work_dir` holds each gang's directory."""

    work_dir: str
    api_url: str
    checks: str = ""  # the level of checks between a node's coming and its first gang; "" is none


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Look at `subject` (a job, replica, endpoint or schedule) again at `at_ms`."""

    at_ms: int
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    world: World
    now_ms: int
    site: Site
    puts: dict[tuple[str, str], Entity] = field(default_factory=dict[tuple[str, str], Entity])
    removes: dict[tuple[str, str], Entity] = field(default_factory=dict[tuple[str, str], Entity])
    touched: list[Entity] = field(default_factory=list[Entity])
    events: list[Event] = field(default_factory=list[Event])
    entries: list[LedgerEntry] = field(default_factory=list[LedgerEntry])
    meters: list[MeterEntry] = field(default_factory=list[MeterEntry])
    actions: list[Action] = field(default_factory=list[Action])
    dues: list[Due] = field(default_factory=list[Due])

    def put(self, entity: T) -> T:
        """Change the world durably; the version goes up once a turn."""
        key = (type(entity).__name__, entity_id(entity))
        after = entity
        if not isinstance(entity, Fixed) and key not in self.puts:
            known = entity.version > 1 or self.world.knows(entity)
            after = replace(entity, version=entity.version + 1) if known else entity
        self.puts[key] = after
        self.removes.pop(key, None)
        self.touched.append(after)
        self.world.put(after)
        return after

    def remove(self, entity: Entity) -> None:
        """Take an object that is not live off the record, for good."""
        key = (type(entity).__name__, entity_id(entity))
        self.puts.pop(key, None)
        self.removes[key] = entity
        self.touched.append(entity)
        self.world.remove(entity)

    def touch(self, entity: T) -> T:
        """Change the world in memory only: live figures that may be lost."""
        self.world.put(entity)
        return entity

    def emit(
        self,
        kind: str,
        owner: "Entity",
        message: str = "",
        data: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Say what happened to `owner`."""
        self.events.append(
            Event(
                at_ms=self.now_ms,
                kind=kind,
                tenant=getattr(owner, "tenant", ""),
                project=getattr(owner, "project", ""),
                subject=entity_id(owner),
                message=message,
                data=data,
            )
        )

    def act(self, action: Action) -> None:
        self.actions.append(action)

    def due(self, at_ms: int, subject: str) -> None:
        self.dues.append(Due(at_ms=at_ms, subject=subject))

    def account(self, settled: Settled) -> None:
        """Keep an account as it is after a change, and its entries."""
        after, entries = settled
        self.put(after)
        self.entries.extend(entries)

    def latest(self, entity: Entity) -> Entity:
        """The newest value of an object that this turn has put."""
        return self.puts.get((type(entity).__name__, entity_id(entity)), entity)

    def batch(self) -> Batch:
        """What the turn's transaction commits."""
        return Batch(
            puts=list(self.puts.values()),
            removes=list(self.removes.values()),
            events=self.events,
            entries=self.entries,
            meters=self.meters,
        )


def entity_id(entity: Entity) -> str:
    """An entity's key within its kind; an artifact is known by its digest within its tenant."""
    if isinstance(entity, Artifact):
        return f"{entity.tenant}/{entity.digest}"
    return entity.id
