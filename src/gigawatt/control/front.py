"""The leader as the service sees it: writes on their way to a commit, and live figures read from memory."""

from collections.abc import AsyncIterator
from typing import Any

from gigawatt.clock import now_ms
from gigawatt.control.leader import Leader
from gigawatt.model.attempt import Progress
from gigawatt.model.audit import AuditNote, AuditOutcome
from gigawatt.model.change import Entity
from gigawatt.model.command import Command
from gigawatt.model.decision import Start
from gigawatt.model.environment import Environment, EnvironmentPhase
from gigawatt.model.event import Event
from gigawatt.model.gang import Gang, Isolation
from gigawatt.model.job import Job
from gigawatt.model.launch import Placement
from gigawatt.model.ledger import NodeAccount
from gigawatt.model.observation import Audited, CheckpointsFound, DemandSeen, WorkspaceTouched
from gigawatt.model.reason import Reason, ReasonCode
from gigawatt.model.resources import Resources
from gigawatt.model.retention import Kind, Retention
from gigawatt.model.tenant import User
from gigawatt.model.workspace import Workspace
from gigawatt.model.world import World
from gigawatt.reconcile.checkpoints import checkpoint_dir
from gigawatt.reconcile.environments import unused
from gigawatt.reconcile.launches import least
from gigawatt.scheduler import dry_run
from gigawatt.scheduler.explain import CheapestChange, Value, explain
from gigawatt.scheduler.explain import Explanation as Told
from gigawatt.scheduler.fabric import domains_of
from gigawatt.scheduler.owed import owed
from gigawatt.scheduler.power import drawn
from gigawatt.scheduler.scores import Estimate, Score
from gigawatt.scheduler.snapshot import NONE, Snapshot
from gigawatt.service import ports
from gigawatt.service.acting import ACTING, note_of, recorded
from gigawatt.service.ports import Asked, Explanation, Fleet, Owed, ReceiptRequest, WhatIf


class Front:
    """Implements `service.ports.Leader`."""

    def __init__(self, leader: Leader) -> None:
        self._leader = leader

    @property
    def epoch(self) -> int:
        return self._leader.epoch

    @property
    def ready(self) -> bool:
        return self._leader.ready

    async def submit(self, command: Command, *, receipt: ReceiptRequest | None) -> Entity:
        acting = ACTING.get()
        note = None
        if acting is not None and recorded(acting):
            note = note_of(acting, at_ms=now_ms(), outcome=AuditOutcome.DONE)
        return await self._leader.submit(command, receipt=receipt, note=note)

    def audited(self, notes: tuple[AuditNote, ...]) -> None:
        self._leader.observe(Audited(notes=notes))

    def subscribe(self) -> AsyncIterator[Event]:
        return self._leader.watchers.subscribe()

    async def gateway_config(self, *, after: int, wait_s: float) -> dict[str, Any]:
        return await self._leader.gateway.config(after=after, wait_s=wait_s)

    def checkpoint_dir(self, job: Job) -> str:
        return checkpoint_dir(job, self._leader.state.site)

    async def checkpoints_found(self, seen: CheckpointsFound) -> None:
        self._leader.observe(seen)

    async def demand(self, seen: tuple[DemandSeen, ...]) -> None:
        for each in seen:
            self._leader.observe(each)

    def least_isolation(self, tenant: str) -> Isolation:
        return least(self._world, tenant)

    def users_of(self, account: str) -> tuple[User, ...]:
        found = [user for user in self._world.users.values() if user.account == account]
        return tuple(sorted(found, key=lambda each: each.id))

    def keys_of(self, user: str) -> tuple[str, ...]:
        return tuple(key.id for key in self._world.keys.values() if key.user == user)

    def job(self, id: str) -> Job | None:
        return self._world.jobs.get(id)

    def progress(self, gang: str) -> Progress | None:
        job = self._world.jobs.get(gang)
        return job.progress if job else None

    def workspace(self, id: str) -> Workspace | None:
        return self._world.workspaces.get(id)

    def workspace_touched(self, seen: WorkspaceTouched) -> None:
        self._leader.observe(seen)

    def environment(self, id: str) -> Environment | None:
        """A live environment, with the stage that its build is at."""
        return self._world.environments.get(id)

    def ready_environments(self) -> tuple[Environment, ...]:
        everything = self._world.environments.values()
        return tuple(each for each in everything if each.phase is EnvironmentPhase.READY)

    def unused_environments(self, *, since_ms: int) -> tuple[Environment, ...]:
        return unused(self._world, since_ms=since_ms)

    def waiting(self, gang: str) -> tuple[int, Reason] | None:
        wait = self._leader.state.waits.get(gang)
        return (wait.position, wait.reason) if wait else None

    def line(self) -> tuple[str, ...]:
        waits = self._leader.state.waits
        return tuple(sorted(waits, key=lambda gang: (waits[gang].position, gang)))

    def free(self, node: str) -> Resources | None:
        nodes = self._snapshot().nodes
        row = nodes.row(node)
        if row == NONE:
            return None
        milli_gpu, milli_cpu, memory_bytes = nodes.free_NK[row].tolist()
        return Resources(milli_gpu=milli_gpu, milli_cpu=milli_cpu, memory_bytes=memory_bytes)

    def explain(self, gang: str) -> Explanation | None:
        state = self._leader.state
        found = explain(
            self._snapshot(),
            gang,
            state.policy,
            state.encoder.memo,
            likely_ms=self._leader.foresight.likely_ms(gang),
        )
        return None if found is None else _explanation(found)

    def estimated(self, gang: str) -> Estimate | None:
        return self._leader.foresight.newest(gang)

    def end_of(self, job: Job) -> Estimate | None:
        return self._leader.foresight.end_of(job)

    def expected_ms(self, gang: Gang, *, user: str, name: str) -> int:
        return self._leader.foresight.expected_ms(gang, user=user, name=name)

    async def estimate(self, gang: str) -> Estimate | None:
        return await self._leader.foresight.of(gang)

    async def estimate_asked(self, gang: Gang, *, user: str) -> Estimate | None:
        return await self._leader.foresight.asked(gang, user=user)

    async def sooner(self, gang: str) -> ports.CheapestChange | None:
        change = await self._leader.foresight.sooner(gang)
        return None if change is None else _change(change)

    def score(self) -> Score:
        return self._leader.foresight.score

    def feasible(self, gang: Gang) -> Reason | None:
        """Before any node has joined there is nothing to measure against: everything may be feasible."""
        reason = dry_run.feasible(self._snapshot(), gang, self._leader.state.encoder.memo)
        return None if reason and reason.code is ReasonCode.NO_NODES else reason

    def what_if(self, gang: Gang) -> WhatIf:
        state = self._leader.state
        snapshot = self._snapshot(labels=_worn(gang))
        found = dry_run.what_if(snapshot, gang, state.policy, state.encoder.memo)
        if isinstance(found, Reason):
            return WhatIf(placements=(), reason=found)
        return WhatIf(placements=_placements(found, gang, self._world), reason=None)

    def ask(self, gang: Gang) -> Asked:
        state, snapshot = self._leader.state, self._snapshot(labels=_worn(gang))
        told = dry_run.asked(snapshot, gang, state.policy, state.encoder.memo)
        if told.start is None:
            return Asked(explanation=_explanation(told))
        nodes = told.start.nodes
        return Asked(nodes=nodes, domains=domains_of(snapshot.nodes, nodes))

    def gpu_kinds(self) -> tuple[str, ...]:
        return self._snapshot().nodes.gpu_kinds

    def accounts_now(self) -> tuple[NodeAccount, ...]:
        return tuple(self._world.accounts.values())

    def account(self, node: str) -> NodeAccount | None:
        return self._world.accounts.get(node)

    def fleet(self) -> Fleet:
        work = dict(self._leader.state.encoder.live)
        return Fleet(nodes=tuple(self._world.nodes.values()), work=work)

    def owed(self) -> dict[str, Owed]:
        dated = self._leader.state.policy.needs_uses
        snapshot = self._leader.state.encoder.snapshot(now_ms(), dated=dated, shares=True)
        return {
            each.id: Owed(
                used=each.used,
                quota=each.quota,
                average=each.average,
                share=each.share,
                kinds=each.kinds,
            )
            for each in owed(snapshot, self._leader.state.policy)
        }

    def drawn(self) -> dict[str, int]:
        snapshot = self._snapshot()
        return drawn(snapshot.power, snapshot.nodes) if snapshot.power else {}

    def policies(self) -> dict[tuple[str, str], Retention]:
        return {(each.tenant, each.name): each.retention for each in self._world.projects.values()}

    def needs(self, kind: Kind, id: str) -> bool:
        """Whether anything live uses it: copies of the tables, as this is asked from threads."""
        world = self._world
        if kind is Kind.ENVIRONMENTS:
            return id in world.environments
        if kind in {Kind.LOGS, Kind.CHECKPOINTS}:
            return id in world.jobs or id in world.replicas
        name = id.rpartition("/")[2].removeprefix("sha256:")
        users = (
            *tuple(world.jobs.values()),
            *tuple(world.arrays.values()),
            *tuple(world.endpoints.values()),
        )
        if any(user.spec.bundle.endswith(name) for user in users):
            return True
        endpoints = tuple(world.endpoints.values())
        return any(each.spec.model_path.endswith(name) for each in endpoints)

    @property
    def _world(self) -> World:
        return self._leader.state.world

    def _snapshot(self, *, labels: bool = False) -> Snapshot:
        return self._leader.state.snapshot(now_ms(), labels=labels)


def _worn(gang: Gang) -> bool:
    """Whether it may be kept from nodes by what others wear."""
    return bool(gang.labels or gang.shape.apart)


def _explanation(found: Told) -> Explanation | None:
    """None of a gang that starts."""
    if found.reason is None:
        return None
    change = found.cheapest_change
    return Explanation(
        reason=found.reason,
        position=found.position,
        change=None if change is None else _change(change),
    )


def _change(change: CheapestChange) -> ports.CheapestChange:
    return ports.CheapestChange(
        field=change.field,
        current=_text(change.before),
        proposed=_text(change.after),
        start=change.start,
    )


def _text(value: Value) -> str:
    """As a job file writes it."""
    if isinstance(value, tuple):
        return f"[{', '.join(value)}]"
    return str(value)


def _placements(start: Start, gang: Gang, world: World) -> tuple[Placement, ...]:
    """Ranks, nodes and devices, as a launch would have them."""
    each = gang.shape.ranks_per_node
    return tuple(
        Placement(
            rank=index * each + local_rank,
            node=node,
            local_rank=local_rank,
            gpus=_uuids(start, index, world),
        )
        for index, node in enumerate(start.nodes)
        for local_rank in range(each)
    )


def _uuids(start: Start, index: int, world: World) -> tuple[str, ...]:
    if not start.gpus:
        return ()
    gpus = world.nodes[start.nodes[index]].report.gpus
    return tuple(gpus[place].uuid for place in start.gpus[index])
