"""Workspaces: make, list, show, start, suspend, extend, delete, and the way in."""

from urllib.parse import urlencode

from gigawatt import clock
from gigawatt.model.change import Entity
from gigawatt.model.command import (
    DeleteWorkspace,
    ExtendWorkspace,
    MakeWorkspace,
    StartWorkspace,
    SuspendWorkspace,
)
from gigawatt.model.ids import make_id
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller
from gigawatt.model.workspace import Workspace, WorkspacePhase
from gigawatt.service.doors import CODE_MS
from gigawatt.service.lookup import Filters, find_workspace
from gigawatt.service.permissions import home, verb
from gigawatt.service.receipts import once
from gigawatt.service.services import Services, Terms
from gigawatt.service.submissions import check_feasible
from gigawatt.service.views.text import PageView
from gigawatt.service.views.workspaces import OpenView, WorkspaceView, workspace_view
from gigawatt.service.workspace_plans import planned
from gigawatt.spec.workspaces import WorkspaceDraft

PHASES = tuple(phase.value for phase in WorkspacePhase)
ENTROPY_BYTES = 5


@verb
async def make(
    caller: Caller, services: Services, draft: WorkspaceDraft, *, project: str, terms: Terms
) -> WorkspaceView:
    """A new workspace, started at once. Raises RefusalError."""
    tenant, project = home(caller, project)

    async def write() -> Entity:
        plan = await planned(caller, services, draft, project)
        now_ms = clock.now_ms()
        made = MakeWorkspace(
            id=make_id("ws", now_ms=now_ms, entropy=clock.entropy(ENTROPY_BYTES)),
            tenant=tenant,
            project=project,
            by=caller.name,
            spec=plan.spec,
            environments=plan.environments,
        )
        check_feasible(services, plan.gang(tenant, project, now_ms))
        return await services.leader.submit(made, receipt=terms.receipt(tenant))

    return _view(services, await once(Workspace, services, terms, tenant, write))


@verb
async def page(caller: Caller, services: Services, filters: Filters) -> PageView[WorkspaceView]:
    """Workspaces, newest first; deleted ones only where their phase is asked for."""
    query = filters.query(caller, phases=PHASES)
    found = await services.read(lambda: services.store.page(Workspace, query))
    return PageView(items=[_view(services, each) for each in found.items], next=found.next)


@verb
async def show(
    caller: Caller, services: Services, reference: str, *, project: str = ""
) -> WorkspaceView:
    """One workspace, by id or name."""
    return _view(services, await find_workspace(caller, services, reference, project))


@verb
async def start(
    caller: Caller, services: Services, reference: str, *, project: str, terms: Terms
) -> WorkspaceView:
    """Start a suspended or failed one again, with its home as it was left. One that goes already goes on."""
    workspace = await find_workspace(caller, services, reference, project)

    async def write() -> Entity:
        version = terms.check(workspace.version)
        command = StartWorkspace(id=workspace.id, by=caller.name, if_version=version)
        return await services.leader.submit(command, receipt=terms.receipt(workspace.tenant))

    return _view(services, await once(Workspace, services, terms, workspace.tenant, write))


@verb
async def suspend(
    caller: Caller, services: Services, reference: str, *, project: str, terms: Terms
) -> WorkspaceView:
    """Stop its program and give back what it holds; its home stays."""
    workspace = await find_workspace(caller, services, reference, project)

    async def write() -> Entity:
        version = terms.check(workspace.version)
        command = SuspendWorkspace(id=workspace.id, by=caller.name, if_version=version)
        return await services.leader.submit(command, receipt=terms.receipt(workspace.tenant))

    return _view(services, await once(Workspace, services, terms, workspace.tenant, write))


@verb
async def extend(
    caller: Caller, services: Services, reference: str, by_s: int, *, project: str, terms: Terms
) -> WorkspaceView:
    """Have its lease end later. Raises RefusalError beyond what this instance allows from now on."""
    workspace = await find_workspace(caller, services, reference, project)

    async def write() -> Entity:
        terms.check(workspace.version)
        command = ExtendWorkspace(
            id=workspace.id, by=caller.name, lease_end_ms=_later(services, workspace, by_s)
        )
        return await services.leader.submit(command, receipt=terms.receipt(workspace.tenant))

    return _view(services, await once(Workspace, services, terms, workspace.tenant, write))


@verb
async def delete(
    caller: Caller, services: Services, reference: str, *, project: str, purge: bool, terms: Terms
) -> WorkspaceView:
    """Stop it and forget it; its home stays unless it is purged."""
    workspace = await find_workspace(caller, services, reference, project)

    async def write() -> Entity:
        version = terms.check(workspace.version)
        command = DeleteWorkspace(id=workspace.id, by=caller.name, purge=purge, if_version=version)
        return await services.leader.submit(command, receipt=terms.receipt(workspace.tenant))

    return _view(services, await once(Workspace, services, terms, workspace.tenant, write))


@verb
async def enter(
    caller: Caller, services: Services, reference: str, key: str, *, project: str = ""
) -> OpenView:
    """A link into it, good once and for a minute, on behalf of the key of that id."""
    workspace = await find_workspace(caller, services, reference, project)
    code = services.doors.code(workspace.id, key)
    url = f"{services.workspaces.url}{workspace.path}?{urlencode({'gigawatt-code': code})}"
    return OpenView(workspace=workspace.id, url=url, expires_ms=clock.now_ms() + CODE_MS)


def _later(services: Services, workspace: Workspace, by_s: int) -> int:
    """When the lease is to end. Raises RefusalError."""
    if not workspace.lease_end_ms and not workspace.spec.lease_s:
        detail = f"workspace {workspace.spec.name} has no lease: nothing ends it but want of use"
        raise RefusalError(RefusalCode.CONFLICT, detail)
    now_ms = clock.now_ms()
    end_ms = max(workspace.lease_end_ms, now_ms) + by_s * 1_000
    most_s = services.workspaces.lease_max_s
    if most_s and end_ms - now_ms > most_s * 1_000:
        detail = (
            f"a lease may last {most_s} s from now, and this would be {(end_ms - now_ms) // 1000} s"
        )
        hint = "extend it by less now, and again later"
        raise RefusalError(RefusalCode.LIMIT, detail, field="by", hint=hint)
    return end_ms


def _view(services: Services, workspace: Workspace) -> WorkspaceView:
    """With what only the leader's memory has of it."""
    live = services.leader.workspace(workspace.id)
    newest = live if live is not None and live.version >= workspace.version else workspace
    waiting = services.leader.waiting(workspace.id)
    return workspace_view(newest, waiting=waiting, proxy_url=services.workspaces.url)
