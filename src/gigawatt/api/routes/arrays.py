"""Job arrays: /v1/arrays."""

from collections.abc import AsyncIterator

from starlette.responses import Response

from gigawatt.api.call import Call
from gigawatt.api.operations import Operation, Routes
from gigawatt.api.queries import JobListing, Listing, Place, Submit
from gigawatt.api.replies import HEARTBEAT, event_stream, page_reply, reply, sse
from gigawatt.service import arrays, watch
from gigawatt.service.views.arrays import ArrayView
from gigawatt.service.views.jobs import DryRunView, JobView
from gigawatt.service.views.text import PageView, to_json
from gigawatt.spec.forms import JobForm
from gigawatt.spec.parse import parse_job

ROUTES = Routes()


@ROUTES.add(
    "POST",
    "/v1/arrays",
    Operation(
        verb="arrays.submit",
        summary="Submit a job array, or try it out: a job with `array`, `sweep` or both",
        responds=ArrayView,
        status=201,
        also={200: DryRunView},
        dry_run="arrays.dry_run",
        accepts=JobForm,
        writes=True,
    ),
)
async def submit_array(call: Call, query: Submit) -> Response:
    draft = parse_job(await call.body())
    if query.dry_run:
        found = await arrays.dry_run(call.caller, call.services, draft, project=query.project)
        return reply(found)
    view = await arrays.submit(
        call.caller, call.services, draft, project=query.project, terms=await call.terms()
    )
    return reply(view, status=201, version=view.version, location=f"/v1/arrays/{view.id}")


@ROUTES.add(
    "GET",
    "/v1/arrays",
    Operation(
        verb="arrays.page", summary="List job arrays, newest first", responds=PageView[ArrayView]
    ),
)
async def list_arrays(call: Call, query: JobListing) -> Response:
    return page_reply(await arrays.page(call.caller, call.services, query.filters()))


@ROUTES.add(
    "GET",
    "/v1/arrays/{array}",
    Operation(verb="arrays.show", summary="Show a job array, by id or name", responds=ArrayView),
)
async def show_array(call: Call, array: str, query: Place) -> Response:
    view = await arrays.show(call.caller, call.services, array, project=query.project)
    return reply(view, version=view.version)


@ROUTES.add(
    "GET",
    "/v1/arrays/{array}/tasks",
    Operation(
        verb="arrays.tasks",
        summary="List the jobs of an array's tasks, newest first",
        responds=PageView[JobView],
    ),
)
async def list_tasks(call: Call, array: str, query: Listing) -> Response:
    return page_reply(await arrays.tasks(call.caller, call.services, array, query.filters()))


@ROUTES.add(
    "POST",
    "/v1/arrays/{array}/cancel",
    Operation(
        verb="arrays.cancel",
        summary="Stop a job array for good, with every task",
        responds=ArrayView,
        writes=True,
        versioned=True,
    ),
)
async def cancel_array(call: Call, array: str, query: Place) -> Response:
    terms = await call.terms()
    view = await arrays.cancel(
        call.caller, call.services, array, project=query.project, terms=terms
    )
    return reply(view, version=view.version)


@ROUTES.add(
    "POST",
    "/v1/arrays/{array}/retry",
    Operation(
        verb="arrays.retry",
        summary="Run the tasks again that failed or were cancelled",
        responds=ArrayView,
        writes=True,
        versioned=True,
    ),
)
async def retry_array(call: Call, array: str, query: Place) -> Response:
    terms = await call.terms()
    view = await arrays.retry(call.caller, call.services, array, project=query.project, terms=terms)
    return reply(view, version=view.version)


@ROUTES.add(
    "GET",
    "/v1/arrays/{array}/watch",
    Operation(
        verb="watch.array",
        summary="Watch a job array until it has ended: events `array`, then `end`",
        media_type="text/event-stream",
    ),
)
async def watch_array(call: Call, array: str, query: Place) -> Response:
    views = await watch.array(call.caller, call.services, array, project=query.project)
    return event_stream(call.while_good(_array_events(views)))


async def _array_events(views: AsyncIterator[ArrayView | None]) -> AsyncIterator[bytes]:
    ended = False
    async for view in views:
        if view is None:
            yield HEARTBEAT
        else:
            ended = view.ended_ms is not None
            yield sse("array", to_json(view))
    if ended:
        yield sse("end", b"{}")
