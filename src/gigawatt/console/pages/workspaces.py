"""Workspaces: who works where, until when; opening, suspending, prolonging and ending one."""

from typing import Any

from starlette.responses import Response

from gigawatt.api.queries import Listing
from gigawatt.console.navigation import url
from gigawatt.console.page import Page
from gigawatt.console.visit import Shell, Visit, Visiting
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.service import workspaces
from gigawatt.service.permissions import may
from gigawatt.service.views.workspaces import WorkspaceView

PAGE = Page(name="workspaces")
LIVE = ("workspace.",)
EVERY_S = 10  # use is measured without an event
HOURS_MAX = 168


@PAGE.shows("/workspaces")
async def list_workspaces(visit: Visiting, query: Listing) -> Response:
    """The newest first."""
    page = await workspaces.page(visit.caller, visit.services, query.filters())
    given: dict[str, Any] = dict(visit.request.query_params)
    shell = Shell(title="Workspaces", entry="workspaces", live=LIVE, every_s=EVERY_S)
    return visit.page(
        "workspaces/index.html",
        shell=shell,
        page=page,
        given=given,
        phases=workspaces.PHASES,
        acts=may(visit.caller, "workspaces.suspend"),
    )


@PAGE.shows("/workspaces/{workspace}")
async def show_workspace(visit: Visiting, workspace: str) -> Response:
    """One workspace, by id or name."""
    view = await workspaces.show(visit.caller, visit.services, workspace)
    shell = Shell(title=view.name, entry="workspaces", live=LIVE, every_s=EVERY_S)
    return visit.page(
        "workspaces/workspace.html",
        shell=shell,
        it=view,
        path=f"/workspaces/{view.id}",
        acts=may(visit.caller, "workspaces.suspend"),
    )


@PAGE.does("/workspaces/{workspace}/open")
async def open_workspace(visit: Visiting, workspace: str) -> Response:
    """A link into it that works once: a form of ours may lead to no other origin by itself, and it is at one."""
    found = await workspaces.enter(visit.caller, visit.services, workspace, visit.caller.key)
    view = await workspaces.show(visit.caller, visit.services, workspace)
    shell = Shell(title=view.name, entry="workspaces")
    return visit.page("workspaces/open.html", shell=shell, it=view, link=found)


@PAGE.does("/workspaces/{workspace}/start")
async def start(visit: Visiting, workspace: str) -> Response:
    """Have a suspended one go on."""
    view = await workspaces.start(
        visit.caller, visit.services, workspace, project="", terms=visit.terms
    )
    return _back(visit, view)


@PAGE.does("/workspaces/{workspace}/suspend")
async def suspend(visit: Visiting, workspace: str) -> Response:
    """Let go of its node; its home stays."""
    view = await workspaces.suspend(
        visit.caller, visit.services, workspace, project="", terms=visit.terms
    )
    return _back(visit, view)


@PAGE.does("/workspaces/{workspace}/extend")
async def extend(visit: Visiting, workspace: str) -> Response:
    """Put the end of its lease off."""
    hours = visit.form.get("hours", "")
    if not hours.isdigit() or not 1 <= int(hours) <= HOURS_MAX:
        detail = f"hours is {hours[:20]!r}; 1 to {HOURS_MAX} are allowed"
        raise RefusalError(RefusalCode.INVALID, detail, field="hours")
    view = await workspaces.extend(
        visit.caller, visit.services, workspace, int(hours) * 3_600, project="", terms=visit.terms
    )
    return visit.back(url(f"/workspaces/{view.id}"), f"{view.name} was given {hours} h more")


@PAGE.does("/workspaces/{workspace}/delete")
async def delete(visit: Visiting, workspace: str) -> Response:
    """Stop it and forget it; its home stays on disk."""
    view = await workspaces.delete(
        visit.caller, visit.services, workspace, project="", purge=False, terms=visit.terms
    )
    return visit.back(url("/workspaces"), f"{view.name} is {view.phase}")


def _back(visit: Visit, view: WorkspaceView) -> Response:
    return visit.back(url(f"/workspaces/{view.id}"), f"{view.name} is {view.phase}")
