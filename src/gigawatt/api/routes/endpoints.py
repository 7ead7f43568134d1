"""Endpoints: /v1/endpoints."""

from starlette.responses import Response

from gigawatt.api.call import Call
from gigawatt.api.operations import Operation, Routes
from gigawatt.api.queries import Listing, Logs, Paging, Place, Submit
from gigawatt.api.replies import page_reply, reply
from gigawatt.api.routes.jobs import log_reply
from gigawatt.service import endpoints, logs, rollouts
from gigawatt.service.lookup import Filters
from gigawatt.service.views.endpoints import EndpointView
from gigawatt.service.views.rollouts import EndpointDryRunView, RevisionView
from gigawatt.service.views.text import PageView
from gigawatt.spec.endpoint_form import EndpointForm
from gigawatt.spec.parse import parse_endpoint
from gigawatt.spec.requests import SteerRequest, parse_request

ROUTES = Routes()


@ROUTES.add(
    "POST",
    "/v1/endpoints",
    Operation(
        verb="endpoints.put",
        summary="Make an endpoint, give the one of this name a new spec, or try one out",
        responds=EndpointView,
        status=201,
        also={200: EndpointDryRunView},
        dry_run="endpoints.dry_run",
        accepts=EndpointForm,
        writes=True,
        versioned=True,
    ),
)
async def put_endpoint(call: Call, query: Submit) -> Response:
    draft = parse_endpoint(await call.body())
    if query.dry_run:
        found = await endpoints.dry_run(call.caller, call.services, draft, project=query.project)
        return reply(found)
    terms = await call.terms()
    view = await endpoints.put(
        call.caller, call.services, draft, project=query.project, terms=terms
    )
    return reply(view, status=201, version=view.version, location=f"/v1/endpoints/{view.id}")


@ROUTES.add(
    "GET",
    "/v1/endpoints",
    Operation(
        verb="endpoints.page",
        summary="List endpoints, newest first",
        responds=PageView[EndpointView],
    ),
)
async def list_endpoints(call: Call, query: Listing) -> Response:
    return page_reply(await endpoints.page(call.caller, call.services, query.filters()))


@ROUTES.add(
    "GET",
    "/v1/endpoints/{endpoint}",
    Operation(
        verb="endpoints.show", summary="Show an endpoint, by id or name", responds=EndpointView
    ),
)
async def show_endpoint(call: Call, endpoint: str, query: Place) -> Response:
    view = await endpoints.show(call.caller, call.services, endpoint, project=query.project)
    return reply(view, version=view.version)


@ROUTES.add(
    "DELETE",
    "/v1/endpoints/{endpoint}",
    Operation(
        verb="endpoints.stop",
        summary="Stop every replica and then the endpoint",
        responds=EndpointView,
        writes=True,
        versioned=True,
    ),
)
async def stop_endpoint(call: Call, endpoint: str, query: Place) -> Response:
    terms = await call.terms()
    view = await endpoints.stop(
        call.caller, call.services, endpoint, project=query.project, terms=terms
    )
    return reply(view, version=view.version)


@ROUTES.add(
    "POST",
    "/v1/endpoints/{endpoint}/rollout",
    Operation(
        verb="rollouts.steer",
        summary="Have a rollout go on, stay or go back, or go back to an earlier revision",
        responds=EndpointView,
        accepts=SteerRequest,
        writes=True,
        versioned=True,
    ),
)
async def steer_rollout(call: Call, endpoint: str, query: Place) -> Response:
    request = parse_request(SteerRequest, await call.body())
    terms = await call.terms()
    view = await rollouts.steer(
        call.caller, call.services, endpoint, request, project=query.project, terms=terms
    )
    return reply(view, version=view.version)


@ROUTES.add(
    "GET",
    "/v1/endpoints/{endpoint}/revisions",
    Operation(
        verb="rollouts.page",
        summary="List the revisions that an endpoint has had, newest first",
        responds=PageView[RevisionView],
    ),
)
async def list_revisions(call: Call, endpoint: str, query: Paging) -> Response:
    filters = Filters(cursor=query.cursor, limit=query.limit)
    found = await rollouts.page(
        call.caller, call.services, endpoint, project=query.project, filters=filters
    )
    return page_reply(found)


@ROUTES.add(
    "GET",
    "/v1/endpoints/{endpoint}/logs",
    Operation(
        verb="logs.of_endpoint",
        summary="Read or follow what a replica wrote",
        media_type="text/plain",
    ),
)
async def endpoint_logs(call: Call, endpoint: str, query: Logs) -> Response:
    found = await logs.of_endpoint(
        call.caller, call.services, endpoint, query.wanted(), replica=query.replica
    )
    return log_reply(call, found)
