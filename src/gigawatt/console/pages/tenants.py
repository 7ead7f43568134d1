"""Tenants: what one may have and has, who is in it, its keys, what it owes, and who did what."""

import asyncio
from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from gigawatt.api.queries import Listing
from gigawatt.console.navigation import url
from gigawatt.console.page import Page
from gigawatt.console.visit import Shell, Visit, Visiting
from gigawatt.model.tenant import Role
from gigawatt.service import (
    audit,
    budgets,
    costs,
    invoices,
    keys,
    limits,
    projects,
    quotas,
    tenants,
    users,
)
from gigawatt.service.costs import CostFilter
from gigawatt.service.lookup import Filters
from gigawatt.service.permissions import may
from gigawatt.spec.requests import KeyRequest, RotateRequest
from gigawatt.store.base import AuditQuery

PAGE = Page(name="tenants")
LIVE = ("project.", "user.", "key.", "budget.", "tenant.", "quota.")
STYLES = ("models.css", "tenants.css")
TEXT_CHARS_MAX = 256
SHOWN_MAX = 200
RECORDS_SHOWN = 100
GIVEN = ("viewer", "developer", "project-admin", "tenant-admin", "auditor", "operator")

Text = Annotated[str, Field(max_length=TEXT_CHARS_MAX)]


class Part(BaseModel):
    """Which part of a tenant's page is shown; the rest narrows its audit record."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    tab: Annotated[str, Field(pattern="^(|people|keys|invoices|audit)$")] = ""
    actor: Text = ""
    verb: Text = ""
    outcome: Annotated[str, Field(pattern="^(|done|refused)$")] = ""
    before: Annotated[int, Field(ge=0)] = 0


class Month(BaseModel):
    """How an invoice is written."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    form: Annotated[str, Field(pattern="^(html|text|csv)$")] = "html"


@PAGE.shows("/tenants")
async def list_tenants(visit: Visiting, query: Listing) -> Response:
    """Those that the caller sees; straight to the only one."""
    page = await tenants.page(visit.caller, visit.services, query.filters())
    if len(page.items) == 1 and not page.next:
        return visit.back(url(f"/tenants/{page.items[0].id}"))
    given: dict[str, Any] = dict(visit.request.query_params)
    shell = Shell(title="Tenants", entry="tenants", live=LIVE, styles=STYLES)
    return visit.page("tenants/index.html", shell=shell, page=page, given=given)


@PAGE.shows("/tenants/{tenant}")
async def show_tenant(visit: Visiting, tenant: str, query: Annotated[Part, Query()]) -> Response:
    """One tenant, in parts."""
    view = await tenants.show(visit.caller, visit.services, tenant)
    part = query.tab or "projects"
    shell = Shell(title=view.id, entry="tenants", live=LIVE, styles=STYLES)
    told = await _PARTS[part](visit, view.id, query)
    return visit.page(
        f"tenants/{part}.html",
        shell=shell,
        it=view,
        tabs=_tabs(visit, view.id, query.tab),
        path=f"/tenants/{quote(view.id, safe='')}",
        given=query.model_dump(exclude_defaults=True),
        **told,
    )


@PAGE.shows("/tenants/{tenant}/projects/{project}")
async def show_project(visit: Visiting, tenant: str, project: str) -> Response:
    """Everything that a project may have, and has. Of the caller's own tenant."""
    view = await tenants.show(visit.caller, visit.services, tenant)
    found = await limits.show(visit.caller, visit.services, project=project)
    shell = Shell(title=project, entry="tenants", live=LIVE, styles=STYLES)
    return visit.page(
        "tenants/project.html",
        shell=shell,
        it=view,
        limits=found,
        path=f"/tenants/{quote(view.id, safe='')}",
    )


@PAGE.shows("/tenants/{tenant}/invoices/{month}")
async def show_invoice(
    visit: Visiting, tenant: str, month: str, query: Annotated[Month, Query()]
) -> Response:
    """An invoice as a page of its own, to be read and printed."""
    found = await invoices.content(
        visit.caller, visit.services, month, tenant=tenant, form=query.form
    )
    headers = {"Cache-Control": "no-store"}
    return Response(found.content, media_type=found.media_type, headers=headers)


@PAGE.does("/tenants/{tenant}/keys")
async def create_key(visit: Visiting, tenant: str) -> Response:
    """A new key, whose secret this page shows this once."""
    form = visit.form
    request = KeyRequest.model_validate(
        {
            "name": form.get("name", "").strip(),
            "role": form.get("role", Role.DEVELOPER.value),
            "project": form.get("project", ""),
            "tenant": tenant if visit.caller.role is Role.OPERATOR else "",
        }
    )
    made = await keys.create(visit.caller, visit.services, request, terms=visit.terms)
    return _once(visit, made, tenant)


@PAGE.does("/tenants/{tenant}/keys/{key}/rotate")
async def rotate_key(visit: Visiting, tenant: str, key: str) -> Response:
    """A successor, shown this once; the old one stays good for a day."""
    made = await keys.rotate(visit.caller, visit.services, key, RotateRequest(), terms=visit.terms)
    return _once(visit, made, tenant)


@PAGE.does("/tenants/{tenant}/keys/{key}/revoke")
async def revoke_key(visit: Visiting, tenant: str, key: str) -> Response:
    """Refuse it from now on."""
    view = await keys.revoke(visit.caller, visit.services, key, terms=visit.terms)
    return visit.back(_at(tenant, "keys"), f"{view.name} is revoked")


@PAGE.does("/tenants/{tenant}/users/{name}/{what}")
async def switch_user(visit: Visiting, tenant: str, name: str, what: str) -> Response:
    """Disable a user, or take that back."""
    verb = users.enable if what == "enable" else users.disable
    view = await verb(visit.caller, visit.services, name, tenant=tenant, terms=visit.terms)
    said = "may sign in again" if view.disabled_ms is None else "is disabled"
    return visit.back(_at(tenant, "people"), f"{view.name} {said}")


def _once(visit: Visit, made: Any, tenant: str) -> Response:
    shell = Shell(title=made.name, entry="tenants", styles=STYLES)
    return visit.page("tenants/key.html", shell=shell, made=made, back=_at(tenant, "keys"))


def _at(tenant: str, tab: str) -> str:
    return url(f"/tenants/{quote(tenant, safe='')}") + f"?tab={tab}"


def _tabs(visit: Visit, tenant: str, now: str) -> list[tuple[str, str, bool]]:
    """The parts that the caller may see."""
    caller, path = visit.caller, url(f"/tenants/{quote(tenant, safe='')}")
    shown = [("Projects", path, not now)]
    if may(caller, "users.page"):
        shown.append(("People", f"{path}?tab=people", now == "people"))
    shown.append(("Keys", f"{path}?tab=keys", now == "keys"))
    if may(caller, "invoices.page"):
        shown.append(("Invoices", f"{path}?tab=invoices", now == "invoices"))
    if may(caller, "audit.page"):
        shown.append(("Audit", f"{path}?tab=audit", now == "audit"))
    return shown


async def _projects(visit: Visit, tenant: str, _query: Part) -> dict[str, Any]:
    of_it = Filters(tenant=tenant, limit=SHOWN_MAX)
    found, shares, limits_of, spent = await asyncio.gather(
        projects.page(visit.caller, visit.services, of_it),
        quotas.page(visit.caller, visit.services, of_it),
        budgets.page(visit.caller, visit.services, of_it),
        costs.totals(visit.caller, visit.services, CostFilter(by=("project",), tenant=tenant)),
    )
    return {
        "projects": found.items,
        "quotas": {each.project: each for each in shares.items},
        "budgets": {each.project: each for each in limits_of.items},
        "costs": {each.subjects[0].value: each for each in spent.items},
        "currency": spent.currency,
        "total": spent.cost,
    }


async def _people(visit: Visit, tenant: str, _query: Part) -> dict[str, Any]:
    filters = Filters(tenant=tenant, limit=SHOWN_MAX)
    page = await users.page(visit.caller, visit.services, filters)
    return {"people": page.items, "switches": may(visit.caller, "users.disable")}


async def _keys(visit: Visit, tenant: str, _query: Part) -> dict[str, Any]:
    filters = Filters(tenant=tenant, limit=SHOWN_MAX)
    page, known = await asyncio.gather(
        keys.page(visit.caller, visit.services, filters),
        projects.page(visit.caller, visit.services, filters),
    )
    return {"keys": page.items, "projects": known.items, "roles": GIVEN}


async def _invoices(visit: Visit, tenant: str, _query: Part) -> dict[str, Any]:
    page = await invoices.page(visit.caller, visit.services, Filters(tenant=tenant))
    return {"invoices": page.items}


async def _audit(visit: Visit, tenant: str, query: Part) -> dict[str, Any]:
    asked = AuditQuery(
        tenant=tenant,
        actor=query.actor,
        verb=query.verb,
        outcome=query.outcome,
        limit=RECORDS_SHOWN,
    )
    page = await audit.page(visit.caller, visit.services, replace(asked, before_seq=query.before))
    return {"records": page.items, "next": page.next}


_PARTS = {
    "projects": _projects,
    "people": _people,
    "keys": _keys,
    "invoices": _invoices,
    "audit": _audit,
}
