"""The model registry: register a stored artifact, list and show names with their versions, move aliases."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from gigawatt import clock
from gigawatt.build.stored_weights import stored_weights
from gigawatt.model.artifact import Artifact, Lineage, ModelName, ModelVersion
from gigawatt.model.change import Entity
from gigawatt.model.command import RegisterModel, SetAlias
from gigawatt.model.ids import make_id
from gigawatt.model.job import Job
from gigawatt.model.refusal import RefusalError
from gigawatt.model.tenant import Caller
from gigawatt.service.artifacts import TREE_KINDS
from gigawatt.service.lookup import Filters, find_job, not_found
from gigawatt.service.model_lookup import find_model, find_version, newest_versions, split_reference
from gigawatt.service.permissions import home, verb
from gigawatt.service.receipts import once
from gigawatt.service.services import Services, Terms
from gigawatt.service.submissions import artifact_key
from gigawatt.service.views.registry import ModelVersionView, ModelView, model_view, version_view
from gigawatt.service.views.text import PageView
from gigawatt.spec.requests import ModelRequest

ENTROPY_BYTES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Servable:
    """A version and where its files are on nodes."""

    version: ModelVersion
    path: Path


@verb
async def register(
    caller: Caller, services: Services, request: ModelRequest, *, project: str, terms: Terms
) -> ModelVersionView:
    """The next version of a name. Raises RefusalError where the artifact or the job is not there."""
    tenant, project = home(caller, project)
    held = await services.read(
        lambda: services.store.read(Artifact, artifact_key(tenant, request.digest))
    )
    if held is None:
        error = not_found("artifact", request.digest)
        raise RefusalError(error.code, error.detail, field="digest", hint="upload it first")
    now_ms = clock.now_ms()
    command = RegisterModel(
        id=make_id("model", now_ms=now_ms, entropy=clock.entropy(ENTROPY_BYTES)),
        tenant=tenant,
        project=project,
        by=caller.name,
        name=request.name,
        digest=request.digest,
        size_bytes=held.size_bytes,
        lineage=await _lineage(caller, services, request),
        metrics=tuple(sorted(request.metrics.items())),
        aliases=tuple(sorted(set(request.aliases))),
        card=request.card,
        weights=await asyncio.to_thread(
            stored_weights, services.artifacts, request.digest, is_tree=held.kind in TREE_KINDS
        ),
    )
    version = await services.leader.submit(command, receipt=terms.receipt(tenant))
    assert isinstance(version, ModelVersion)
    return version_view(version)


@verb
async def page(caller: Caller, services: Services, filters: Filters) -> PageView[ModelView]:
    """Registered names, the newest first, each with its newest versions."""
    query = filters.query(caller)
    found = await services.read(lambda: services.store.page(ModelName, query))
    views = [model_view(name, await newest_versions(services, name)) for name in found.items]
    return PageView(items=views, next=found.next)


@verb
async def show(caller: Caller, services: Services, name: str, *, project: str = "") -> ModelView:
    """One name with its newest versions."""
    known = await find_model(caller, services, name, project)
    return model_view(known, await newest_versions(services, known))


@verb
async def show_version(
    caller: Caller, services: Services, name: str, selector: str, *, project: str = ""
) -> ModelVersionView:
    """The version that a number, an alias or `latest` means. Raises RefusalError (not-found)."""
    return version_view(await find_version(caller, services, name, selector, project=project))


@verb
async def set_alias(
    caller: Caller, services: Services, alias: "AliasChange", *, project: str, terms: Terms
) -> ModelView:
    """Point an alias at a version."""
    return await _set_alias(caller, services, alias, project, terms)


@verb
async def remove_alias(
    caller: Caller, services: Services, alias: "AliasChange", *, project: str, terms: Terms
) -> ModelView:
    """Take an alias away."""
    return await _set_alias(caller, services, alias, project, terms)


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasChange:
    """`number` 0 takes the alias away."""

    name: str
    alias: str
    number: int
    reason: str = ""


async def servable(caller: Caller, services: Services, reference: str, project: str) -> Servable:
    """The version that "name", "name:3" or "name@alias" means, its files ready to be served. Raises RefusalError."""
    name, selector = split_reference(reference)
    version = await find_version(caller, services, name, selector, project=project, field="model")
    path = await asyncio.to_thread(_ready_path, services, version)
    return Servable(version=version, path=path)


async def _set_alias(
    caller: Caller, services: Services, change: AliasChange, project: str, terms: Terms
) -> ModelView:
    known = await find_model(caller, services, change.name, project)

    async def write() -> Entity:
        command = SetAlias(
            tenant=known.tenant,
            project=known.project,
            by=caller.name,
            name=known.name,
            alias=change.alias,
            number=change.number,
            reason=change.reason,
            if_version=terms.check(known.version),
        )
        return await services.leader.submit(command, receipt=terms.receipt(known.tenant))

    after = await once(ModelName, services, terms, known.tenant, write)
    return model_view(after, await newest_versions(services, after))


async def _lineage(caller: Caller, services: Services, request: ModelRequest) -> Lineage:
    if not request.job:
        return Lineage(source=request.source)
    job: Job = await find_job(caller, services, request.job)
    return Lineage(
        job=job.id,
        attempt=len(job.attempts),
        environment=job.spec.environment,
        bundle=job.spec.bundle,
        step=job.progress.step if job.progress else None,
        checkpoint=job.checkpoint.path if job.checkpoint else "",
        source=request.source,
    )


def _ready_path(services: Services, version: ModelVersion) -> Path:
    """Blocks while the tree is laid out, the first time."""
    held = services.store.read(Artifact, artifact_key(version.tenant, version.digest))
    if held is not None and held.kind not in TREE_KINDS:
        return services.artifacts.ready(version.digest)
    return services.artifacts.materialise(version.digest)
