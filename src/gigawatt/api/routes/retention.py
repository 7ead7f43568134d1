"""How long things are kept, and removing what need not be: /v1/projects/{project}/retention, /v1/prune."""

from starlette.responses import Response

from gigawatt.api.call import Call
from gigawatt.api.operations import Operation, Routes
from gigawatt.api.queries import Nothing, Submit
from gigawatt.api.replies import reply
from gigawatt.model.retention import Kind
from gigawatt.service import retention
from gigawatt.service.retention import UNASKED, Ask
from gigawatt.service.views.retention import PruneView, RetentionView
from gigawatt.spec.requests import parse_request
from gigawatt.spec.retention import PruneRequest, RetentionRequest

ROUTES = Routes()


@ROUTES.add(
    "GET",
    "/v1/projects/{project}/retention",
    Operation(
        verb="retention.show",
        summary="Show how long a project's things are kept",
        responds=RetentionView,
    ),
)
async def show_retention(call: Call, project: str, query: Nothing) -> Response:
    view = await retention.show(call.caller, call.services, project=project)
    return reply(view, version=view.version)


@ROUTES.add(
    "PUT",
    "/v1/projects/{project}/retention",
    Operation(
        verb="retention.set_policy",
        summary="Set how long a project's things are kept",
        responds=RetentionView,
        accepts=RetentionRequest,
        writes=True,
        versioned=True,
    ),
)
async def set_retention(call: Call, project: str, query: Nothing) -> Response:
    request = parse_request(RetentionRequest, await call.body())
    terms = await call.terms()
    view = await retention.set_policy(
        call.caller, call.services, request.changed, project=project, terms=terms
    )
    return reply(view, version=view.version)


@ROUTES.add(
    "POST",
    "/v1/prune",
    Operation(
        verb="retention.prune",
        summary="Remove what need not be kept any more",
        responds=PruneView,
        accepts=PruneRequest,
        dry_run="retention.dry_run",
    ),
)
async def prune(call: Call, query: Submit) -> Response:
    request = parse_request(PruneRequest, await call.body())
    ask = Ask(
        kinds=frozenset(map(Kind, request.kinds)) or UNASKED,
        older_than_ms=request.older_than,
        project=query.project,
    )
    if query.dry_run:
        return reply(await retention.dry_run(call.caller, call.services, ask))
    return reply(await retention.prune(call.caller, call.services, ask))
