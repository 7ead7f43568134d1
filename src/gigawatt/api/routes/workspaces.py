"""Workspaces: /v1/workspaces. What a person does in one goes through the proxy, which is an origin of its own."""

from starlette.responses import Response

from gigawatt.api.call import Call
from gigawatt.api.operations import Operation, Routes
from gigawatt.api.queries import Listing, Logs, Place, Purge
from gigawatt.api.replies import page_reply, reply
from gigawatt.api.routes.jobs import log_reply
from gigawatt.service import logs, workspaces
from gigawatt.service.views.text import PageView
from gigawatt.service.views.workspaces import OpenView, WorkspaceView
from gigawatt.spec.requests import parse_request
from gigawatt.spec.workspaces import ExtendRequest, WorkspaceForm, parse_workspace

ROUTES = Routes()


@ROUTES.add(
    "POST",
    "/v1/workspaces",
    Operation(
        verb="workspaces.make",
        summary="Make a workspace and start it",
        responds=WorkspaceView,
        status=201,
        accepts=WorkspaceForm,
        writes=True,
    ),
)
async def make_workspace(call: Call, query: Place) -> Response:
    draft = parse_workspace(await call.body())
    terms = await call.terms()
    view = await workspaces.make(
        call.caller, call.services, draft, project=query.project, terms=terms
    )
    return reply(view, status=201, version=view.version, location=f"/v1/workspaces/{view.id}")


@ROUTES.add(
    "GET",
    "/v1/workspaces",
    Operation(
        verb="workspaces.page",
        summary="List workspaces, newest first",
        responds=PageView[WorkspaceView],
    ),
)
async def list_workspaces(call: Call, query: Listing) -> Response:
    return page_reply(await workspaces.page(call.caller, call.services, query.filters()))


@ROUTES.add(
    "GET",
    "/v1/workspaces/{workspace}",
    Operation(
        verb="workspaces.show", summary="Show a workspace, by id or name", responds=WorkspaceView
    ),
)
async def show_workspace(call: Call, workspace: str, query: Place) -> Response:
    view = await workspaces.show(call.caller, call.services, workspace, project=query.project)
    return reply(view, version=view.version)


@ROUTES.add(
    "POST",
    "/v1/workspaces/{workspace}/start",
    Operation(
        verb="workspaces.start",
        summary="Start a suspended workspace again",
        responds=WorkspaceView,
        writes=True,
        versioned=True,
    ),
)
async def start_workspace(call: Call, workspace: str, query: Place) -> Response:
    terms = await call.terms()
    view = await workspaces.start(
        call.caller, call.services, workspace, project=query.project, terms=terms
    )
    return reply(view, version=view.version)


@ROUTES.add(
    "POST",
    "/v1/workspaces/{workspace}/suspend",
    Operation(
        verb="workspaces.suspend",
        summary="Stop a workspace's program and give back what it holds; its home stays",
        responds=WorkspaceView,
        writes=True,
        versioned=True,
    ),
)
async def suspend_workspace(call: Call, workspace: str, query: Place) -> Response:
    terms = await call.terms()
    view = await workspaces.suspend(
        call.caller, call.services, workspace, project=query.project, terms=terms
    )
    return reply(view, version=view.version)


@ROUTES.add(
    "POST",
    "/v1/workspaces/{workspace}/extend",
    Operation(
        verb="workspaces.extend",
        summary="Have a workspace's lease end later",
        responds=WorkspaceView,
        accepts=ExtendRequest,
        writes=True,
        versioned=True,
    ),
)
async def extend_workspace(call: Call, workspace: str, query: Place) -> Response:
    wanted = parse_request(ExtendRequest, await call.body())
    terms = await call.terms()
    view = await workspaces.extend(
        call.caller, call.services, workspace, wanted.by, project=query.project, terms=terms
    )
    return reply(view, version=view.version)


@ROUTES.add(
    "POST",
    "/v1/workspaces/{workspace}/open",
    Operation(
        verb="workspaces.enter",
        summary="Get a link into a workspace; every call gives another, good once and for a minute",
        responds=OpenView,
    ),
)
async def open_workspace(call: Call, workspace: str, query: Place) -> Response:
    found = await workspaces.enter(
        call.caller, call.services, workspace, call.key_id, project=query.project
    )
    return reply(found)


@ROUTES.add(
    "DELETE",
    "/v1/workspaces/{workspace}",
    Operation(
        verb="workspaces.delete",
        summary="Stop a workspace and forget it, with its home where that is asked",
        responds=WorkspaceView,
        writes=True,
        versioned=True,
    ),
)
async def delete_workspace(call: Call, workspace: str, query: Purge) -> Response:
    terms = await call.terms()
    view = await workspaces.delete(
        call.caller,
        call.services,
        workspace,
        project=query.project,
        purge=query.purge,
        terms=terms,
    )
    return reply(view, version=view.version)


@ROUTES.add(
    "GET",
    "/v1/workspaces/{workspace}/logs",
    Operation(
        verb="logs.of_workspace",
        summary="Read or follow what a workspace's program wrote",
        media_type="text/plain",
    ),
)
async def workspace_logs(call: Call, workspace: str, query: Logs) -> Response:
    found = await logs.of_workspace(
        call.caller, call.services, workspace, query.wanted(), project=query.project
    )
    return log_reply(call, found)
