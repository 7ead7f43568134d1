"""Tokens: /v1/usage, what keys and projects may have, and what gateways report."""

from starlette.responses import Response

from gigawatt.api.call import Call
from gigawatt.api.operations import Operation, Routes
from gigawatt.api.queries import Nothing, Usage
from gigawatt.api.replies import nothing, reply
from gigawatt.service import allowances, usage
from gigawatt.service.views.usage import AllowanceView, SpendingView, UsageView
from gigawatt.spec.requests import parse_request
from gigawatt.spec.usage import AllowanceRequest, SpentRequest, TokenReport

ROUTES = Routes()


@ROUTES.add(
    "GET",
    "/v1/usage",
    Operation(
        verb="usage.totals", summary="Sum requests and tokens by subjects", responds=UsageView
    ),
)
async def show_usage(call: Call, query: Usage) -> Response:
    return reply(await usage.totals(call.caller, call.services, query.filter()))


@ROUTES.add(
    "PUT",
    "/v1/keys/{key}/allowance",
    Operation(
        verb="allowances.of_key",
        summary="Say what a key may have of the gateway",
        responds=AllowanceView,
        accepts=AllowanceRequest,
        writes=True,
        versioned=True,
    ),
)
async def limit_key(call: Call, key: str, query: Nothing) -> Response:
    request = parse_request(AllowanceRequest, await call.body())
    terms = await call.terms()
    return reply(await allowances.of_key(call.caller, call.services, key, request, terms=terms))


@ROUTES.add(
    "PUT",
    "/v1/projects/{project}/allowance",
    Operation(
        verb="allowances.of_project",
        summary="Say what may be had of a project's endpoints",
        responds=AllowanceView,
        accepts=AllowanceRequest,
        writes=True,
        versioned=True,
    ),
)
async def limit_project(call: Call, project: str, query: Nothing) -> Response:
    request = parse_request(AllowanceRequest, await call.body())
    terms = await call.terms()
    return reply(
        await allowances.of_project(call.caller, call.services, project, request, terms=terms)
    )


@ROUTES.add(
    "POST",
    "/v1/gateway/usage",
    Operation(
        verb="usage.count",
        summary="Take in the tokens that a gateway counted, once however often it tells them",
        status=204,
        accepts=TokenReport,
    ),
)
async def count_tokens(call: Call, query: Nothing) -> Response:
    report = parse_request(TokenReport, await call.body())
    await usage.count(call.caller, call.services, report)
    return nothing()


@ROUTES.add(
    "POST",
    "/v1/gateway/spent",
    Operation(
        verb="usage.spent",
        summary="Tell a gateway what others have counted, for budgets",
        responds=SpendingView,
        accepts=SpentRequest,
    ),
)
async def show_spent(call: Call, query: Nothing) -> Response:
    asked = parse_request(SpentRequest, await call.body())
    others = tuple(asked.spools)
    found = await usage.spent(call.caller, call.services, since_ms=asked.since_ms, others=others)
    return reply(found)
