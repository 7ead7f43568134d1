"""The power tree: /v1/power."""

from starlette.responses import Response

from gigawatt.api.call import Call
from gigawatt.api.operations import Operation, Routes
from gigawatt.api.queries import Listing, Nothing
from gigawatt.api.replies import page_reply, reply
from gigawatt.service import power
from gigawatt.service.views.power import FeedView
from gigawatt.service.views.text import PageView
from gigawatt.spec.power import FeedRequest
from gigawatt.spec.requests import parse_request

ROUTES = Routes()


@ROUTES.add(
    "GET",
    "/v1/power",
    Operation(verb="power.page", summary="List the power tree", responds=PageView[FeedView]),
)
async def list_feeds(call: Call, query: Listing) -> Response:
    return page_reply(await power.page(call.caller, call.services, query.filters()))


@ROUTES.add(
    "GET",
    "/v1/power/{feed}",
    Operation(verb="power.show", summary="Show a feed of the power tree", responds=FeedView),
)
async def show_feed(call: Call, feed: str, query: Nothing) -> Response:
    view = await power.show(call.caller, call.services, feed)
    return reply(view, version=view.version)


@ROUTES.add(
    "PUT",
    "/v1/power/{feed}",
    Operation(
        verb="power.change",
        summary="Make or change a feed of the power tree",
        responds=FeedView,
        accepts=FeedRequest,
        writes=True,
        versioned=True,
    ),
)
async def change_feed(call: Call, feed: str, query: Nothing) -> Response:
    request = parse_request(FeedRequest, await call.body())
    terms = await call.terms()
    view = await power.change(call.caller, call.services, feed, request, terms=terms)
    return reply(view, version=view.version)


@ROUTES.add(
    "DELETE",
    "/v1/power/{feed}",
    Operation(
        verb="power.remove",
        summary="Remove a feed of the power tree",
        responds=FeedView,
        writes=True,
        versioned=True,
    ),
)
async def remove_feed(call: Call, feed: str, query: Nothing) -> Response:
    view = await power.remove(call.caller, call.services, feed, terms=await call.terms())
    return reply(view, version=view.version)
