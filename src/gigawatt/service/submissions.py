"""From a draft to a spec that only names what is there: environments, bundles, earlier jobs."""

import asyncio
from dataclasses import dataclass, replace

from gigawatt import clock
from gigawatt.build.environment_spec import check_spec, environment_id
from gigawatt.build.indexes import entered
from gigawatt.build.local_packages import package_digest
from gigawatt.build.system import check_system
from gigawatt.model.artifact import Artifact
from gigawatt.model.environment import (
    HOST,
    Environment,
    EnvironmentKind,
    EnvironmentPhase,
    EnvironmentSpec,
)
from gigawatt.model.gang import Gang
from gigawatt.model.job import JobSpec
from gigawatt.model.reason import Reason, ReasonCode
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.reconcile.environments import REBUILT
from gigawatt.service.services import Services
from gigawatt.service.views.text import sentence

OVER = frozenset({ReasonCode.LIMIT, ReasonCode.QUOTA_EXCEEDED})
NEVER = frozenset({ReasonCode.IMPOSSIBLE, ReasonCode.GPU_KIND}) | OVER


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Whose a new object will be."""

    tenant: str
    project: str


async def wanted_environment(
    services: Services, spec: EnvironmentSpec, place: Place, *, bundle: str = ""
) -> tuple[str, Environment | None]:
    """The environment's id, and what to build where it is not the host's. Raises RefusalError.

    `bundle` is where its local packages are; it was looked for before.
    """
    if spec.system:
        await asyncio.to_thread(check_system, spec.system)
    check_spec(spec, services.machine)
    if spec.kind is EnvironmentKind.HOST:
        return HOST, None
    if spec.indexes:
        spec = await _with_owner(services, spec, f"{place.tenant}/{place.project}")
    if spec.packages:
        spec = await _with_packages(services, spec, bundle)
    wanted = environment_id(place.tenant, spec)
    there = services.leader.environment(wanted)
    if there is None or there.phase in REBUILT:
        services.disk.check_room()
    environment = Environment(
        id=wanted,
        tenant=place.tenant,
        project=place.project,
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


def check_feasible(services: Services, gang: Gang) -> None:
    """Refuse a gang that this cluster could never hold, or its project never use. One without any node yet may get some."""
    reason = services.leader.feasible(gang)
    if reason is not None and reason.code in NEVER:
        raise impossible(reason)


def check_times(spec: JobSpec, now_ms: int) -> None:
    """Refuse what should have started or been done by now. Raises RefusalError."""
    ends = [window.end_ms for window in spec.windows if window.end_ms]
    deadline_ms = spec.deadline.at_ms if spec.deadline else 0
    for field, at_ms in (("start_before", max(ends, default=0)), ("deadline", deadline_ms)):
        if at_ms and at_ms <= now_ms:
            detail, hint = f"{field} has passed already", "write a later time"
            raise RefusalError(RefusalCode.INVALID, detail, field=field, hint=hint)


def impossible(reason: Reason) -> RefusalError:
    """The refusal of a gang that could never run, at the field that asks too much."""
    field = {
        "nodes": "gang.nodes",
        "milli_gpu": "gang.gpus",
        "milli_cpu": "gang.cpus",
        "memory_bytes": "gang.memory",
        "milliwatts": "gang.watts",
    }.get(reason.resource, "gang")
    if reason.code is ReasonCode.GPU_KIND:
        field = "gang.gpu_kinds"
    hint = "ask for less of it, or add nodes; `gw nodes` shows what there is"
    if reason.code in OVER:
        hint = "ask for less of it, or have the project's allowance raised; `gw quota` shows it"
    elif reason.resource == "nodes" and reason.have:
        hint = (
            f"this cluster holds {reason.have} of its nodes at most; ask for so many, or add nodes"
        )
    return RefusalError(RefusalCode.IMPOSSIBLE, sentence(reason), field=field, hint=hint)


def artifact_key(tenant: str, digest: str) -> str:
    """The id under which the store has a tenant's artifact."""
    return f"{tenant}/{digest}"


async def _with_owner(services: Services, spec: EnvironmentSpec, owner: str) -> EnvironmentSpec:
    """The spec with whose secrets it means: each must be there, and for that address. Raises RefusalError."""
    owned = tuple(replace(each, owner=owner if each.secret else "") for each in spec.indexes)
    await asyncio.to_thread(entered, owned, services.secrets.read)
    return replace(spec, indexes=owned)


async def _with_packages(services: Services, spec: EnvironmentSpec, bundle: str) -> EnvironmentSpec:
    """The spec with its local packages known by what the bundle holds of them. Raises RefusalError."""
    if not bundle:
        raise RefusalError(
            RefusalCode.INVALID,
            "local packages come out of a bundle, and there is none",
            field="environment.packages",
            hint="submit it with the job or endpoint that brings the code along",
        )
    archive = await asyncio.to_thread(services.artifacts.ready, bundle)
    packages = [
        replace(
            each,
            bundle=bundle,
            digest=await asyncio.to_thread(package_digest, archive, each.path),
        )
        for each in spec.packages
    ]
    return replace(spec, packages=tuple(packages))
