"""Ranks that run right now: /v1/jobs/{job}/stacks, /v1/jobs/{job}/exec."""

from starlette.responses import Response

from gigawatt.api.call import Call
from gigawatt.api.operations import Operation, Routes
from gigawatt.api.queries import Place, Ranks
from gigawatt.api.replies import reply
from gigawatt.service import live
from gigawatt.service.live import Order
from gigawatt.service.views.live import ExecView, StacksView
from gigawatt.spec.requests import ExecRequest, parse_request

ROUTES = Routes()


@ROUTES.add(
    "GET",
    "/v1/jobs/{job}/stacks",
    Operation(
        verb="live.stacks",
        summary="Show where ranks are in their programs, the same ones together",
        responds=StacksView,
    ),
)
async def job_stacks(call: Call, job: str, query: Ranks) -> Response:
    ranks = tuple(query.rank)
    return reply(await live.stacks(call.caller, call.services, job, ranks, project=query.project))


@ROUTES.add(
    "POST",
    "/v1/jobs/{job}/exec",
    Operation(
        verb="live.execute",
        summary="Run a command beside a rank; every call runs it anew",
        responds=ExecView,
        accepts=ExecRequest,
    ),
)
async def job_exec(call: Call, job: str, query: Place) -> Response:
    wanted = parse_request(ExecRequest, await call.body())
    order = Order(command=tuple(wanted.command), rank=wanted.rank, timeout_s=wanted.timeout_s)
    return reply(await live.execute(call.caller, call.services, job, order, project=query.project))
