"""Environments: /v1/environments."""

from starlette.responses import Response

from gigawatt.api.call import Call
from gigawatt.api.operations import Operation, Routes
from gigawatt.api.queries import Comparing, Listing, Nothing, Place
from gigawatt.api.replies import page_reply, reply
from gigawatt.service import environments
from gigawatt.service.views.environments import (
    EnvironmentCheckView,
    EnvironmentDiffView,
    EnvironmentPruneView,
)
from gigawatt.service.views.registry import EnvironmentView
from gigawatt.service.views.text import PageView
from gigawatt.spec.environments import parse_environment
from gigawatt.spec.forms import EnvironmentForm
from gigawatt.spec.requests import EnvironmentPruneRequest, parse_request

ROUTES = Routes()


@ROUTES.add(
    "POST",
    "/v1/environments",
    Operation(
        verb="environments.ensure",
        summary="Have an environment built, if it is not there",
        responds=EnvironmentView,
        status=201,
        accepts=EnvironmentForm,
        writes=True,
    ),
)
async def ensure_environment(call: Call, query: Place) -> Response:
    spec = parse_environment(await call.body())
    terms = await call.terms()
    view = await environments.ensure(
        call.caller, call.services, spec, project=query.project, terms=terms
    )
    location = f"/v1/environments/{view.id}"
    return reply(view, status=201, version=view.version, location=location)


@ROUTES.add(
    "GET",
    "/v1/environments",
    Operation(
        verb="environments.page",
        summary="List environments, newest first",
        responds=PageView[EnvironmentView],
    ),
)
async def list_environments(call: Call, query: Listing) -> Response:
    return page_reply(await environments.page(call.caller, call.services, query.filters()))


@ROUTES.add(
    "GET",
    "/v1/environments/{environment}",
    Operation(verb="environments.show", summary="Show an environment", responds=EnvironmentView),
)
async def show_environment(call: Call, environment: str, query: Nothing) -> Response:
    view = await environments.show(call.caller, call.services, environment)
    return reply(view, version=view.version)


@ROUTES.add(
    "GET",
    "/v1/environments/{environment}/diff",
    Operation(
        verb="environments.diff",
        summary="Compare an environment, or that of a job, with another",
        responds=EnvironmentDiffView,
    ),
)
async def diff_environments(call: Call, environment: str, query: Comparing) -> Response:
    view = await environments.diff(
        call.caller, call.services, environment, query.to, project=query.project
    )
    return reply(view)


@ROUTES.add(
    "POST",
    "/v1/environments/{environment}/verify",
    Operation(
        verb="environments.verify",
        summary="Check every file of an environment against what was built",
        responds=EnvironmentCheckView,
    ),
)
async def verify_environment(call: Call, environment: str, query: Nothing) -> Response:
    return reply(await environments.verify(call.caller, call.services, environment))


@ROUTES.add(
    "POST",
    "/v1/environments/prune",
    Operation(
        verb="environments.prune",
        summary="Remove environments that nobody uses; doing it twice removes nothing more",
        responds=EnvironmentPruneView,
        accepts=EnvironmentPruneRequest,
    ),
)
async def prune_environments(call: Call, query: Place) -> Response:
    request = parse_request(EnvironmentPruneRequest, await call.body())
    view = await environments.prune(call.caller, call.services, request, project=query.project)
    return reply(view)
