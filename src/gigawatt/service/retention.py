"""Retention: how long a project's things are kept, what could be removed and why the rest stays, and removing it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from gigawatt import clock
from gigawatt.model.array import JobArray
from gigawatt.model.artifact import Artifact
from gigawatt.model.change import Entity
from gigawatt.model.command import RemoveArtifact, RemoveEnvironment, RemoveJob, SetRetention
from gigawatt.model.environment import Environment
from gigawatt.model.job import Job
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.retention import FOR_EVER, POLICED, Kind, Retention
from gigawatt.model.tenant import Caller, Project, Role
from gigawatt.reconcile.prune_plan import Item, PrunePlan, Ref
from gigawatt.reconcile.prune_plan import plan as planned
from gigawatt.service.holdings import Holdings, gather
from gigawatt.service.lookup import find_project
from gigawatt.service.permissions import verb, within
from gigawatt.service.services import Services, Terms
from gigawatt.service.views.retention import PruneView, RetentionView, prune_view, retention_view
from gigawatt.telemetry import metrics

UNASKED = frozenset(Kind) - {Kind.CACHES}  # what a prune is about that names no kind
REMOVED_MAX = 1_000  # things that one prune removes; the next goes on


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a prune is about. With `older_than_ms`, that holds instead of the projects' policies."""

    kinds: frozenset[Kind] = UNASKED
    older_than_ms: int | None = None
    tenant: str = ""
    project: str = ""
    limit: int = REMOVED_MAX
    enough: Callable[[], bool] = lambda: False  # asked before each removal: whether to stop
    by: str = "retention"

    def holds(self, item: Item) -> bool:
        """Whether it is about this item. What belongs to no project is for asks without one."""
        if item.kind not in self.kinds:
            return False
        return self.project in {"", item.project} and self.tenant in {"", item.tenant}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What there was to do, and what of it was done. `errors` are the world's, in words."""

    plan: PrunePlan
    removed: tuple[Item, ...] = ()
    kept: tuple[tuple[Item, str], ...] = ()  # needed by now, with the reason
    errors: tuple[str, ...] = ()


@verb
async def show(caller: Caller, services: Services, *, project: str) -> RetentionView:
    """A project's own policy, and what holds where it has none."""
    found = await find_project(caller, services, project)
    return retention_view(found, services.retention)


@verb
async def set_policy(
    caller: Caller,
    services: Services,
    change: Callable[[Retention], Retention],
    *,
    project: str,
    terms: Terms,
) -> RetentionView:
    """Change a project's policy. Raises RefusalError."""
    found = await find_project(caller, services, project)
    command = SetRetention(
        tenant=found.tenant,
        name=found.name,
        retention=change(found.retention),
        by=caller.name,
        if_version=terms.check(found.version),
    )
    after = await services.leader.submit(command, receipt=terms.receipt(found.tenant))
    assert isinstance(after, Project)
    return retention_view(after, services.retention)


@verb
async def dry_run(caller: Caller, services: Services, ask: Ask) -> PruneView:
    """What a prune would remove, and why what stays stays."""
    now_ms = clock.now_ms()
    ask = _permitted(caller, ask)
    plan, holdings = await _plan(services, ask, now_ms)
    errors = (holdings.trouble,) if holdings.trouble else ()
    return prune_view(plan, ask.holds, now_ms=now_ms, limit=ask.limit, errors=errors)


@verb
async def prune(caller: Caller, services: Services, ask: Ask) -> PruneView:
    """Remove it. What came to be needed meanwhile stays."""
    now_ms = clock.now_ms()
    ask = _permitted(caller, ask)
    done = await prune_once(services, ask)
    return prune_view(done.plan, ask.holds, now_ms=now_ms, limit=ask.limit, done=done)


async def prune_once(services: Services, ask: Ask) -> Pruned:
    """One pass: at most `ask.limit` things are removed, one after another, none on the loop's time."""
    async with services.pruning:
        now_ms = clock.now_ms()
        plan, holdings = await _plan(services, ask, now_ms)
        run = _Run(services=services, ask=ask, planned_ms=now_ms, holdings=holdings)
        await asyncio.to_thread(services.premises.sweep)
        for item in plan.go[: ask.limit]:
            if ask.enough():
                break
            await run.remove(item)
    for item in run.removed:
        metrics.RETENTION_REMOVED.labels(item.kind).inc()
        metrics.RETENTION_REMOVED_BYTES.labels(item.kind).inc(item.size_bytes)
    return Pruned(
        plan=plan, removed=tuple(run.removed), kept=tuple(run.kept), errors=tuple(run.errors)
    )


async def _plan(services: Services, ask: Ask, now_ms: int) -> tuple[PrunePlan, Holdings]:
    policies = services.leader.policies()

    def look() -> tuple[PrunePlan, Holdings]:
        contents = Kind.CONTENTS in ask.kinds
        holdings = gather(services.store, services.premises, contents=contents)
        dated = [
            replace(item, expires_ms=_expires_ms(services, item, ask, policies))
            for item in holdings.items
        ]
        return planned(dated, now_ms=now_ms), holdings

    return await services.read(look)


def _expires_ms(
    services: Services, item: Item, ask: Ask, policies: dict[tuple[str, str], Retention]
) -> int | None:
    """When an item may go as far as this ask goes; None where it may not."""
    if not ask.holds(item):
        return None
    kind = Kind(item.kind)
    if kind is Kind.CACHES:
        return item.used_ms + (ask.older_than_ms or 0)
    if not item.tenant:  # files without a record, whatever the policies
        return item.used_ms + services.grace_ms
    if ask.older_than_ms is not None:
        return item.used_ms + ask.older_than_ms
    own = policies.get((item.tenant, item.project), Retention()).of(kind)
    span_ms = services.retention.of(kind) if own is None else own
    return None if span_ms in {None, FOR_EVER} else item.used_ms + (span_ms or 0)


class _Run:
    """Carries a plan out. What turns out to be needed keeps what it refers to and what it owns."""

    def __init__(
        self, *, services: Services, ask: Ask, planned_ms: int, holdings: Holdings
    ) -> None:
        self._services = services
        self._ask = ask
        self._planned_ms = planned_ms
        self._entities = holdings.entities
        self._needed: set[Ref] = set()
        self.removed: list[Item] = []
        self.kept: list[tuple[Item, str]] = []
        self.errors: list[str] = [holdings.trouble] if holdings.trouble else []
        self._away = ""  # why what is kept elsewhere cannot be removed now

    async def remove(self, item: Item) -> None:
        """One item: first its record, through the leader; then its files."""
        if item.ref in self._needed or item.owner in self._needed:
            self._keep(item, "what needs it is needed by now")
            return
        if item.kind == Kind.CONTENTS and self._away:
            self._keep(item, self._away)
            return
        try:
            recorded = await self._unrecord(item)
            if item.kind not in {Kind.JOBS, Kind.ARTIFACTS} and not recorded:
                await asyncio.to_thread(self._discard, item)
        except RefusalError as refusal:
            if refusal.code is not RefusalCode.CONFLICT:
                self.errors.append(f"{item.kind} {item.id}: {refusal.detail}")
            if item.kind == Kind.CONTENTS and refusal.code is RefusalCode.UNAVAILABLE:
                self._away = refusal.detail  # each of the others would wait for it too
            self._keep(item, refusal.detail)
        except OSError as error:
            self.errors.append(f"{item.kind} {item.id}: {error}")
            self._keep(item, str(error))
        else:
            self.removed.append(item)

    async def _unrecord(self, item: Item) -> bool:
        """Whether it had a record. An environment's files go by the loop, once this is committed."""
        entity = self._entities.get(item.ref)
        command = None if entity is None else self._command(entity)
        if command is not None:
            await self._services.leader.submit(command, receipt=None)
        return command is not None

    def _command(self, entity: Entity) -> RemoveJob | RemoveEnvironment | RemoveArtifact:
        planned_ms, by = self._planned_ms, self._ask.by
        match entity:
            case Job() | JobArray():
                return RemoveJob(job=entity, planned_ms=planned_ms, by=by)
            case Environment():
                return RemoveEnvironment(id=entity.id, unused_since_ms=planned_ms - 1, by=by)
            case Artifact():
                return RemoveArtifact(artifact=entity, planned_ms=planned_ms, by=by)
            case _:
                raise AssertionError(entity)

    def _discard(self, item: Item) -> None:
        """Blocks."""
        leader = self._services.leader

        def unless() -> bool:
            return leader.needs(Kind(item.kind), item.id)

        self._services.premises.discard(
            Kind(item.kind), item.id, unused_since_ms=self._planned_ms, unless=unless
        )

    def _keep(self, item: Item, why: str) -> None:
        self.kept.append((item, why))
        self._needed |= {item.ref, *item.refers}


def _permitted(caller: Caller, ask: Ask) -> Ask:
    """The ask, as far as this caller's view goes. What belongs to nobody is the operator's."""
    tenant, project = within(caller, ask.tenant, ask.project)
    whole = caller.role is Role.OPERATOR and not project
    kinds = ask.kinds if whole else ask.kinds & frozenset(POLICED)
    return replace(ask, tenant=tenant, project=project, kinds=kinds, by=caller.name)
