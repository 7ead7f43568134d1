"""What projects may use and do use: /v1/quotas, /v1/projects/{project}/quota and /limits."""

from starlette.responses import Response

from gigawatt.api.call import Call
from gigawatt.api.operations import Operation, Routes
from gigawatt.api.queries import Listing, Nothing
from gigawatt.api.replies import page_reply, reply
from gigawatt.service import limits, quotas
from gigawatt.service.views.quotas import LimitsView, QuotaView
from gigawatt.service.views.text import PageView
from gigawatt.spec.quota import QuotaRequest
from gigawatt.spec.requests import parse_request

ROUTES = Routes()


@ROUTES.add(
    "GET",
    "/v1/quotas",
    Operation(
        verb="quotas.page",
        summary="List what projects may use and do use",
        responds=PageView[QuotaView],
    ),
)
async def list_quotas(call: Call, query: Listing) -> Response:
    return page_reply(await quotas.page(call.caller, call.services, query.filters()))


@ROUTES.add(
    "GET",
    "/v1/projects/{project}/quota",
    Operation(
        verb="quotas.show",
        summary="Show what a project may use and does use",
        responds=QuotaView,
    ),
)
async def show_quota(call: Call, project: str, query: Nothing) -> Response:
    view = await quotas.show(call.caller, call.services, project=project)
    return reply(view, version=view.version)


@ROUTES.add(
    "PUT",
    "/v1/projects/{project}/quota",
    Operation(
        verb="quotas.change",
        summary="Set what a project may use",
        responds=QuotaView,
        accepts=QuotaRequest,
        writes=True,
        versioned=True,
    ),
)
async def change_quota(call: Call, project: str, query: Nothing) -> Response:
    request = parse_request(QuotaRequest, await call.body())
    terms = await call.terms()
    view = await quotas.change(
        call.caller, call.services, request.changed, project=project, terms=terms
    )
    return reply(view, version=view.version)


@ROUTES.add(
    "GET",
    "/v1/projects/{project}/limits",
    Operation(
        verb="limits.show",
        summary="Show every limit of a project, and what it uses of each",
        responds=LimitsView,
    ),
)
async def show_limits(call: Call, project: str, query: Nothing) -> Response:
    return reply(await limits.show(call.caller, call.services, project=project))
