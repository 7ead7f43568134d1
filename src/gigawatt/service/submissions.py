"""From a draft to a spec that only names what is there: environments, bundles, earlier jobs."""

from dataclasses import dataclass

from gigawatt import clock
from gigawatt.build.environment_spec import check_spec, environment_id
from gigawatt.model.artifact import Artifact
from gigawatt.model.environment import (
    HOST,
    Environment,
    EnvironmentKind,
    EnvironmentPhase,
    EnvironmentSpec,
)
from gigawatt.model.gang import Gang
from gigawatt.model.job import Job, JobPhase
from gigawatt.model.reason import Reason, ReasonCode
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller
from gigawatt.service.lookup import not_found
from gigawatt.service.permissions import sees
from gigawatt.service.services import Services
from gigawatt.service.views.text import sentence
from gigawatt.store.base import Query

NEVER = frozenset({ReasonCode.IMPOSSIBLE, ReasonCode.GPU_KIND})


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """The jobs that a job comes after, by id, and those of them that have succeeded already."""

    ids: tuple[str, ...] = ()
    done: tuple[str, ...] = ()


def wanted_environment(
    services: Services, spec: EnvironmentSpec, tenant: str, project: str
) -> tuple[str, Environment | None]:
    """The environment's id, and what to build where it is not the host's. Raises RefusalError (invalid, disk-full)."""
    if spec.kind is EnvironmentKind.HOST:
        return HOST, None
    check_spec(spec, services.machine)
    wanted = environment_id(tenant, spec)
    there = services.leader.environment(wanted)
    if there is None or there.phase is EnvironmentPhase.FAILED:
        services.disk.check_room()
    environment = Environment(
        id=wanted,
        tenant=tenant,
        project=project,
        spec=spec,
        phase=EnvironmentPhase.BUILDING,
        created_ms=clock.now_ms(),
    )
    return wanted, environment


async def check_bundle(services: Services, tenant: str, digest: str) -> None:
    """Refuse a bundle that was not uploaded."""
    if not digest:
        return
    held = await services.read(lambda: services.store.read(Artifact, artifact_key(tenant, digest)))
    if held is None:
        raise RefusalError(
            RefusalCode.NOT_FOUND,
            f"there is no bundle {digest}",
            field="bundle",
            hint=f"upload it first: PUT /v1/artifacts/{digest}?kind=bundle",
        )


async def resolve_after(
    caller: Caller, services: Services, names: tuple[str, ...], project: str
) -> Earlier:
    """Ids for the names and ids in `after`. Raises RefusalError for what is not there or can never succeed."""
    if not names:
        return Earlier()
    live = [services.leader.job(name) for name in names]
    jobs = [job for job in live if job and sees(caller, job.tenant, job.project)]
    if len(jobs) < len(names):  # some by name, some ended: only the store knows
        jobs = await services.read(
            lambda: [_named(caller, services, each, project) for each in names]
        )
    for job in jobs:
        if job.phase in {JobPhase.FAILED, JobPhase.CANCELLED}:
            raise RefusalError(
                RefusalCode.CONFLICT,
                f"job {job.id} ({job.spec.name}), which it comes after, is {job.phase.value}",
                field="after",
                hint=f"gw retry {job.id}, or take it out of `after`",
            )
    return Earlier(
        ids=tuple(dict.fromkeys(job.id for job in jobs)),
        done=tuple(job.id for job in jobs if job.phase is JobPhase.SUCCEEDED),
    )


def check_feasible(services: Services, gang: Gang) -> None:
    """Refuse a gang that this cluster could never hold. One without any node yet may get some."""
    reason = services.leader.feasible(gang)
    if reason is not None and reason.code in NEVER:
        raise impossible(reason)


def impossible(reason: Reason) -> RefusalError:
    """The refusal of a gang that could never run, at the field that asks too much."""
    field = {
        "nodes": "gang.nodes",
        "milli_gpu": "gang.gpus",
        "milli_cpu": "gang.cpus",
        "memory_bytes": "gang.memory",
    }.get(reason.resource, "gang")
    if reason.code is ReasonCode.GPU_KIND:
        field = "gang.gpu_kinds"
    hint = "ask for less of it, or add nodes; `gw nodes` shows what there is"
    return RefusalError(RefusalCode.IMPOSSIBLE, sentence(reason), field=field, hint=hint)


def artifact_key(tenant: str, digest: str) -> str:
    """The id under which the store has a tenant's artifact."""
    return f"{tenant}/{digest}"


def _named(caller: Caller, services: Services, name: str, project: str) -> Job:
    job = services.store.read(Job, name)
    if job is not None and sees(caller, job.tenant, job.project):
        return job
    query = Query(tenant=caller.tenant, project=project, name=name, limit=1)
    page = services.store.page(Job, query).items
    if not page:
        error = not_found("job", name)
        raise RefusalError(error.code, error.detail, field="after", hint=error.hint)
    return page[0]
