"""Schedules: create, list, show, pause, resume, run now, delete; and what became of their fires."""

from dataclasses import dataclass, replace

from gigawatt import clock
from gigawatt.model.array import JobArray
from gigawatt.model.cause import Cause
from gigawatt.model.change import Entity
from gigawatt.model.ids import make_id
from gigawatt.model.job import Job
from gigawatt.model.order import ChangeSchedule, CreateSchedule, RunSchedule
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.schedule import CatchUp, Fire, Overlap, Schedule, SchedulePhase, Timing
from gigawatt.model.tenant import Caller
from gigawatt.reconcile.schedules import noun_of
from gigawatt.service import jobs
from gigawatt.service.arrays import live_array_view
from gigawatt.service.lookup import Filters
from gigawatt.service.permissions import home, verb
from gigawatt.service.receipts import once
from gigawatt.service.services import Services, Terms
from gigawatt.service.standing import THERE, find_schedule
from gigawatt.service.submissions import check_feasible
from gigawatt.service.templates import FilledJob, filled_job
from gigawatt.service.views.arrays import ArrayView
from gigawatt.service.views.jobs import JobView
from gigawatt.service.views.standing import FireView, ScheduleView, fire_view, schedule_view
from gigawatt.service.views.text import PageView
from gigawatt.spec.parse import job_draft
from gigawatt.spec.standing import ScheduleForm
from gigawatt.store.base import Query

ENTROPY_BYTES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class FirePlace:
    """A place among the fires of a schedule."""

    cursor: str
    limit: int


@verb
async def create(
    caller: Caller, services: Services, request: ScheduleForm, *, project: str, terms: Terms
) -> ScheduleView:
    """A schedule that runs for the caller's key. Raises RefusalError for what could never run."""
    tenant, project = home(caller, project)
    job = await _job(caller, services, request, project)

    async def write() -> Entity:
        spec, environment, _ = await jobs.resolved(caller, services, job.draft, project)
        now_ms = clock.now_ms()
        check_feasible(services, jobs.gang_of(spec, tenant, project, now_ms))
        entropy = clock.entropy(ENTROPY_BYTES)
        command = CreateSchedule(
            id=make_id("sched", now_ms=now_ms, entropy=entropy),
            tenant=tenant,
            project=project,
            name=request.name,
            owner=caller.name,
            key=caller.key,
            timing=Timing(
                cron=request.cron,
                timezone=request.timezone,
                overlap=Overlap(request.overlap),
                catch_up=CatchUp(request.catch_up),
                deadline_s=request.deadline,
            ),
            spec=spec,
            environment=environment,
            tasks=job.draft.array,
            cause=job.cause,
        )
        return await services.leader.submit(command, receipt=terms.receipt(tenant))

    schedule = await once(Schedule, services, terms, tenant, write)
    return schedule_view(schedule, now_ms=clock.now_ms())


@verb
async def page(caller: Caller, services: Services, filters: Filters) -> PageView[ScheduleView]:
    """Schedules, newest first."""
    query = filters.query(caller, phases=THERE)
    query = replace(query, phases=query.phases or THERE)
    found = await services.read(lambda: services.store.page(Schedule, query))
    now_ms = clock.now_ms()
    views = [schedule_view(each, now_ms=now_ms) for each in found.items]
    return PageView(items=views, next=found.next)


@verb
async def show(caller: Caller, services: Services, name: str, *, project: str = "") -> ScheduleView:
    """One schedule, with the times that it is due at next."""
    schedule = await find_schedule(caller, services, name, project)
    return schedule_view(schedule, now_ms=clock.now_ms())


@verb
async def pause(
    caller: Caller, services: Services, name: str, *, project: str, terms: Terms
) -> ScheduleView:
    """Nothing is submitted until it is resumed."""
    return await _changed(caller, services, name, project, terms=terms, phase=SchedulePhase.PAUSED)


@verb
async def resume(
    caller: Caller, services: Services, name: str, *, project: str, terms: Terms
) -> ScheduleView:
    """It goes on, for the caller's key, with what is due from now on."""
    return await _changed(caller, services, name, project, terms=terms, phase=SchedulePhase.ACTIVE)


@verb
async def remove(
    caller: Caller, services: Services, name: str, *, project: str, terms: Terms
) -> None:
    """It is gone; its jobs stay."""
    await _changed(caller, services, name, project, terms=terms, phase=SchedulePhase.DELETED)


@verb
async def run(
    caller: Caller, services: Services, name: str, *, project: str, terms: Terms
) -> JobView | ArrayView:
    """Its job or array, now, whatever the schedule is."""
    schedule = await find_schedule(caller, services, name, project)

    async def write() -> Entity:
        now_ms = clock.now_ms()
        job = make_id(noun_of(schedule), now_ms=now_ms, entropy=clock.entropy(ENTROPY_BYTES))
        command = RunSchedule(id=schedule.id, job=job, by=caller.name)
        return await services.leader.submit(command, receipt=terms.receipt(schedule.tenant))

    if schedule.tasks is None:
        return jobs.live_view(services, await once(Job, services, terms, schedule.tenant, write))
    array = await once(JobArray, services, terms, schedule.tenant, write)
    return live_array_view(services, array)


@verb
async def fires(
    caller: Caller, services: Services, name: str, place: FirePlace, *, project: str = ""
) -> PageView[FireView]:
    """What became of its due times, the newest first."""
    schedule = await find_schedule(caller, services, name, project)
    query = Query(parent=schedule.id, cursor=place.cursor, limit=place.limit)
    found = await services.read(lambda: services.store.page(Fire, query))
    return PageView(items=[fire_view(each) for each in found.items], next=found.next)


async def _job(
    caller: Caller, services: Services, request: ScheduleForm, project: str
) -> FilledJob:
    if (request.job is None) == (request.template is None):
        detail = "one of job and template says what is submitted"
        raise RefusalError(RefusalCode.INVALID, detail, field="job")
    if request.template is not None:
        filling = request.template
        job = await filled_job(caller, services, filling.name, filling, project)
    else:
        assert request.job is not None
        job = FilledJob(draft=job_draft(request.job), cause=Cause())
    if job.draft.spec.after or job.draft.spec.after_each:
        raise RefusalError(
            RefusalCode.UNSUPPORTED,
            "what a schedule submits cannot come after another: that one is there once",
            field="job.after",
            hint="have one job do both, or a second schedule a little later",
        )
    return job


async def _changed(
    caller: Caller,
    services: Services,
    name: str,
    project: str,
    *,
    terms: Terms,
    phase: SchedulePhase,
) -> ScheduleView:
    schedule = await find_schedule(caller, services, name, project)

    async def write() -> Entity:
        command = ChangeSchedule(
            id=schedule.id,
            phase=phase,
            by=caller.name,
            key=caller.key,
            if_version=terms.check(schedule.version),
        )
        return await services.leader.submit(command, receipt=terms.receipt(schedule.tenant))

    after = await once(Schedule, services, terms, schedule.tenant, write)
    return schedule_view(after, now_ms=clock.now_ms())
