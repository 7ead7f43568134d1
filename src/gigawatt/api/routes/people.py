"""People and programs of a tenant: /v1/users, what they hold, and /v1/members."""

from starlette.responses import Response

from gigawatt.api.account_queries import OfGrant, OfTenant, UserListing
from gigawatt.api.call import Call
from gigawatt.api.operations import Operation, Routes
from gigawatt.api.queries import Listing, Nothing
from gigawatt.api.replies import page_reply, reply
from gigawatt.service import members, users
from gigawatt.service.views.account import MemberView, UserView
from gigawatt.service.views.text import PageView
from gigawatt.spec.requests import GrantRequest, UserRequest, parse_request

ROUTES = Routes()


@ROUTES.add(
    "GET",
    "/v1/users",
    Operation(
        verb="users.page",
        summary="List people and service accounts, newest first",
        responds=PageView[UserView],
    ),
)
async def list_users(call: Call, query: UserListing) -> Response:
    filters = query.filters()
    return page_reply(await users.page(call.caller, call.services, filters, kind=query.kind))


@ROUTES.add(
    "POST",
    "/v1/users",
    Operation(
        verb="users.create",
        summary="Make a person or a service account known, with a first role",
        responds=UserView,
        status=201,
        accepts=UserRequest,
        writes=True,
    ),
)
async def create_user(call: Call, query: Nothing) -> Response:
    request = parse_request(UserRequest, await call.body())
    terms = await call.terms()
    view = await users.create(call.caller, call.services, request, terms=terms)
    return reply(view, status=201, version=view.version)


@ROUTES.add(
    "GET",
    "/v1/users/{user}",
    Operation(verb="users.show", summary="Show a user", responds=UserView),
)
async def show_user(call: Call, user: str, query: OfTenant) -> Response:
    view = await users.show(call.caller, call.services, user, tenant=query.tenant)
    return reply(view, version=view.version)


@ROUTES.add(
    "POST",
    "/v1/users/{user}/disable",
    Operation(
        verb="users.disable",
        summary="Refuse all of a user's keys from now on",
        responds=UserView,
        writes=True,
        versioned=True,
    ),
)
async def disable_user(call: Call, user: str, query: OfTenant) -> Response:
    terms = await call.terms()
    view = await users.disable(call.caller, call.services, user, tenant=query.tenant, terms=terms)
    return reply(view, version=view.version)


@ROUTES.add(
    "POST",
    "/v1/users/{user}/enable",
    Operation(
        verb="users.enable",
        summary="Take a user's keys again",
        responds=UserView,
        writes=True,
        versioned=True,
    ),
)
async def enable_user(call: Call, user: str, query: OfTenant) -> Response:
    terms = await call.terms()
    view = await users.enable(call.caller, call.services, user, tenant=query.tenant, terms=terms)
    return reply(view, version=view.version)


@ROUTES.add(
    "PUT",
    "/v1/users/{user}/roles",
    Operation(
        verb="members.give",
        summary="Give a user a role in a project, or in all of the tenant",
        responds=UserView,
        accepts=GrantRequest,
        writes=True,
        versioned=True,
    ),
)
async def give_role(call: Call, user: str, query: Nothing) -> Response:
    request = parse_request(GrantRequest, await call.body())
    terms = await call.terms()
    view = await members.give(call.caller, call.services, user, request, terms=terms)
    return reply(view, version=view.version)


@ROUTES.add(
    "DELETE",
    "/v1/users/{user}/roles",
    Operation(
        verb="members.take",
        summary="Take away what a user holds in a project, or in all of the tenant",
        responds=UserView,
        writes=True,
        versioned=True,
    ),
)
async def take_role(call: Call, user: str, query: OfGrant) -> Response:
    terms, place = await call.terms(), (query.tenant, query.project)
    view = await members.take(call.caller, call.services, user, place=place, terms=terms)
    return reply(view, version=view.version)


@ROUTES.add(
    "GET",
    "/v1/members",
    Operation(
        verb="members.page",
        summary="List who holds which role",
        responds=PageView[MemberView],
    ),
)
async def list_members(call: Call, query: Listing) -> Response:
    return page_reply(await members.page(call.caller, call.services, query.filters()))
