"""The site: /v1/nodes, /v1/ledger, /v1/events, and what gateways ask for and tell."""

import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import Response

from gigawatt.api.call import Call
from gigawatt.api.operations import Operation, Routes
from gigawatt.api.queries import Config, Events, Ledger, Listing, Nothing, Overview, Watch
from gigawatt.api.replies import HEARTBEAT, JSON, event_stream, nothing, page_reply, reply, sse
from gigawatt.service import events, gateway, ledger, nodes, overview, watch
from gigawatt.service.views.account import EventView
from gigawatt.service.views.ledger import LedgerView
from gigawatt.service.views.nodes import NodeView
from gigawatt.service.views.overview import OverviewView
from gigawatt.service.views.text import PageView, to_json
from gigawatt.spec.requests import DemandReport, NodeCheckRequest, NodeStateRequest, parse_request

ROUTES = Routes()


@ROUTES.add(
    "GET",
    "/v1/nodes",
    Operation(verb="nodes.page", summary="List nodes", responds=PageView[NodeView]),
)
async def list_nodes(call: Call, query: Listing) -> Response:
    return page_reply(await nodes.page(call.caller, call.services, query.filters()))


@ROUTES.add(
    "GET",
    "/v1/nodes/{node}",
    Operation(verb="nodes.show", summary="Show a node", responds=NodeView),
)
async def show_node(call: Call, node: str, query: Nothing) -> Response:
    view = await nodes.show(call.caller, call.services, node)
    return reply(view, version=view.version)


@ROUTES.add(
    "PUT",
    "/v1/nodes/{node}/state",
    Operation(
        verb="nodes.set_state",
        summary="Open, cordon, drain, repair or retire a node",
        responds=NodeView,
        accepts=NodeStateRequest,
        writes=True,
        versioned=True,
    ),
)
async def set_node_state(call: Call, node: str, query: Nothing) -> Response:
    request = parse_request(NodeStateRequest, await call.body())
    terms = await call.terms()
    view = await nodes.set_state(call.caller, call.services, node, request, terms=terms)
    return reply(view, version=view.version)


@ROUTES.add(
    "POST",
    "/v1/nodes/{node}/check",
    Operation(
        verb="nodes.check",
        summary="Have checks run on a node",
        responds=NodeView,
        accepts=NodeCheckRequest,
        writes=True,
        versioned=True,
    ),
)
async def check_node(call: Call, node: str, query: Nothing) -> Response:
    request = parse_request(NodeCheckRequest, await call.body())
    terms = await call.terms()
    view = await nodes.check(call.caller, call.services, node, request, terms=terms)
    return reply(view, version=view.version)


@ROUTES.add(
    "GET",
    "/v1/overview",
    Operation(
        verb="overview.show",
        summary="Say what devices do and did of late, what that costs, and how much there is of everything",
        responds=OverviewView,
    ),
)
async def show_overview(call: Call, query: Overview) -> Response:
    return reply(await overview.show(call.caller, call.services, span_s=query.span))


@ROUTES.add(
    "GET",
    "/v1/ledger",
    Operation(
        verb="ledger.totals",
        summary="Say where the installed time went",
        responds=LedgerView,
    ),
)
async def show_ledger(call: Call, query: Ledger) -> Response:
    return reply(await ledger.totals(call.caller, call.services, query.filter()))


@ROUTES.add(
    "GET",
    "/v1/events",
    Operation(
        verb="events.page", summary="List events, oldest first", responds=PageView[EventView]
    ),
)
async def list_events(call: Call, query: Events) -> Response:
    return page_reply(await events.page(call.caller, call.services, query.filters()))


@ROUTES.add(
    "GET",
    "/v1/events/watch",
    Operation(
        verb="watch.events",
        summary="Watch events: the id is the sequence number, the event its kind",
        media_type="text/event-stream",
    ),
)
async def watch_events(call: Call, query: Watch) -> Response:
    wanted = query.filter(call.request.headers.get("last-event-id", ""))
    found = await watch.events(call.caller, call.services, wanted)
    return event_stream(call.while_good(_events(found)))


@ROUTES.add(
    "GET",
    "/v1/gateway/config",
    Operation(
        verb="gateway.configuration",
        summary="Give a gateway its configuration, once it differs from the one it has",
        responds=dict[str, Any],
    ),
)
async def gateway_config(call: Call, query: Config) -> Response:
    found = await gateway.configuration(
        call.caller, call.services, after=query.after, wait_s=query.wait_s
    )
    return Response(json.dumps(found), media_type=JSON, headers={"Cache-Control": "no-store"})


@ROUTES.add(
    "POST",
    "/v1/gateway/demand",
    Operation(
        verb="gateway.report_demand",
        summary="Take in what a gateway counted",
        status=204,
        accepts=DemandReport,
    ),
)
async def gateway_demand(call: Call, query: Nothing) -> Response:
    report = parse_request(DemandReport, await call.body())
    await gateway.report_demand(call.caller, call.services, report)
    return nothing()


async def _events(views: AsyncIterator[EventView | None]) -> AsyncIterator[bytes]:
    yield HEARTBEAT
    async for view in views:
        yield sse(view.kind, to_json(view), id=str(view.seq)) if view else HEARTBEAT
