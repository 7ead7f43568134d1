"""Jobs: submit, try out, list, show, cancel, retry."""

from dataclasses import replace

from gigawatt import clock
from gigawatt.model.array import JobArray
from gigawatt.model.cause import Cause
from gigawatt.model.change import Entity
from gigawatt.model.command import CancelJob, RetryJob, SubmitJob
from gigawatt.model.environment import HOST, Environment, EnvironmentKind, EnvironmentSpec
from gigawatt.model.gang import Gang, GangKind
from gigawatt.model.ids import make_id
from gigawatt.model.job import Job, JobPhase, JobSpec
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller
from gigawatt.model.volume import data_of
from gigawatt.service import isolation
from gigawatt.service.checkpoints import resolve_origin
from gigawatt.service.earlier import Earlier, resolve_after
from gigawatt.service.labels import labelled
from gigawatt.service.lookup import Filters, find_environment, find_job
from gigawatt.service.permissions import home, verb
from gigawatt.service.receipts import once
from gigawatt.service.secrets import check_uses
from gigawatt.service.services import Services, Terms
from gigawatt.service.submissions import (
    Place,
    check_bundle,
    check_feasible,
    check_times,
    wanted_environment,
)
from gigawatt.service.views.deadlines import deadline_view
from gigawatt.service.views.jobs import (
    DryRunView,
    JobSpecView,
    JobView,
    job_view,
    placement_views,
    reason_view,
)
from gigawatt.service.views.specs import job_spec_fields
from gigawatt.service.views.text import PageView
from gigawatt.service.volume_lookup import resolved_mounts
from gigawatt.spec.parse import JobDraft

PHASES = tuple(phase.value for phase in JobPhase)
ENTROPY_BYTES = 5


@verb
async def submit(
    caller: Caller,
    services: Services,
    draft: JobDraft,
    *,
    project: str,
    terms: Terms,
    cause: Cause | None = None,
) -> JobView:
    """A new job. Raises RefusalError for what is not there and for what could never run."""
    _one_job(draft)
    tenant, project = home(caller, project)

    async def write() -> Entity:
        spec, environment, earlier = await resolved(caller, services, draft, project)
        now_ms = clock.now_ms()
        gang = gang_of(spec, tenant, project, now_ms)
        check_feasible(services, gang)
        check_times(spec, now_ms)
        expected_ms = services.leader.expected_ms(gang, user=caller.name, name=spec.name)
        command = SubmitJob(
            id=make_id("job", now_ms=now_ms, entropy=clock.entropy(ENTROPY_BYTES)),
            tenant=tenant,
            project=project,
            by=caller.name,
            spec=spec,
            environment=environment,
            after_done=earlier.done,
            cause=cause,
            expected_ms=expected_ms if spec.deadline else 0,
        )
        return await services.leader.submit(command, receipt=terms.receipt(tenant))

    job = await once(Job, services, terms, tenant, write)
    if job.deadline_ms and job.phase is JobPhase.QUEUED:
        await services.leader.estimate(job.id)  # so that the answer can say whether it will be met
    return live_view(services, job)


@verb
async def dry_run(
    caller: Caller, services: Services, draft: JobDraft, *, project: str
) -> DryRunView:
    """What would become of a job, and where it would run. Raises RefusalError for what is not there."""
    _one_job(draft)
    tenant, project = home(caller, project)
    spec, _, _ = await resolved(caller, services, draft, project)
    gang = gang_of(spec, tenant, project, clock.now_ms())
    fields = job_spec_fields(spec, draft.environment)
    return what_if_view(services, gang, fields)


@verb
async def page(caller: Caller, services: Services, filters: Filters) -> PageView[JobView]:
    """Jobs, newest first. Tasks of arrays are listed with their array, and here where they are named.

    With labels, a page may hold fewer than the limit and still have a next.
    """
    query = replace(filters.query(caller, phases=PHASES), orphans=not filters.name)
    found = await services.read(
        lambda: labelled(services.store, Job, query, filters.labels, user=filters.user)
    )
    return PageView(items=[live_view(services, job) for job in found.items], next=found.next)


@verb
async def show(caller: Caller, services: Services, reference: str, *, project: str = "") -> JobView:
    """One job, by id or by the newest of its name."""
    return live_view(services, await find_job(caller, services, reference, project))


@verb
async def spec(
    caller: Caller, services: Services, reference: str, *, project: str = ""
) -> JobSpecView:
    """Everything that a job was submitted with, in the job file's words. Raises RefusalError."""
    job = await find_job(caller, services, reference, project)
    environment = EnvironmentSpec(kind=EnvironmentKind.HOST)
    if job.spec.environment != HOST:
        environment = (await find_environment(caller, services, job.spec.environment)).spec
    return JobSpecView(job=job.id, spec=job_spec_fields(job.spec, environment))


@verb
async def cancel(
    caller: Caller, services: Services, reference: str, *, project: str, terms: Terms
) -> JobView:
    """Stop a job for good."""
    job = await find_job(caller, services, reference, project)

    async def write() -> Entity:
        command = CancelJob(id=job.id, by=caller.name, if_version=terms.check(job.version))
        return await services.leader.submit(command, receipt=terms.receipt(job.tenant))

    return live_view(services, await once(Job, services, terms, job.tenant, write))


@verb
async def retry(
    caller: Caller, services: Services, reference: str, *, project: str, terms: Terms
) -> JobView:
    """Run an ended job again, from its newest checkpoint."""
    job = await find_job(caller, services, reference, project)

    async def write() -> Entity:
        terms.check(job.version)  # the leader takes an ended job as it is given
        array = await services.read(lambda: services.store.read(JobArray, job.array))
        command = RetryJob(job=job, by=caller.name, array=array)
        return await services.leader.submit(command, receipt=terms.receipt(job.tenant))

    return live_view(services, await once(Job, services, terms, job.tenant, write))


def live_view(services: Services, job: Job) -> JobView:
    """A job with what only the leader's memory has of it."""
    leader, at_ms = services.leader, clock.now_ms()
    if job.ended:
        return job_view(job, deadline=deadline_view(job, None, now_ms=at_ms))
    end = leader.end_of(job) if job.deadline_ms else None
    return job_view(
        job,
        waiting=leader.waiting(job.id),
        estimate=leader.estimated(job.id),
        progress=leader.progress(job.id),
        deadline=deadline_view(job, end, now_ms=at_ms),
    )


def what_if_view(services: Services, gang: Gang, fields: dict[str, object]) -> DryRunView:
    """Whether a gang could run at all, whether it would start now, and where."""
    never = services.leader.feasible(gang)
    if never is not None:
        reason = reason_view(never)
        return DryRunView(
            feasible=False, starts_now=False, placements=(), reason=reason, spec=fields
        )
    answer = services.leader.what_if(gang)
    return DryRunView(
        feasible=True,
        starts_now=bool(answer.placements),
        placements=placement_views(answer.placements),
        reason=reason_view(answer.reason) if answer.reason else None,
        spec=fields,
    )


async def resolved(
    caller: Caller, services: Services, draft: JobDraft, project: str
) -> tuple[JobSpec, Environment | None, Earlier]:
    """The spec with ids for names. Raises RefusalError."""
    tenant = caller.tenant
    isolation.check_start(services, tenant, draft.spec.isolation)
    await check_bundle(services, tenant, draft.spec.bundle)
    place = Place(tenant=tenant, project=project)
    environment_id, environment = await wanted_environment(
        services, draft.environment, place, bundle=draft.spec.bundle
    )
    tasks = draft.array.indices if draft.array else ()
    earlier = await resolve_after(caller, services, draft.spec, project, tasks)
    mounts = await resolved_mounts(caller, services, draft.spec.volumes, place)
    await check_uses(services, draft.spec.secrets, f"{tenant}/{project}")
    origin = await resolve_origin(caller, services, draft.start_from, project)
    spec = replace(
        draft.spec,
        environment=environment_id,
        after=earlier.ids,
        after_failed=earlier.failed,
        after_done=earlier.anyhow,
        after_each=earlier.each,
        origin=origin,
        volumes=mounts,
    )
    return spec, environment, earlier


def gang_of(spec: JobSpec, tenant: str, project: str, now_ms: int) -> Gang:
    """The gang that a job of this spec would be, without an id."""
    return Gang(
        id="",
        kind=GangKind.JOB,
        tenant=tenant,
        project=project,
        shape=spec.shape,
        priority=spec.priority,
        queued_ms=now_ms,
        isolation=spec.isolation,
        labels=spec.labels,
        windows=spec.windows,
        data=data_of(spec.volumes),
        duration_ms=spec.timeout_s * 1_000,
    )


def _one_job(draft: JobDraft) -> None:
    if draft.array is not None:
        raise RefusalError(
            RefusalCode.INVALID,
            "array: this is many tasks, not one job",
            field="array",
            hint="submit it to /v1/arrays, or leave array and sweep out",
        )
