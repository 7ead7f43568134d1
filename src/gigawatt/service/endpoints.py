"""Endpoints: make or change, try out, list, show, stop."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gigawatt import clock
from gigawatt.model.change import Entity
from gigawatt.model.command import PutEndpoint, StopEndpoint
from gigawatt.model.endpoint import Endpoint, EndpointPhase, EndpointSpec, Replica
from gigawatt.model.environment import HOST, Environment, EnvironmentKind, EnvironmentSpec
from gigawatt.model.gang import Gang, GangKind
from gigawatt.model.ids import make_id
from gigawatt.model.tenant import Caller
from gigawatt.model.volume import data_of
from gigawatt.service import isolation
from gigawatt.service.jobs import what_if_view
from gigawatt.service.lookup import Filters, find_endpoint, find_environment
from gigawatt.service.models import servable
from gigawatt.service.permissions import home, verb
from gigawatt.service.receipts import once
from gigawatt.service.secrets import check_uses
from gigawatt.service.services import Services, Terms
from gigawatt.service.submissions import Place, check_bundle, check_feasible, wanted_environment
from gigawatt.service.views.endpoints import EndpointView, endpoint_view
from gigawatt.service.views.jobs import reason_view
from gigawatt.service.views.rollouts import (
    EndpointDryRunView,
    Tried,
    dry_run_view,
    field_changes,
)
from gigawatt.service.views.specs import endpoint_spec_fields
from gigawatt.service.views.text import PageView
from gigawatt.service.volume_lookup import resolved_mounts
from gigawatt.spec.parse import EndpointDraft
from gigawatt.store.base import Query

PHASES = tuple(phase.value for phase in EndpointPhase)
ENTROPY_BYTES = 5
REPLICAS_SHOWN_MAX = 500


@verb
async def put(
    caller: Caller, services: Services, draft: EndpointDraft, *, project: str, terms: Terms
) -> EndpointView:
    """A new endpoint, or a new spec for the one of this name. Raises RefusalError."""
    tenant, project = home(caller, project)

    async def write() -> Entity:
        spec, environment = await _resolved(caller, services, draft, project)
        now_ms = clock.now_ms()
        check_feasible(services, _gang(spec, tenant, project, now_ms))
        command = PutEndpoint(
            id=make_id("endpoint", now_ms=now_ms, entropy=clock.entropy(ENTROPY_BYTES)),
            tenant=tenant,
            project=project,
            by=caller.name,
            spec=spec,
            environment=environment,
            if_version=await _seen_version(services, tenant, project, spec.name, terms),
        )
        return await services.leader.submit(command, receipt=terms.receipt(tenant))

    return await view_of(services, await once(Endpoint, services, terms, tenant, write))


@verb
async def dry_run(
    caller: Caller, services: Services, draft: EndpointDraft, *, project: str
) -> EndpointDryRunView:
    """What would change, whether a new replica could run, whether it would start now, and where. Raises RefusalError."""
    tenant, project = home(caller, project)
    spec, _ = await _resolved(caller, services, draft, project)
    gang = _gang(spec, tenant, project, clock.now_ms())
    fields = endpoint_spec_fields(spec, draft.environment)
    before = await _named(services, tenant, project, spec.name)
    told: Mapping[str, Any] = {}
    replicas: list[Replica] = []
    if before is not None:
        kind = EnvironmentSpec(kind=EnvironmentKind.HOST)
        if before.spec.environment != HOST:
            kind = (await find_environment(caller, services, before.spec.environment)).spec
        told = endpoint_spec_fields(before.spec, kind)
        replicas = (await _live_replicas(services, [before]))[before.id]
    return dry_run_view(
        Tried(before=before, replicas=len(replicas), spec=spec),
        what_if_view(services, gang, fields),
        field_changes(told, fields) if before else [],
    )


@verb
async def page(caller: Caller, services: Services, filters: Filters) -> PageView[EndpointView]:
    """Endpoints, newest first."""
    query = filters.query(caller, phases=PHASES)
    found = await services.read(lambda: services.store.page(Endpoint, query))
    replicas = await _live_replicas(services, found.items)
    url = services.instance.gateway_url
    views = [
        endpoint_view(
            each, replicas[each.id], gateway_url=url, reasons=_reasons(services, replicas[each.id])
        )
        for each in found.items
    ]
    return PageView(items=views, next=found.next)


@verb
async def show(
    caller: Caller, services: Services, reference: str, *, project: str = ""
) -> EndpointView:
    """One endpoint, by id or name."""
    return await view_of(services, await find_endpoint(caller, services, reference, project))


@verb
async def stop(
    caller: Caller, services: Services, reference: str, *, project: str, terms: Terms
) -> EndpointView:
    """Stop every replica and then the endpoint."""
    endpoint = await find_endpoint(caller, services, reference, project)

    async def write() -> Entity:
        version = terms.check(endpoint.version)
        command = StopEndpoint(id=endpoint.id, by=caller.name, if_version=version)
        return await services.leader.submit(command, receipt=terms.receipt(endpoint.tenant))

    return await view_of(services, await once(Endpoint, services, terms, endpoint.tenant, write))


async def view_of(services: Services, endpoint: Endpoint) -> EndpointView:
    """An endpoint with its live replicas."""
    replicas = (await _live_replicas(services, [endpoint]))[endpoint.id]
    url, reasons = services.instance.gateway_url, _reasons(services, replicas)
    return endpoint_view(endpoint, replicas, gateway_url=url, reasons=reasons)


async def _resolved(
    caller: Caller, services: Services, draft: EndpointDraft, project: str
) -> tuple[EndpointSpec, Environment | None]:
    """The spec with an id, a version and a path for what it names. Raises RefusalError."""
    tenant = caller.tenant
    isolation.check_start(services, tenant)
    await check_bundle(services, tenant, draft.spec.bundle)
    place = Place(tenant=tenant, project=project)
    environment_id, environment = await wanted_environment(
        services, draft.environment, place, bundle=draft.spec.bundle
    )
    model = await servable(caller, services, draft.spec.model, project)
    mounts = await resolved_mounts(caller, services, draft.spec.volumes, place)
    await check_uses(services, draft.spec.secrets, f"{tenant}/{project}")
    spec = replace(
        draft.spec,
        environment=environment_id,
        model=model.version.ref,
        model_path=str(model.path),
        volumes=mounts,
    )
    return spec, environment


async def _seen_version(
    services: Services, tenant: str, project: str, name: str, terms: Terms
) -> int:
    if terms.if_version is None:
        return 0
    found = await _named(services, tenant, project, name)
    return terms.check(found.version if found else 0)


async def _named(services: Services, tenant: str, project: str, name: str) -> Endpoint | None:
    """The one of that name that is not gone."""
    query = Query(tenant=tenant, project=project, name=name, limit=1)
    found = await services.read(lambda: services.store.page(Endpoint, query))
    return next((each for each in found.items if each.phase is not EndpointPhase.STOPPED), None)


async def _live_replicas(
    services: Services, endpoints: Sequence[Endpoint]
) -> dict[str, list[Replica]]:
    """By endpoint. One read serves for a page of them."""
    grouped: dict[str, list[Replica]] = defaultdict(list)
    if not endpoints:
        return grouped
    parent = endpoints[0].id if len(endpoints) == 1 else ""
    query = Query(parent=parent, live_only=True, limit=REPLICAS_SHOWN_MAX)
    page = await services.read(lambda: services.store.page(Replica, query))
    for replica in page.items:
        grouped[replica.endpoint].append(replica)
    return grouped


def _reasons(services: Services, replicas: Sequence[Replica]) -> dict[str, str]:
    """Why those wait that do."""
    waiting = {
        replica.id: services.leader.waiting(replica.id)
        for replica in replicas
        if replica.attempt is None or not replica.attempt.live
    }
    return {each: reason_view(told[1]).message for each, told in waiting.items() if told}


def _gang(spec: EndpointSpec, tenant: str, project: str, now_ms: int) -> Gang:
    return Gang(
        id="",
        kind=GangKind.REPLICA,
        tenant=tenant,
        project=project,
        shape=spec.shape,
        priority=spec.priority,
        queued_ms=now_ms,
        data=data_of(spec.volumes),
    )
