"""Nodes that are set aside for a time: /v1/reservations."""

from starlette.responses import Response

from gigawatt.api.call import Call
from gigawatt.api.operations import Operation, Routes
from gigawatt.api.queries import Listing, Nothing
from gigawatt.api.replies import page_reply, reply
from gigawatt.service import reservations
from gigawatt.service.views.reservations import ReservationView
from gigawatt.service.views.text import PageView
from gigawatt.spec.requests import parse_request
from gigawatt.spec.reservations import ReservationForm

ROUTES = Routes()


@ROUTES.add(
    "POST",
    "/v1/reservations",
    Operation(
        verb="reservations.make",
        summary="Set nodes aside for a time",
        responds=ReservationView,
        status=201,
        accepts=ReservationForm,
        writes=True,
    ),
)
async def make_reservation(call: Call, query: Nothing) -> Response:
    request = parse_request(ReservationForm, await call.body())
    terms = await call.terms()
    view = await reservations.make(call.caller, call.services, request, terms=terms)
    place = f"/v1/reservations/{view.name}"
    return reply(view, status=201, version=view.version, location=place)


@ROUTES.add(
    "GET",
    "/v1/reservations",
    Operation(
        verb="reservations.page",
        summary="List reservations that are not over, newest first",
        responds=PageView[ReservationView],
    ),
)
async def list_reservations(call: Call, query: Listing) -> Response:
    return page_reply(await reservations.page(call.caller, call.services, query.filters()))


@ROUTES.add(
    "GET",
    "/v1/reservations/{name}",
    Operation(verb="reservations.show", summary="Show a reservation", responds=ReservationView),
)
async def show_reservation(call: Call, name: str, query: Nothing) -> Response:
    view = await reservations.show(call.caller, call.services, name)
    return reply(view, version=view.version)


@ROUTES.add(
    "DELETE",
    "/v1/reservations/{name}",
    Operation(
        verb="reservations.end",
        summary="End a reservation before its time",
        responds=ReservationView,
        writes=True,
        versioned=True,
    ),
)
async def end_reservation(call: Call, name: str, query: Nothing) -> Response:
    view = await reservations.end(call.caller, call.services, name, terms=await call.terms())
    return reply(view, version=view.version)
