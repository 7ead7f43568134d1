"""Finding what a caller names, by id or by name; what it cannot see is not there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from gigawatt.model.array import JobArray, task_id, task_reference
from gigawatt.model.attempt import Attempt
from gigawatt.model.change import Entity
from gigawatt.model.endpoint import Endpoint, EndpointPhase
from gigawatt.model.environment import Environment
from gigawatt.model.job import Job
from gigawatt.model.notification import LabelTerm
from gigawatt.model.ranges import contains, text
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.retention import RemovedJob
from gigawatt.model.tenant import Caller, Project
from gigawatt.model.workspace import Workspace, WorkspacePhase
from gigawatt.service.permissions import home, sees, within
from gigawatt.service.services import Services
from gigawatt.spec.faults import nearest
from gigawatt.store.base import Query, Store

Owned = TypeVar("Owned", Job, JobArray, Endpoint, Environment, Workspace)

PAGE_LIMIT = 50
PAGE_LIMIT_MAX = 500
REFERENCE_CHARS_MAX = 256
LISTED_BY = {  # where no command has the kind's own name
    "array": "jobs",
    "artifact": "",
    "environment": "env",
    "feed": "power",
    "replica": "endpoints",
    "workspace": "dev list",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a list is narrowed to; empty ones hold always. Newest first."""

    tenant: str = ""
    project: str = ""
    phases: tuple[str, ...] = ()
    name: str = ""
    name_prefix: str = ""
    name_part: str = ""
    id_prefix: str = ""
    labels: tuple[LabelTerm, ...] = ()  # of jobs
    user: str = ""  # who submitted them, of jobs
    since_ms: int = 0
    until_ms: int = 0
    cursor: str = ""
    limit: int = PAGE_LIMIT

    def query(self, caller: Caller, *, phases: tuple[str, ...] = (), parent: str = "") -> Query:
        """The store's query for what this caller can see. `phases` are those there are. Raises RefusalError."""
        tenant, project = within(caller, self.tenant, self.project)
        for phase in self.phases:
            if phase not in phases:
                detail = f"phase is not known: {phase}"
                hint = nearest(phase, phases)
                raise RefusalError(RefusalCode.INVALID, detail, field="phase", hint=hint)
        return Query(
            tenant=tenant,
            project=project,
            phases=self.phases,
            name=self.name,
            name_prefix=self.name_prefix,
            name_part=self.name_part,
            id_prefix=self.id_prefix,
            since_ms=self.since_ms,
            until_ms=self.until_ms,
            parent=parent,
            cursor=self.cursor,
            limit=min(max(self.limit, 1), PAGE_LIMIT_MAX),
        )


async def find_project(caller: Caller, services: Services, project: str) -> Project:
    """The project of that name in the caller's tenant, or its own. Raises RefusalError (not-found, forbidden)."""
    tenant, name = home(caller, project)
    found = await services.read(lambda: services.store.read(Project, f"{tenant}/{name}"))
    if found is None:
        raise not_found("project", name)
    return found


async def find_job(caller: Caller, services: Services, reference: str, project: str = "") -> Job:
    """The job of that id, of `ARRAY[17]`, or the newest of that name. Raises RefusalError (not-found)."""
    find = _finder(services.store, caller, Job, reference, project)
    task = task_reference(reference)
    if task is None:
        try:
            return await services.read(find)
        except RefusalError as error:
            if error.code is RefusalCode.NOT_FOUND:
                await _check_array(caller, services, reference, project)
            raise
    array = await find_array(caller, services, task[0], project)
    of_task = task_id(array.id, task[1])
    if not contains(array.tasks.indices, task[1]):
        detail = f"array {array.id} has no task {task[1]}: it has {text(array.tasks.indices)}"
        raise RefusalError(RefusalCode.NOT_FOUND, detail, field="index")
    try:
        return await services.read(_finder(services.store, caller, Job, of_task, project))
    except RefusalError as error:
        if error.code is not RefusalCode.NOT_FOUND:
            raise
        detail = f"task {task[1]} of {array.spec.name} has not been started"
        hint = f"gw jobs {array.id} shows which are pending"
        raise RefusalError(error.code, detail, hint=hint) from error


async def find_array(
    caller: Caller, services: Services, reference: str, project: str = ""
) -> JobArray:
    """The array of that id, or the newest of that name. Raises RefusalError (not-found)."""
    return await services.read(_finder(services.store, caller, JobArray, reference, project))


async def find_endpoint(
    caller: Caller, services: Services, reference: str, project: str = ""
) -> Endpoint:
    """The endpoint of that id, or the newest of that name that is not gone. Raises RefusalError (not-found)."""
    find = _finder(services.store, caller, Endpoint, reference, project)
    endpoint = await services.read(find)
    if endpoint.phase is EndpointPhase.STOPPED and endpoint.id != reference:
        raise not_found("endpoint", reference)
    return endpoint


async def find_workspace(
    caller: Caller, services: Services, reference: str, project: str = ""
) -> Workspace:
    """The workspace of that id, or of that name and not gone. Raises RefusalError (not-found)."""
    try:
        workspace = await services.read(
            _finder(services.store, caller, Workspace, reference, project)
        )
    except RefusalError as error:
        raise RefusalError(
            error.code, error.detail, hint="gw dev list shows those there are"
        ) from error
    if workspace.phase is WorkspacePhase.DELETED and workspace.id != reference:
        raise RefusalError(
            RefusalCode.NOT_FOUND,
            f"there is no workspace {reference}",
            hint=f"gw dev {reference} makes one",
        )
    return workspace


async def find_environment(caller: Caller, services: Services, reference: str) -> Environment:
    """The environment of that id. Raises RefusalError (not-found)."""
    return await services.read(_finder(services.store, caller, Environment, reference, ""))


def attempt_of(job: Job, number: int | None) -> Attempt | None:
    """The attempt of that number, or the newest. Raises RefusalError (not-found) for one that never was."""
    if number is None:
        return job.attempt
    if not 1 <= number <= len(job.attempts):
        detail = f"job {job.id} has {len(job.attempts)} attempts, not {number}"
        raise RefusalError(RefusalCode.NOT_FOUND, detail, field="attempt")
    return job.attempts[number - 1]


def not_found(kind: str, reference: str) -> RefusalError:
    """What is answered for something that is not there, or not for the caller to see."""
    listed = LISTED_BY.get(kind, f"{kind}s")
    return RefusalError(
        RefusalCode.NOT_FOUND,
        f"there is no {kind} {reference[:REFERENCE_CHARS_MAX]}",
        hint=f"gw {listed} lists those there are" if listed else "",
    )


async def _check_array(caller: Caller, services: Services, reference: str, project: str) -> None:
    """Tell of an array where one job was asked for."""
    try:
        array = await find_array(caller, services, reference, project)
    except RefusalError:
        return
    detail = f"{reference} is an array of {array.count} tasks, and one job is asked for"
    hint = f"name a task, e.g. '{array.spec.name}[{array.tasks.indices[0][0]}]'; gw jobs {reference} lists them"
    raise RefusalError(RefusalCode.NOT_FOUND, detail, field="job", hint=hint)


def _check_removed(store: Store, caller: Caller, reference: str) -> None:
    """Tell of a job or an array that was there that it is not any more."""
    removed = store.read(RemovedJob, reference)
    if removed is not None and sees(caller, removed.tenant, removed.project, gang=removed.id):
        raise RefusalError(
            RefusalCode.GONE,
            f"{removed.id} ({removed.name}, {removed.phase}) was removed by {removed.by}",
            hint="what it used stays in the ledger; gw retention shows how long jobs are kept",
        )


def _finder(
    store: Store, caller: Caller, kind: type[Owned], reference: str, project: str
) -> Callable[[], Owned]:
    word = "array" if kind is JobArray else kind.__name__.lower()

    def visible(found: Entity | None) -> bool:
        if not isinstance(found, Job | JobArray | Endpoint | Environment | Workspace):
            return False
        gang = found.id if isinstance(found, Job) else ""
        return sees(caller, found.tenant, found.project, gang=gang)

    def find() -> Owned:
        if len(reference) > REFERENCE_CHARS_MAX:
            raise not_found(word, reference)
        by_id = store.read(kind, reference)
        if by_id is not None and visible(by_id):
            return by_id
        tenant, within_project = within(caller, "", project)
        named = Query(tenant=tenant, project=within_project, name=reference, limit=1)
        page = store.page(kind, named).items if reference else ()
        if page and visible(page[0]):
            return page[0]
        if kind in {Job, JobArray}:
            _check_removed(store, caller, reference)
        raise not_found(word, reference)

    return find
