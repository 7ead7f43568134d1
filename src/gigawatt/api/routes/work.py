"""Jobs and arrays together: /v1/work."""

from starlette.responses import Response

from gigawatt.api.call import Call
from gigawatt.api.operations import Operation, Routes
from gigawatt.api.queries import JobListing
from gigawatt.api.replies import page_reply, reply
from gigawatt.service import work
from gigawatt.service.views.text import PageView
from gigawatt.service.views.work import WorkTotalsView, WorkView

ROUTES = Routes()


@ROUTES.add(
    "GET",
    "/v1/work",
    Operation(
        verb="work.page",
        summary="List jobs and arrays together, newest first",
        responds=PageView[WorkView],
    ),
)
async def list_work(call: Call, query: JobListing) -> Response:
    return page_reply(await work.page(call.caller, call.services, query.filters()))


@ROUTES.add(
    "GET",
    "/v1/work/totals",
    Operation(
        verb="work.totals",
        summary="Count jobs and arrays by phase",
        responds=WorkTotalsView,
    ),
)
async def count_work(call: Call, query: JobListing) -> Response:
    return reply(await work.totals(call.caller, call.services, query.filters()))
