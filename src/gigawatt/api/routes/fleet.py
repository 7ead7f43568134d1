"""The fleet map: /v1/fleet."""

from starlette.responses import Response

from gigawatt.api.call import Call
from gigawatt.api.fleet_queries import Located, Part, Spot
from gigawatt.api.operations import Operation, Routes
from gigawatt.api.queries import Nothing
from gigawatt.api.replies import reply
from gigawatt.service import fleet
from gigawatt.service.fleet_wire import Packed
from gigawatt.service.views.fleet import FleetView, PlacesView, SpotView

ROUTES = Routes()
BINARY = "application/octet-stream"


@ROUTES.add(
    "GET",
    "/v1/fleet",
    Operation(
        verb="fleet.show",
        summary="Count nodes and GPUs of the site, or of a part of it, by domain",
        responds=FleetView,
    ),
)
async def show_fleet(call: Call, query: Part) -> Response:
    return reply(await fleet.show(call.caller, call.services, query.at))


@ROUTES.add(
    "GET",
    "/v1/fleet/layout",
    Operation(
        verb="fleet.layout",
        summary="Give the map's layout as arrays (docs/guides/fleet-map-format.md)",
        also={304: None},
        media_type=BINARY,
    ),
)
async def fleet_layout(call: Call, query: Nothing) -> Response:
    return _file(call, await fleet.layout(call.caller, call.services))


@ROUTES.add(
    "GET",
    "/v1/fleet/state",
    Operation(
        verb="fleet.state",
        summary="Give what is on the map now as arrays (docs/guides/fleet-map-format.md)",
        also={304: None},
        media_type=BINARY,
    ),
)
async def fleet_state(call: Call, query: Nothing) -> Response:
    return _file(call, await fleet.state(call.caller, call.services))


@ROUTES.add(
    "GET",
    "/v1/fleet/spot",
    Operation(verb="fleet.spot", summary="Show a node of the map, by its row", responds=SpotView),
)
async def fleet_spot(call: Call, query: Spot) -> Response:
    return reply(await fleet.spot(call.caller, call.services, query.row, layout=query.layout))


@ROUTES.add(
    "GET",
    "/v1/fleet/places",
    Operation(
        verb="fleet.places", summary="Say where a node or a gang is on the map", responds=PlacesView
    ),
)
async def fleet_places(call: Call, query: Located) -> Response:
    return reply(await fleet.places(call.caller, call.services, query.what))


def _file(call: Call, packed: Packed) -> Response:
    """Not sent again to who has it. A gzipped one has a tag of its own, as caches want it."""
    headers = call.request.headers
    zipped = "gzip" in headers.get("accept-encoding", "")
    tag = f'"{packed.tag}{"-gzip" if zipped else ""}"'
    sent = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Accept-Encoding"}
    if tag in headers.get("if-none-match", ""):
        return Response(status_code=304, headers=sent)
    if zipped:
        sent["Content-Encoding"] = "gzip"
    return Response(packed.gzip if zipped else packed.body, media_type=BINARY, headers=sent)
