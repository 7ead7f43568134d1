"""Rollouts: steered by a person, and the revisions that an endpoint has had."""

from gigawatt.model.change import Entity
from gigawatt.model.command import PutEndpoint, SteerRollout
from gigawatt.model.endpoint import Endpoint, Revision
from gigawatt.model.environment import HOST, Environment
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.rollout import RevisionPhase, Steer
from gigawatt.model.tenant import Caller
from gigawatt.service.endpoints import view_of
from gigawatt.service.lookup import Filters, find_endpoint
from gigawatt.service.permissions import verb
from gigawatt.service.receipts import once
from gigawatt.service.services import Services, Terms
from gigawatt.service.views.endpoints import EndpointView
from gigawatt.service.views.rollouts import RevisionView, revision_view
from gigawatt.service.views.text import PageView
from gigawatt.spec.requests import SteerRequest
from gigawatt.store.base import Query

REVISIONS_LOOKED_AT = 200


@verb
async def steer(
    caller: Caller,
    services: Services,
    reference: str,
    request: SteerRequest,
    *,
    project: str,
    terms: Terms,
) -> EndpointView:
    """Have a rollout go on, stay or go back; without one, roll back to an earlier revision by a new one."""
    endpoint = await find_endpoint(caller, services, reference, project)
    again = request.steer == Steer.ROLLBACK and (endpoint.rollout is None or request.to)

    async def write() -> Entity:
        version = terms.check(endpoint.version)
        if again:
            command = await _put_again(caller, services, endpoint, request.to, version)
            return await services.leader.submit(command, receipt=terms.receipt(endpoint.tenant))
        command = SteerRollout(
            id=endpoint.id,
            steer=Steer(request.steer),
            by=caller.name,
            reason=request.reason,
            if_version=version,
        )
        return await services.leader.submit(command, receipt=terms.receipt(endpoint.tenant))

    return await view_of(services, await once(Endpoint, services, terms, endpoint.tenant, write))


@verb
async def page(
    caller: Caller, services: Services, reference: str, *, project: str, filters: Filters
) -> PageView[RevisionView]:
    """Of one endpoint, newest first."""
    endpoint = await find_endpoint(caller, services, reference, project)
    query = Query(
        tenant=endpoint.tenant, parent=endpoint.id, cursor=filters.cursor, limit=filters.limit
    )
    found = await services.read(lambda: services.store.page(Revision, query))
    views = [revision_view(each, endpoint) for each in found.items]
    return PageView(items=views, next=found.next)


async def _put_again(
    caller: Caller, services: Services, endpoint: Endpoint, number: int, version: int
) -> PutEndpoint:
    """Raises RefusalError."""
    found = await _revision(services, endpoint, number)
    environment = None
    if found.spec.environment != HOST:
        environment = await services.read(
            lambda: services.store.read(Environment, found.spec.environment)
        )
    return PutEndpoint(
        id=endpoint.id,
        tenant=endpoint.tenant,
        project=endpoint.project,
        by=caller.name,
        spec=found.spec,
        environment=environment,
        if_version=version,
    )


async def _revision(services: Services, endpoint: Endpoint, number: int) -> Revision:
    """The one of that number, or with 0 the newest before this one that was live. Raises RefusalError."""
    query = Query(tenant=endpoint.tenant, parent=endpoint.id, limit=REVISIONS_LOOKED_AT)
    page = await services.read(lambda: services.store.page(Revision, query))
    known = sorted(page.items, key=lambda each: -each.number)
    for each in known:
        earlier = each.number < endpoint.generation and each.phase is RevisionPhase.LIVE
        if each.number == number or (not number and earlier):
            return each
    name = endpoint.spec.name
    what = f"revision {number}" if number else f"revision before {endpoint.generation}"
    raise RefusalError(
        RefusalCode.NOT_FOUND,
        f"endpoint {name} has no {what} to go back to",
        field="to",
        hint=f"gw endpoints revisions {name}",
    )
