"""Job arrays: submit, try out, list, show, list their tasks, cancel, retry."""

from gigawatt import clock
from gigawatt.model.array import ArraySpec, JobArray, task_id
from gigawatt.model.change import Entity
from gigawatt.model.command import CancelArray, RetryArray, SubmitArray
from gigawatt.model.ids import make_id
from gigawatt.model.job import Job, JobPhase
from gigawatt.model.ranges import numbers
from gigawatt.model.reason import Reason
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller
from gigawatt.service.jobs import ENTROPY_BYTES, gang_of, live_view, resolved, what_if_view
from gigawatt.service.labels import labelled
from gigawatt.service.lookup import Filters, find_array
from gigawatt.service.permissions import home, verb
from gigawatt.service.receipts import once
from gigawatt.service.services import Services, Terms
from gigawatt.service.submissions import check_feasible, check_times
from gigawatt.service.views.arrays import ArrayView, array_view, tasks_fields
from gigawatt.service.views.jobs import DryRunView, JobView
from gigawatt.service.views.specs import job_spec_fields
from gigawatt.service.views.text import PageView
from gigawatt.spec.parse import JobDraft

PHASES = ("blocked", "running", "stopping", "succeeded", "failed", "cancelled")
TASK_PHASES = tuple(phase.value for phase in JobPhase)


@verb
async def submit(
    caller: Caller, services: Services, draft: JobDraft, *, project: str, terms: Terms
) -> ArrayView:
    """A new array. Raises RefusalError for what is not there, and for tasks that could never run."""
    tasks = _tasks(draft)
    tenant, project = home(caller, project)

    async def write() -> Entity:
        spec, environment, earlier = await resolved(caller, services, draft, project)
        now_ms = clock.now_ms()
        check_feasible(services, gang_of(spec, tenant, project, now_ms))
        check_times(spec, now_ms)
        command = SubmitArray(
            id=make_id("array", now_ms=now_ms, entropy=clock.entropy(ENTROPY_BYTES)),
            tenant=tenant,
            project=project,
            by=caller.name,
            spec=spec,
            tasks=tasks,
            environment=environment,
            after_done=earlier.done,
            each_done=earlier.each_done,
        )
        return await services.leader.submit(command, receipt=terms.receipt(tenant))

    return live_array_view(services, await once(JobArray, services, terms, tenant, write))


@verb
async def dry_run(
    caller: Caller, services: Services, draft: JobDraft, *, project: str
) -> DryRunView:
    """What would become of an array's first task, and where it would run. Raises RefusalError."""
    tasks = _tasks(draft)
    tenant, project = home(caller, project)
    spec, _, _ = await resolved(caller, services, draft, project)
    gang = gang_of(spec, tenant, project, clock.now_ms())
    fields = {**job_spec_fields(spec, draft.environment), **tasks_fields(tasks)}
    return what_if_view(services, gang, fields)


@verb
async def page(caller: Caller, services: Services, filters: Filters) -> PageView[ArrayView]:
    """Arrays, newest first. With labels, a page may hold fewer than the limit and still have a next."""
    query = filters.query(caller, phases=PHASES)
    found = await services.read(
        lambda: labelled(services.store, JobArray, query, filters.labels, user=filters.user)
    )
    items = [live_array_view(services, array) for array in found.items]
    return PageView(items=items, next=found.next)


@verb
async def show(
    caller: Caller, services: Services, reference: str, *, project: str = ""
) -> ArrayView:
    """One array, by id or by the newest of its name."""
    return live_array_view(services, await find_array(caller, services, reference, project))


@verb
async def tasks(
    caller: Caller, services: Services, reference: str, filters: Filters
) -> PageView[JobView]:
    """The tasks of an array that have been started, newest first."""
    array = await find_array(caller, services, reference, filters.project)
    query = filters.query(caller, phases=TASK_PHASES, parent=array.id)
    found = await services.read(lambda: services.store.page(Job, query))
    return PageView(items=[live_view(services, job) for job in found.items], next=found.next)


@verb
async def cancel(
    caller: Caller, services: Services, reference: str, *, project: str, terms: Terms
) -> ArrayView:
    """Stop an array for good, with every task."""
    array = await find_array(caller, services, reference, project)

    async def write() -> Entity:
        command = CancelArray(id=array.id, by=caller.name, if_version=terms.check(array.version))
        return await services.leader.submit(command, receipt=terms.receipt(array.tenant))

    return live_array_view(services, await once(JobArray, services, terms, array.tenant, write))


@verb
async def retry(
    caller: Caller, services: Services, reference: str, *, project: str, terms: Terms
) -> ArrayView:
    """Run the tasks of an ended array again that failed or were cancelled."""
    array = await find_array(caller, services, reference, project)

    async def write() -> Entity:
        terms.check(array.version)  # the leader takes an ended array as it is given
        command = RetryArray(array=array, by=caller.name)
        return await services.leader.submit(command, receipt=terms.receipt(array.tenant))

    return live_array_view(services, await once(JobArray, services, terms, array.tenant, write))


def live_array_view(services: Services, array: JobArray) -> ArrayView:
    """An array with what only the leader's memory has of it."""
    return array_view(array, waiting=_first_reason(services, array))


def _first_reason(services: Services, array: JobArray) -> Reason | None:
    """Why the first of its tasks in the line waits."""
    for index in numbers(array.running):
        found = services.leader.waiting(task_id(array.id, index))
        if found is not None:
            return found[1]
    return None


def _tasks(draft: JobDraft) -> ArraySpec:
    if draft.array is None:
        raise RefusalError(
            RefusalCode.INVALID,
            "array is missing: this is one job",
            field="array",
            hint="say how many tasks, e.g. array: 100, or submit it to /v1/jobs",
        )
    return draft.array
