"""Endpoints: what is served, by which replicas and revisions, what it took and costs; and talking to one."""

import asyncio
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response, StreamingResponse

from gigawatt import clock
from gigawatt.api.queries import Listing
from gigawatt.console.navigation import url
from gigawatt.console.page import Page
from gigawatt.console.playground import answer, messages_of
from gigawatt.console.policy import HEADERS
from gigawatt.console.visit import Shell, Visit, Visiting
from gigawatt.model.endpoint import EndpointPhase
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.service import costs, endpoints, rollouts, usage
from gigawatt.service.costs import CostFilter
from gigawatt.service.lookup import Filters
from gigawatt.service.permissions import may
from gigawatt.service.usage import UsageFilter
from gigawatt.service.views.endpoints import EndpointView
from gigawatt.spec.requests import SteerRequest

PAGE = Page(name="endpoints")
LIVE = ("endpoint.", "replica.", "rollout.")
EVERY_S = 2  # requests are counted without an event for each
PHASES = tuple(each.value for each in EndpointPhase)
REVISIONS_SHOWN = 20
STEERS = frozenset({"promote", "rollback", "pause", "resume"})
DAY_MS = 86_400_000
STYLES = ("endpoints.css",)


class Part(BaseModel):
    """Which part of the page of an endpoint is shown."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    tab: Annotated[str, Field(pattern="^(|chat|revisions)$")] = ""


@PAGE.shows("/endpoints")
async def list_endpoints(visit: Visiting, query: Listing) -> Response:
    """The newest first."""
    page = await endpoints.page(visit.caller, visit.services, query.filters())
    shell = Shell(title="Endpoints", entry="endpoints", live=LIVE, every_s=EVERY_S, styles=STYLES)
    given: dict[str, Any] = dict(visit.request.query_params)
    return visit.page("endpoints/index.html", shell=shell, page=page, given=given, phases=PHASES)


@PAGE.shows("/endpoints/{endpoint}")
async def show_endpoint(
    visit: Visiting, endpoint: str, query: Annotated[Part, Query()]
) -> Response:
    """One endpoint, by id or name."""
    view = await _found(visit, endpoint)
    path = f"/endpoints/{view.id}"
    tabs = [
        ("Now", url(path), query.tab == ""),
        ("Chat", f"{url(path)}?tab=chat", query.tab == "chat"),
        ("Revisions", f"{url(path)}?tab=revisions", query.tab == "revisions"),
    ]
    shared = {"it": view, "tabs": tabs, "path": path, "steers": may(visit.caller, "rollouts.steer")}
    talking = query.tab == "chat"
    shell = Shell(
        title=view.name,
        entry="endpoints",
        live=LIVE,
        every_s=EVERY_S,
        styles=STYLES,
        scripts=("playground.js",) if talking else (),
    )
    if talking:
        return visit.page("endpoints/chat.html", shell=shell, **shared)
    if query.tab == "revisions":
        found = await rollouts.page(
            visit.caller,
            visit.services,
            view.id,
            project="",
            filters=Filters(limit=REVISIONS_SHOWN),
        )
        return visit.page("endpoints/revisions.html", shell=shell, revisions=found.items, **shared)
    told = await _told(visit, view)
    return visit.page("endpoints/endpoint.html", shell=shell, **told, **shared)


@PAGE.does("/endpoints/{endpoint}/steer/{what}")
async def steer(visit: Visiting, endpoint: str, what: str) -> Response:
    """Have a rollout go on, stay or go back, or an earlier revision be served again."""
    if what not in STEERS:
        detail = f"a rollout can be told to {', '.join(sorted(STEERS))}, not {what[:40]}"
        raise RefusalError(RefusalCode.INVALID, detail, field="steer")
    await _check_same(visit, endpoint)
    to = visit.form.get("to", "0")
    request = SteerRequest.model_validate(
        {"steer": what, "to": int(to) if to.isdigit() else 0, "reason": "by hand, in the console"}
    )
    view = await rollouts.steer(
        visit.caller, visit.services, endpoint, request, project="", terms=visit.terms
    )
    said = view.last_rollout if view.rollout is None else view.rollout.why
    return visit.back(url(f"/endpoints/{view.id}"), said or f"{view.name}: {what}")


@PAGE.does("/endpoints/{endpoint}/stop")
async def stop(visit: Visiting, endpoint: str) -> Response:
    """Stop every replica and then the endpoint."""
    view = await endpoints.stop(
        visit.caller, visit.services, endpoint, project="", terms=visit.terms
    )
    return visit.back(url(f"/endpoints/{view.id}"), f"{view.name} is {view.phase}")


@PAGE.does("/endpoints/{endpoint}/chat")
async def chat(visit: Visiting, endpoint: str) -> Response:
    """The answer to a conversation, as the gateway streams it."""
    view = await _found(visit, endpoint)
    messages = messages_of(visit.form.get("messages", ""))
    secret = await visit.request.app.state.playground.key(visit, view)
    pieces = visit.call.while_good(answer(visit, view, messages, secret))
    headers = {**HEADERS, "X-Accel-Buffering": "no"}
    return StreamingResponse(pieces, media_type="text/event-stream", headers=headers)


async def _found(visit: Visit, endpoint: str) -> EndpointView:
    return await endpoints.show(visit.caller, visit.services, endpoint, project="")


async def _check_same(visit: Visit, endpoint: str) -> None:
    """Refuse what a page asked for about a rollout that is not under way any more.

    The version of the whole endpoint would not do: it is another after each replica that comes or goes.
    """
    asked = visit.form.get("revision", "")
    view = await _found(visit, endpoint)
    now = "" if view.rollout is None else str(view.rollout.revision)
    if asked and asked != now:
        detail = f"the rollout of revision {asked[:20]} is not under way any more"
        raise RefusalError(RefusalCode.CONFLICT, detail, hint="look at the endpoint as it is now")


async def _told(visit: Visit, view: EndpointView) -> dict[str, Any]:
    """Tokens by the hour, and what the endpoint cost of late."""
    since_ms = clock.now_ms() - DAY_MS
    wanted = UsageFilter(
        by=("endpoint", "hour"), tenant=view.tenant, project=view.project, since_ms=since_ms
    )
    spent = CostFilter(
        by=("endpoint",), tenant=view.tenant, project=view.project, since_ms=since_ms
    )
    tokens, cost = await asyncio.gather(
        usage.totals(visit.caller, visit.services, wanted),
        costs.totals(visit.caller, visit.services, spent),
    )
    named = {view.id, view.name}
    return {
        "hours": [each for each in tokens.items if each.endpoint in named],
        "stages": _stages(view),
        "currency": cost.currency,
        "cost": next((each for each in cost.items if each.subjects[0].value in named), None),
    }


def _stages(view: EndpointView) -> dict[str, int]:
    """What the last start took, in milliseconds, in the order in which it went."""
    if view.start is None:
        return {}
    return {
        "place": view.start.place_ms,
        "fetch": view.start.fetch_ms,
        "launch": view.start.launch_ms,
        "load": view.start.load_ms,
    }
