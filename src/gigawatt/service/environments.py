"""Environments: have one built, list and show them, compare two, check one, remove those that nobody uses."""

import asyncio
from pathlib import Path

from gigawatt import clock
from gigawatt.build.contents import check_contents, own_bytes
from gigawatt.build.interpreters import own_version
from gigawatt.build.locks import diff_locks
from gigawatt.model.command import EnsureEnvironment, RemoveEnvironment
from gigawatt.model.environment import HOST, Environment, EnvironmentPhase, EnvironmentSpec
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller
from gigawatt.service.lookup import Filters, find_environment, find_job
from gigawatt.service.permissions import home, sees, verb, within
from gigawatt.service.services import Services, Terms
from gigawatt.service.submissions import Place, wanted_environment
from gigawatt.service.views.environments import (
    EnvironmentCheckView,
    EnvironmentDiffView,
    EnvironmentPruneView,
    PinChangeView,
    PinView,
    PrunedEnvironmentView,
)
from gigawatt.service.views.registry import EnvironmentView, environment_view
from gigawatt.service.views.text import PageView
from gigawatt.spec.requests import EnvironmentPruneRequest

ENVIRONMENT_PREFIX = "env-"
PHASES = tuple(phase.value for phase in EnvironmentPhase)


@verb
async def ensure(
    caller: Caller, services: Services, spec: EnvironmentSpec, *, project: str, terms: Terms
) -> EnvironmentView:
    """The environment, being built from now on if it is not there. Raises RefusalError."""
    tenant, project = home(caller, project)
    place = Place(tenant=tenant, project=project)
    _, wanted = await wanted_environment(services, spec, place)
    if wanted is None:
        raise RefusalError(
            RefusalCode.INVALID,
            "the host's environment is what is on the machine: there is nothing to build",
            field="kind",
            hint="use kind uv, or no environment at all",
        )
    command = EnsureEnvironment(environment=wanted, by=caller.name)
    environment = await services.leader.submit(command, receipt=terms.receipt(tenant))
    assert isinstance(environment, Environment)
    return environment_view(environment)


@verb
async def page(caller: Caller, services: Services, filters: Filters) -> PageView[EnvironmentView]:
    """Environments, newest first."""
    query = filters.query(caller, phases=PHASES)
    found = await services.read(lambda: services.store.page(Environment, query))
    views = [environment_view(_live(services, each)) for each in found.items]
    return PageView(items=views, next=found.next)


@verb
async def show(caller: Caller, services: Services, reference: str) -> EnvironmentView:
    """One environment, by id."""
    return environment_view(_live(services, await find_environment(caller, services, reference)))


@verb
async def diff(
    caller: Caller, services: Services, before: str, after: str, *, project: str = ""
) -> EnvironmentDiffView:
    """How two environments differ, package by package. Either may be named by a job that uses it."""
    first = await _locked(caller, services, before, project, field="environment")
    second = await _locked(caller, services, after, project, field="to")
    found = diff_locks(_lock_of(first), _lock_of(second))
    pythons = [each.spec.python or own_version() for each in (first, second)]
    changed = pythons[0] != pythons[1]
    python = PinChangeView(name="python", before=pythons[0], after=pythons[1]) if changed else None
    return EnvironmentDiffView(
        before=first.id,
        after=second.id,
        python=python,
        added=tuple(PinView(name=pin.name, version=pin.version) for pin in found.added),
        removed=tuple(PinView(name=pin.name, version=pin.version) for pin in found.removed),
        changed=tuple(
            PinChangeView(name=each.name, before=each.before, after=each.after)
            for each in found.changed
        ),
        same=found.same,
    )


@verb
async def verify(caller: Caller, services: Services, reference: str) -> EnvironmentCheckView:
    """Whether every file of a built environment still is what was installed. Reads all of it."""
    environment = _live(services, await find_environment(caller, services, reference))
    if environment.phase is not EnvironmentPhase.READY:
        detail = f"{environment.id} is {environment.phase.value}: there is nothing to check"
        raise RefusalError(RefusalCode.CONFLICT, detail, field="environment")
    found = await asyncio.to_thread(
        check_contents, Path(environment.path), digest=environment.digest
    )
    return EnvironmentCheckView(
        id=environment.id,
        digest=environment.digest,
        files=found.files,
        size_bytes=found.size_bytes,
        whole=not found.faults,
        faults=found.faults,
    )


@verb
async def prune(
    caller: Caller, services: Services, request: EnvironmentPruneRequest, *, project: str
) -> EnvironmentPruneView:
    """Remove environments that no live work refers to and none has used lately; asked again, what is left to go.

    Their records and locks stay, and whoever asks for one has it built again.
    """
    tenant, wanted_project = within(caller, "", project)
    cutoff_ms = clock.now_ms() - request.unused_for * 1000

    def is_meant(each: Environment) -> bool:
        place = tenant in {"", each.tenant} and wanted_project in {"", each.project}
        return place and sees(caller, each.tenant, each.project)

    unused = filter(is_meant, services.leader.unused_environments(since_ms=cutoff_ms))
    there = tuple(filter(is_meant, services.leader.ready_environments()))
    doomed = _over(tuple(unused), there, request.keep)
    removed: list[PrunedEnvironmentView] = []
    for each in doomed:
        freed_bytes = await asyncio.to_thread(own_bytes, Path(each.path)) if each.path else 0
        if request.dry_run or await _removed(caller, services, each, cutoff_ms):
            view = PrunedEnvironmentView(
                id=each.id,
                size_bytes=each.size_bytes,
                freed_bytes=freed_bytes,
                used_ms=each.last_used_ms,
            )
            removed.append(view)
    gone = {each.id for each in removed}
    return EnvironmentPruneView(
        items=tuple(removed),
        size_bytes=sum(each.size_bytes for each in removed),
        freed_bytes=sum(each.freed_bytes for each in removed),
        left=sum(each.id not in gone for each in there),
        dry_run=request.dry_run,
    )


async def _removed(
    caller: Caller, services: Services, environment: Environment, cutoff_ms: int
) -> bool:
    """Whether it is gone: the leader looks once more, and keeps what work has taken up since."""
    command = RemoveEnvironment(id=environment.id, unused_since_ms=cutoff_ms, by=caller.name)
    try:
        await services.leader.submit(command, receipt=None)
    except RefusalError as refusal:
        if refusal.code is not RefusalCode.CONFLICT:
            raise
        return False
    return True


def _over(
    unused: tuple[Environment, ...], there: tuple[Environment, ...], keep_bytes: int | None
) -> tuple[Environment, ...]:
    """Those of the unused that must go, in their order, so that what stays is at most `keep_bytes`; all without it."""
    if keep_bytes is None:
        return unused
    left_bytes = sum(each.size_bytes for each in there)
    doomed: list[Environment] = []
    for each in unused:
        if left_bytes <= keep_bytes:
            break
        doomed.append(each)
        left_bytes -= each.size_bytes
    return tuple(doomed)


async def _locked(
    caller: Caller, services: Services, reference: str, project: str, *, field: str
) -> Environment:
    """The environment that an id, or the id or name of a job, means, once it has a lock. Raises RefusalError."""
    named = reference
    if not reference.startswith(ENVIRONMENT_PREFIX):
        named = (await find_job(caller, services, reference, project)).spec.environment
    if named == HOST:
        raise RefusalError(
            RefusalCode.INVALID,
            f"{reference} uses what is on the machine, of which there is no lock",
            field=field,
            hint="only environments of kind uv can be compared",
        )
    environment = _live(services, await find_environment(caller, services, named))
    if not _lock_of(environment) and environment.spec.requirements:
        detail = f"{named} is {environment.phase.value} and has no lock"
        raise RefusalError(RefusalCode.CONFLICT, detail, field=field)
    return environment


def _lock_of(environment: Environment) -> str:
    return environment.lock or environment.spec.lock


def _live(services: Services, environment: Environment) -> Environment:
    """With the stage that its build is at, which only the leader's memory has."""
    return services.leader.environment(environment.id) or environment
