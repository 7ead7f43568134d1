"""Who there is: /v1/projects, /v1/tenants, /v1/keys, /v1/whoami, and the instance itself."""

from starlette.responses import Response

from gigawatt.api.account_queries import KeyListing
from gigawatt.api.call import Call
from gigawatt.api.operations import Operation, Routes
from gigawatt.api.queries import Listing, Nothing
from gigawatt.api.replies import page_reply, reply
from gigawatt.service import instance, keys, projects, self_audit, tenants
from gigawatt.service.views.account import (
    CallerView,
    InstanceView,
    KeyView,
    ProjectView,
    TenantView,
)
from gigawatt.service.views.self_audit import SelfAuditView
from gigawatt.service.views.text import PageView
from gigawatt.spec.requests import (
    KeyRequest,
    ProjectRequest,
    RotateRequest,
    TenantIsolationRequest,
    TenantRequest,
    parse_request,
)

ROUTES = Routes()


@ROUTES.add(
    "GET",
    "/v1/instance",
    Operation(verb="instance.show", summary="Show the instance", responds=InstanceView),
)
async def show_instance(call: Call, query: Nothing) -> Response:
    return reply(await instance.show(call.caller, call.services))


@ROUTES.add(
    "GET",
    "/v1/audit/self",
    Operation(
        verb="self_audit.report",
        summary="Check the instance as who buys it would",
        responds=SelfAuditView,
    ),
)
async def audit_self(call: Call, query: Nothing) -> Response:
    return reply(await self_audit.report(call.caller, call.services))


@ROUTES.add(
    "GET",
    "/v1/whoami",
    Operation(verb="instance.whoami", summary="Show who you are", responds=CallerView),
)
async def whoami(call: Call, query: Nothing) -> Response:
    return reply(await instance.whoami(call.caller, call.services))


@ROUTES.add(
    "GET",
    "/v1/projects",
    Operation(verb="projects.page", summary="List projects", responds=PageView[ProjectView]),
)
async def list_projects(call: Call, query: Listing) -> Response:
    return page_reply(await projects.page(call.caller, call.services, query.filters()))


@ROUTES.add(
    "POST",
    "/v1/projects",
    Operation(
        verb="projects.create",
        summary="Make a project",
        responds=ProjectView,
        status=201,
        accepts=ProjectRequest,
        writes=True,
    ),
)
async def create_project(call: Call, query: Nothing) -> Response:
    request = parse_request(ProjectRequest, await call.body())
    terms = await call.terms()
    view = await projects.create(call.caller, call.services, request, terms=terms)
    return reply(view, status=201)


@ROUTES.add(
    "GET",
    "/v1/tenants",
    Operation(verb="tenants.page", summary="List tenants", responds=PageView[TenantView]),
)
async def list_tenants(call: Call, query: Listing) -> Response:
    return page_reply(await tenants.page(call.caller, call.services, query.filters()))


@ROUTES.add(
    "POST",
    "/v1/tenants",
    Operation(
        verb="tenants.create",
        summary="Make a tenant: refused where tenants are not isolated, unless that is accepted",
        responds=TenantView,
        status=201,
        accepts=TenantRequest,
        writes=True,
    ),
)
async def create_tenant(call: Call, query: Nothing) -> Response:
    request = parse_request(TenantRequest, await call.body())
    terms = await call.terms()
    view = await tenants.create(call.caller, call.services, request, terms=terms)
    return reply(view, status=201)


@ROUTES.add(
    "GET",
    "/v1/tenants/{tenant}",
    Operation(verb="tenants.show", summary="Show a tenant", responds=TenantView),
)
async def show_tenant(call: Call, tenant: str, query: Nothing) -> Response:
    view = await tenants.show(call.caller, call.services, tenant)
    return reply(view, version=view.version)


@ROUTES.add(
    "PUT",
    "/v1/tenants/{tenant}/isolation",
    Operation(
        verb="tenants.set_isolation",
        summary="Set what class of isolation all that a tenant starts has at least",
        responds=TenantView,
        accepts=TenantIsolationRequest,
        writes=True,
        versioned=True,
    ),
)
async def set_tenant_isolation(call: Call, tenant: str, query: Nothing) -> Response:
    request = parse_request(TenantIsolationRequest, await call.body())
    terms = await call.terms()
    view = await tenants.set_isolation(call.caller, call.services, tenant, request, terms=terms)
    return reply(view, version=view.version)


@ROUTES.add(
    "GET",
    "/v1/keys",
    Operation(verb="keys.page", summary="List API keys, newest first", responds=PageView[KeyView]),
)
async def list_keys(call: Call, query: KeyListing) -> Response:
    filters = query.filters()
    return page_reply(await keys.page(call.caller, call.services, filters, prefix=query.prefix))


@ROUTES.add(
    "POST",
    "/v1/keys",
    Operation(
        verb="keys.create",
        summary="Make an API key; its secret is in this answer and never again",
        responds=KeyView,
        status=201,
        accepts=KeyRequest,
        writes=True,
    ),
)
async def create_key(call: Call, query: Nothing) -> Response:
    request = parse_request(KeyRequest, await call.body())
    terms = await call.terms()
    view = await keys.create(call.caller, call.services, request, terms=terms)
    return reply(view, status=201, version=view.version)


@ROUTES.add(
    "POST",
    "/v1/keys/{key}/rotate",
    Operation(
        verb="keys.rotate",
        summary="Make a successor of a key; its secret is in this answer and never again",
        responds=KeyView,
        status=201,
        accepts=RotateRequest,
        writes=True,
        versioned=True,
    ),
)
async def rotate_key(call: Call, key: str, query: Nothing) -> Response:
    request = parse_request(RotateRequest, await call.body())
    terms = await call.terms()
    view = await keys.rotate(call.caller, call.services, key, request, terms=terms)
    return reply(view, status=201, version=view.version)


@ROUTES.add(
    "DELETE",
    "/v1/keys/{key}",
    Operation(
        verb="keys.revoke",
        summary="Refuse a key from now on",
        responds=KeyView,
        writes=True,
        versioned=True,
    ),
)
async def revoke_key(call: Call, key: str, query: Nothing) -> Response:
    terms = await call.terms()
    view = await keys.revoke(call.caller, call.services, key, terms=terms)
    return reply(view, version=view.version)
