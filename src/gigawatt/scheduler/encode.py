"""The world as a snapshot: kept up to date change by change, or made from scratch.

`Encoder` pays for what changed; `encode_cold` reads everything and is the definition that the encoder must equal,
byte for byte (tests/property/scheduler).
"""

from collections.abc import Mapping

from gigawatt.model.change import Entity
from gigawatt.model.decision import Hold
from gigawatt.model.endpoint import Replica
from gigawatt.model.gang import Gang
from gigawatt.model.job import Job
from gigawatt.model.node import Node
from gigawatt.model.power import Feed
from gigawatt.model.quota import ProjectUse
from gigawatt.model.reservation import Reservation
from gigawatt.model.tenant import Project, Tenant
from gigawatt.model.values import replace
from gigawatt.model.work import Work
from gigawatt.model.workspace import Workspace
from gigawatt.model.world import World
from gigawatt.scheduler.cold import cold_gangs, cold_nodes
from gigawatt.scheduler.encode_apart import ApartRows, cold_apart
from gigawatt.scheduler.encode_gangs import GangRows
from gigawatt.scheduler.encode_growing import GrowingRows, cold_growing
from gigawatt.scheduler.encode_kinds import KindRows, cold_kinds
from gigawatt.scheduler.encode_nodes import NodeRows
from gigawatt.scheduler.encode_power import PowerRows, cold_power
from gigawatt.scheduler.encode_reserved import ReservedRows, cold_reserved
from gigawatt.scheduler.encode_running import ClaimRows, RunningRows, cold_claims, cold_running
from gigawatt.scheduler.encode_shares import ShareRows, cold_shares
from gigawatt.scheduler.facts import Footprint, footprint, waiting
from gigawatt.scheduler.index import Memo
from gigawatt.scheduler.running import Pace
from gigawatt.scheduler.snapshot import Snapshot
from gigawatt.scheduler.usage import owner_of

INDEXED_FROM = 64  # nodes; fewer are soon looked at one by one


class Encoder:
    """The leader's: `apply` every entity that is put into the world, then ask for a `snapshot`."""

    def __init__(self, *, plans: bool = False, indexed_from: int = INDEXED_FROM) -> None:
        self._nodes = NodeRows(memo=Memo(indexed_from))
        self._gangs = GangRows()
        self._shares = ShareRows()
        self._kinds = KindRows()
        self._claims = ClaimRows()
        self._power = PowerRows()
        self._apart = ApartRows()
        self._reserved = ReservedRows()
        self._growing = GrowingRows()
        self._running = RunningRows() if plans else None
        self._live: dict[str, Work] = {}  # what has a live attempt
        self._foreseen: dict[str, int] = {}  # ends of what runs that are not by limits
        self._came: list[Gang] | None = None  # since they were last taken; None: more has changed

    @property
    def memo(self) -> Memo:
        """For a round on the newest snapshot."""
        return self._nodes.memo

    @property
    def live(self) -> Mapping[str, Work]:
        """What has a live attempt, by id."""
        return self._live

    @classmethod
    def of(cls, world: World, *, plans: bool = False) -> "Encoder":
        """An encoder that knows all of `world`; with `plans`, also what runs, gang by gang."""
        encoder = cls(plans=plans)
        for table in (world.nodes, world.jobs, world.replicas, world.workspaces):
            for entity in table.values():
                encoder.apply(entity)
        for table in (world.tenants, world.projects, world.uses, world.feeds, world.reservations):
            for entity in table.values():
                encoder.apply(entity)
        return encoder

    def apply(self, entity: Entity) -> bool:
        """Take the new value of a job, a replica, a node or a project; whether anything that a decision depends on has changed.

        Applying a value twice changes nothing, and entities of other kinds are ignored.
        """
        if isinstance(entity, Job | Replica | Workspace):
            return self._put_work(entity)
        changed = self._put_other(entity)
        if changed:
            self._came = None
        return changed

    @property
    def nobody_waits(self) -> bool:
        """Whether there is nobody in the line, nor anything kept for anybody, nor a job that may grow."""
        return not (self._gangs or self._claims or self._growing)

    def newcomers(self) -> list[Gang] | None:
        """Those that have come into the line since this was last asked; None where more has changed that a decision depends on."""
        came, self._came = self._came, []
        return came

    def foresee(self, gang: str, end_ms: int) -> None:
        """A gang that runs is taken to end then, until another time is said."""
        self._foreseen[gang] = end_ms
        held = self._nodes.held(gang)
        if held is not None:
            self._nodes.occupy(gang, replace(held, end_ms=end_ms))

    def saves(self, gang: str, pace: Pace | None) -> None:
        """What runs is taken to save at this pace, beside the checkpoints that are told of, until another is said."""
        if self._running is not None:
            self._running.pace(gang, pace)

    def remove_node(self, node: str) -> None:
        """The node is no longer part of the cluster."""
        self._came = None
        self._nodes.remove(node)
        self._power.remove_node(node)
        self._growing.remove_node(node)
        if self._running is not None:
            self._running.remove_node(node)

    def accrued(self, now_ms: int, *, half_life_ms: int, shares: bool = False) -> list[ProjectUse]:
        """What is to be put on record of who uses another amount from now on than before."""
        return self._shares.accrued(now_ms=now_ms, half_life_ms=half_life_ms, always=shares)

    def snapshot(
        self,
        now_ms: int,
        *,
        resume: str = "",
        hold: Hold | None = None,
        dated: bool = True,
        shares: bool = False,
        labels: bool = False,
    ) -> Snapshot:
        """The world as applied so far. `resume` and `hold` are those of the last decision.

        Without `dated` it does not have when what runs must have ended, which costs time and most policies do not read.
        With `shares` it has them even where nobody has a quota, a limit or a weight, and with `labels` those of gangs
        even where none keeps apart.
        """
        nodes, gangs = self._nodes.columns(dated=dated), self._gangs.columns()
        self.memo.keep(gangs, self._gangs.asks())
        columns = self._shares.columns(always=shares)
        return Snapshot(
            now_ms=now_ms,
            nodes=nodes,
            gangs=gangs,
            resume=resume,
            hold=hold,
            shares=columns,
            kinds=None if columns is None else self._kinds.columns(columns.ids, nodes),
            running=None if self._running is None else self._running.columns(nodes.ids, now_ms),
            claims=self._claims.columns(nodes.ids),
            power=self._power.columns(nodes),
            apart=self._apart.columns(nodes.ids, always=labels),
            reserved=self._reserved.columns(nodes.ids),
            growing=self._growing.columns(nodes.ids),
        )

    def _put_work(self, work: Work) -> bool:
        before, attempt = self._live.get(work.id), work.attempt
        if attempt is None or not attempt.live:
            self._live.pop(work.id, None)
        else:
            self._live[work.id] = work
            if before is not None and _only_saved(before, work):
                if self._running is not None:
                    self._running.saved(work)
                grows = self._growing.put(work)
                self._came = None if grows else self._came
                return grows
        held, now = self._nodes.held(work.id), self._footprint(work)
        if held != now:
            self._nodes.occupy(work.id, now)
            self._shares.occupy(owner_of(work), held, now)
            self._kinds.occupy(work.id, owner_of(work), now)
            self._power.occupy(work.id, now)
        moved = held is not now and not (held and held.same_place(now))
        if self._running is not None:
            self._running.put(work)
        moved |= self._claims.put(work)
        moved |= self._growing.put(work)
        self._apart.put(work)
        waits = waiting(work)
        new = waits is not None and work.id not in self._gangs
        changed = self._gangs.put(work.id, waits)
        if moved or (changed and not new):
            self._came = None
        elif changed and waits is not None and self._came is not None:
            self._came.append(waits)
        return changed or moved

    def _footprint(self, work: Work) -> Footprint | None:
        now = footprint(work)
        if now is None:
            self._foreseen.pop(work.id, None)
        elif work.id in self._foreseen:
            return replace(now, end_ms=self._foreseen[work.id])
        return now

    def _put_other(self, entity: Entity) -> bool:
        match entity:
            case Node():
                if self._running is not None:
                    self._running.put_node(entity)
                self._power.put_node(entity)
                self._growing.put_node(entity)
                return self._nodes.put(entity)
            case Tenant() | Project():
                self._kinds.put(entity)
                return self._shares.put(entity)
            case Feed():
                return self._power.put(entity)
            case Reservation():
                return self._reserved.put(entity)
            case ProjectUse():
                self._shares.keep(entity)
                return False
            case _:
                return False


def encode_cold(
    world: World,
    now_ms: int,
    *,
    resume: str = "",
    hold: Hold | None = None,
    shares: bool = False,
    plans: bool = False,
) -> Snapshot:
    """The snapshot of a world, made from scratch."""
    work = [*world.jobs.values(), *world.replicas.values(), *world.workspaces.values()]
    uses: dict[str, list[Footprint]] = {}
    held = [(owner_of(each), use) for each in work if (use := footprint(each)) is not None]
    for _, use in held:
        for node in use.nodes:
            uses.setdefault(node, []).append(use)
    gangs = [gang for gang in map(waiting, work) if gang is not None]
    nodes = cold_nodes(world.nodes.values(), uses)
    entities = (*world.tenants.values(), *world.projects.values())
    columns = cold_shares(entities, world.uses.values(), held, always=shares)
    return Snapshot(
        now_ms=now_ms,
        nodes=nodes,
        gangs=cold_gangs(gangs),
        resume=resume,
        hold=hold,
        shares=columns,
        kinds=columns and cold_kinds(entities, held, columns.ids, nodes),
        running=cold_running(work, world.nodes.values(), nodes.ids) if plans else None,
        claims=cold_claims(work, nodes.ids),
        apart=cold_apart(work, nodes.ids),
        reserved=cold_reserved(world.reservations.values(), nodes.ids),
        growing=cold_growing(work, world.nodes.values(), nodes.ids),
        power=cold_power(world.feeds, world.nodes.values(), (use for _, use in held), nodes),
    )


def _only_saved(before: Work, now: Work) -> bool:
    """Whether a job that runs differs in nothing but its checkpoints and what it reports."""
    return (
        isinstance(now, Job)
        and isinstance(before, Job)
        and now.attempts is before.attempts
        and now.spec is before.spec
        and now.phase is before.phase
        and now.claim is before.claim
    )
