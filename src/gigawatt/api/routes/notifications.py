"""Notifications and what became of their messages: /v1/notifications."""

from starlette.responses import Response

from gigawatt.api.call import Call
from gigawatt.api.operations import Operation, Routes
from gigawatt.api.queries import Listing, Place
from gigawatt.api.replies import nothing, page_reply, reply
from gigawatt.service import notifications
from gigawatt.service.views.standing import (
    DeliveryView,
    NotificationView,
    RedeliveryView,
    TrialView,
)
from gigawatt.service.views.text import PageView
from gigawatt.spec.requests import parse_request
from gigawatt.spec.standing import NotificationForm, RedeliveryForm

ROUTES = Routes()


@ROUTES.add(
    "POST",
    "/v1/notifications",
    Operation(
        verb="notifications.create",
        summary="Tell a webhook or mailboxes what happens from now on",
        responds=NotificationView,
        status=201,
        accepts=NotificationForm,
        writes=True,
    ),
)
async def create_notification(call: Call, query: Place) -> Response:
    request = parse_request(NotificationForm, await call.body())
    terms = await call.terms()
    view = await notifications.create(
        call.caller, call.services, request, project=query.project, terms=terms
    )
    place = f"/v1/notifications/{view.name}"
    return reply(view, status=201, version=view.version, location=place)


@ROUTES.add(
    "GET",
    "/v1/notifications",
    Operation(
        verb="notifications.page",
        summary="List notifications, newest first",
        responds=PageView[NotificationView],
    ),
)
async def list_notifications(call: Call, query: Listing) -> Response:
    return page_reply(await notifications.page(call.caller, call.services, query.filters()))


@ROUTES.add(
    "GET",
    "/v1/notifications/{name}",
    Operation(verb="notifications.show", summary="Show a notification", responds=NotificationView),
)
async def show_notification(call: Call, name: str, query: Place) -> Response:
    view = await notifications.show(call.caller, call.services, name, project=query.project)
    return reply(view, version=view.version)


@ROUTES.add(
    "GET",
    "/v1/notifications/{name}/deliveries",
    Operation(
        verb="notifications.deliveries",
        summary="List its newest messages: pending, delivered, dead",
        responds=PageView[DeliveryView],
    ),
)
async def list_deliveries(call: Call, name: str, query: Listing) -> Response:
    found = await notifications.deliveries(
        call.caller, call.services, name, query.filters(), project=query.project
    )
    return page_reply(found)


@ROUTES.add(
    "POST",
    "/v1/notifications/{name}/redeliver",
    Operation(
        verb="notifications.redeliver",
        summary="Send dead messages again: those named, or all",
        responds=RedeliveryView,
        accepts=RedeliveryForm,
        writes=True,
    ),
)
async def redeliver_messages(call: Call, name: str, query: Place) -> Response:
    request = parse_request(RedeliveryForm, await call.body())
    terms = await call.terms()
    view = await notifications.redeliver(
        call.caller, call.services, name, request, project=query.project, terms=terms
    )
    return reply(view)


@ROUTES.add(
    "POST",
    "/v1/notifications/{name}/test",
    Operation(
        verb="notifications.trial",
        summary="Send a message now, and say how it went",
        responds=TrialView,
    ),
)
async def try_notification(call: Call, name: str, query: Place) -> Response:
    view = await notifications.trial(call.caller, call.services, name, project=query.project)
    return reply(view)


@ROUTES.add(
    "DELETE",
    "/v1/notifications/{name}",
    Operation(
        verb="notifications.remove",
        summary="Tell it nothing more",
        status=204,
        writes=True,
        versioned=True,
    ),
)
async def remove_notification(call: Call, name: str, query: Place) -> Response:
    terms = await call.terms()
    await notifications.remove(call.caller, call.services, name, project=query.project, terms=terms)
    return nothing()
