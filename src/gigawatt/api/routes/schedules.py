"""Schedules: /v1/schedules."""

from starlette.responses import Response

from gigawatt.api.call import Call
from gigawatt.api.operations import Operation, Routes
from gigawatt.api.queries import Listing, Paging, Place
from gigawatt.api.replies import nothing, page_reply, reply
from gigawatt.service import schedules
from gigawatt.service.schedules import FirePlace
from gigawatt.service.views.arrays import ArrayView
from gigawatt.service.views.jobs import JobView
from gigawatt.service.views.standing import FireView, ScheduleView
from gigawatt.service.views.text import PageView
from gigawatt.spec.requests import parse_request
from gigawatt.spec.standing import ScheduleForm

ROUTES = Routes()


@ROUTES.add(
    "POST",
    "/v1/schedules",
    Operation(
        verb="schedules.create",
        summary="Have a job or an array submitted again and again",
        responds=ScheduleView,
        status=201,
        accepts=ScheduleForm,
        writes=True,
    ),
)
async def create_schedule(call: Call, query: Place) -> Response:
    request = parse_request(ScheduleForm, await call.body())
    terms = await call.terms()
    view = await schedules.create(
        call.caller, call.services, request, project=query.project, terms=terms
    )
    place = f"/v1/schedules/{view.name}"
    return reply(view, status=201, version=view.version, location=place)


@ROUTES.add(
    "GET",
    "/v1/schedules",
    Operation(
        verb="schedules.page",
        summary="List schedules, newest first",
        responds=PageView[ScheduleView],
    ),
)
async def list_schedules(call: Call, query: Listing) -> Response:
    return page_reply(await schedules.page(call.caller, call.services, query.filters()))


@ROUTES.add(
    "GET",
    "/v1/schedules/{name}",
    Operation(
        verb="schedules.show",
        summary="Show a schedule, and when it is due next",
        responds=ScheduleView,
    ),
)
async def show_schedule(call: Call, name: str, query: Place) -> Response:
    view = await schedules.show(call.caller, call.services, name, project=query.project)
    return reply(view, version=view.version)


@ROUTES.add(
    "GET",
    "/v1/schedules/{name}/fires",
    Operation(
        verb="schedules.fires",
        summary="List what became of a schedule's due times, newest first",
        responds=PageView[FireView],
    ),
)
async def list_fires(call: Call, name: str, query: Paging) -> Response:
    place = FirePlace(cursor=query.cursor, limit=query.limit)
    found = await schedules.fires(call.caller, call.services, name, place, project=query.project)
    return page_reply(found)


@ROUTES.add(
    "POST",
    "/v1/schedules/{name}/pause",
    Operation(
        verb="schedules.pause",
        summary="Submit nothing until it is resumed",
        responds=ScheduleView,
        writes=True,
        versioned=True,
    ),
)
async def pause_schedule(call: Call, name: str, query: Place) -> Response:
    terms = await call.terms()
    view = await schedules.pause(
        call.caller, call.services, name, project=query.project, terms=terms
    )
    return reply(view, version=view.version)


@ROUTES.add(
    "POST",
    "/v1/schedules/{name}/resume",
    Operation(
        verb="schedules.resume",
        summary="Have it go on, for your key",
        responds=ScheduleView,
        writes=True,
        versioned=True,
    ),
)
async def resume_schedule(call: Call, name: str, query: Place) -> Response:
    terms = await call.terms()
    view = await schedules.resume(
        call.caller, call.services, name, project=query.project, terms=terms
    )
    return reply(view, version=view.version)


@ROUTES.add(
    "POST",
    "/v1/schedules/{name}/run",
    Operation(
        verb="schedules.run",
        summary="Submit its job or array now",
        responds=JobView | ArrayView,
        status=201,
        writes=True,
    ),
)
async def run_schedule(call: Call, name: str, query: Place) -> Response:
    terms = await call.terms()
    view = await schedules.run(call.caller, call.services, name, project=query.project, terms=terms)
    noun = "jobs" if isinstance(view, JobView) else "arrays"
    return reply(view, status=201, version=view.version, location=f"/v1/{noun}/{view.id}")


@ROUTES.add(
    "DELETE",
    "/v1/schedules/{name}",
    Operation(
        verb="schedules.remove",
        summary="Delete a schedule; its jobs stay",
        status=204,
        writes=True,
        versioned=True,
    ),
)
async def remove_schedule(call: Call, name: str, query: Place) -> Response:
    terms = await call.terms()
    await schedules.remove(call.caller, call.services, name, project=query.project, terms=terms)
    return nothing()
