"""From a draft of a workspace to a spec that only names what is there, within what this instance allows."""

import asyncio
from dataclasses import dataclass, replace

from gigawatt.model.environment import HOST, Environment, EnvironmentKind, EnvironmentSpec
from gigawatt.model.gang import Gang, GangKind, Shape
from gigawatt.model.job import Job
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller
from gigawatt.model.volume import Mount, data_of
from gigawatt.model.workspace import WorkspaceProgram, WorkspaceSpec
from gigawatt.service import isolation
from gigawatt.service.lookup import find_environment, find_job
from gigawatt.service.secrets import check_uses
from gigawatt.service.services import Services, WorkspaceRules
from gigawatt.service.submissions import Place, check_bundle, wanted_environment
from gigawatt.service.volume_lookup import resolved_mounts
from gigawatt.spec.workspaces import WorkspaceDraft

IDLE_MIN_S = 60  # less, and a pause for thought suspends it


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be made: a spec with everything resolved, and the environments that it needs."""

    spec: WorkspaceSpec
    environments: tuple[Environment, ...]

    def gang(self, tenant: str, project: str, now_ms: int) -> Gang:
        """Its entry in the line, to be tried."""
        return Gang(
            id="",
            kind=GangKind.WORKSPACE,
            tenant=tenant,
            project=project,
            shape=self.spec.shape,
            priority=self.spec.priority,
            queued_ms=now_ms,
            data=data_of(self.spec.volumes),
        )


async def planned(caller: Caller, services: Services, draft: WorkspaceDraft, project: str) -> Plan:
    """Everything resolved, and its home made. Raises RefusalError."""
    isolation.check_start(services, caller.tenant)
    spec = _timed(draft, services.workspaces)
    job = await _like(caller, services, draft, project)
    if job is not None:
        spec = _as_job(spec, job, draft.given)
    place = Place(tenant=caller.tenant, project=project)
    if job is not None and "environment" not in draft.given:
        environment = await _environment_of(caller, services, job)
        named = job.spec.environment
    else:
        await check_bundle(services, caller.tenant, spec.bundle)
        named, environment = await wanted_environment(
            services, draft.environment, place, bundle=spec.bundle
        )
    tools_id, tools = "", None
    if spec.program is WorkspaceProgram.JUPYTER:
        python = environment.spec.python if environment else ""
        tools_id, tools = await wanted_environment(
            services, _tools(services.workspaces, python), place
        )
    mounts = await _mounts(caller, services, draft, job, place)
    await check_uses(services, spec.secrets, f"{place.tenant}/{place.project}")
    where = await _home(services, place, spec.name)
    wanted = tuple(each for each in (environment, tools) if each is not None)
    return Plan(
        spec=replace(spec, environment=named, tools=tools_id, home=where, volumes=mounts),
        environments=wanted,
    )


def _timed(draft: WorkspaceDraft, rules: WorkspaceRules) -> WorkspaceSpec:
    """With the instance's own times where none were given. Raises RefusalError outside its limits."""
    idle_s = draft.spec.idle_s if "idle" in draft.given else rules.idle_s
    lease_s = draft.spec.lease_s if "lease" in draft.given else rules.lease_s
    if not IDLE_MIN_S <= idle_s <= rules.idle_max_s:
        raise RefusalError(
            RefusalCode.INVALID,
            f"idle is {idle_s} s; this instance allows from {IDLE_MIN_S} to {rules.idle_max_s} s",
            field="idle",
            hint=f"leave it out for {rules.idle_s} s",
        )
    if rules.lease_max_s and not 0 < lease_s <= rules.lease_max_s:
        raise RefusalError(
            RefusalCode.INVALID,
            f"lease is {f'{lease_s} s' if lease_s else 'without end'}; this instance allows at most {rules.lease_max_s} s",
            field="lease",
            hint="a lease can be extended: gw dev extend NAME --by 2h",
        )
    return replace(draft.spec, idle_s=idle_s, lease_s=lease_s)


async def _like(
    caller: Caller, services: Services, draft: WorkspaceDraft, project: str
) -> Job | None:
    """Raises RefusalError, at the field that names it."""
    if not draft.like:
        return None
    try:
        return await find_job(caller, services, draft.like, project)
    except RefusalError as error:
        raise RefusalError(error.code, error.detail, field="like", hint=error.hint) from error


def _as_job(spec: WorkspaceSpec, job: Job, given: frozenset[str]) -> WorkspaceSpec:
    """What was not written comes from the job: of its shape, what one of its nodes has."""
    shape = Shape(per_node=job.spec.shape.per_node, gpu_kinds=job.spec.shape.gpu_kinds)
    return replace(
        spec,
        like=job.id,
        shape=spec.shape if "gang" in given else shape,
        bundle=spec.bundle if "bundle" in given else job.spec.bundle,
        env=tuple(sorted({**dict(job.spec.env), **dict(spec.env)}.items())),
        secrets=spec.secrets if "secrets" in given else job.spec.secrets,
    )


async def _mounts(
    caller: Caller, services: Services, draft: WorkspaceDraft, job: Job | None, place: Place
) -> tuple[Mount, ...]:
    """What was written, or the very versions and directories that the job had. Raises RefusalError."""
    if job is None or "volumes" in draft.given or not job.spec.volumes:
        return await resolved_mounts(caller, services, draft.spec.volumes, place)
    own = "give volumes yourself (--volume), or volumes: [] for none"
    if (job.tenant, job.project) != (place.tenant, place.project):
        detail = (
            f"the volumes of {job.id} are those of project {job.project}, not of {place.project}"
        )
        raise RefusalError(RefusalCode.CONFLICT, detail, field="like", hint=own)
    written = tuple(replace(mount, volume=mount.ref) for mount in job.spec.volumes)
    try:
        return await resolved_mounts(caller, services, written, place)
    except RefusalError as error:
        detail = f"what {job.id} read is not to be had any more: {error.detail}"
        raise RefusalError(error.code, detail, field="like", hint=own) from error


async def _environment_of(caller: Caller, services: Services, job: Job) -> Environment | None:
    """The very one that the job had."""
    if job.spec.environment == HOST:
        return None
    return await find_environment(caller, services, job.spec.environment)


def _tools(rules: WorkspaceRules, python: str) -> EnvironmentSpec:
    """What JupyterLab runs in, for the same Python: kernels take from it what their own environment lacks."""
    return EnvironmentSpec(
        kind=EnvironmentKind.UV, python=python, requirements=tuple(sorted(rules.jupyter))
    )


async def _home(services: Services, place: Place, name: str) -> str:
    """Raises RefusalError where homes are not what every node can write, or cannot be made."""
    homes = services.workspaces.homes
    seen = services.workspaces.homes_shared or services.engine.capabilities().shared_filesystem
    if homes is None or not seen:
        raise RefusalError(
            RefusalCode.UNSUPPORTED,
            "the nodes of this instance share no file system that homes could be on",
            hint="have its operator set GIGAWATT_HOMES to a directory that all nodes share",
        )
    try:
        made = await asyncio.to_thread(homes.make, place.tenant, place.project, name)
    except OSError as error:
        raise RefusalError(
            RefusalCode.UNAVAILABLE, f"its home cannot be made: {error.strerror}: {error.filename}"
        ) from error
    return str(made)
