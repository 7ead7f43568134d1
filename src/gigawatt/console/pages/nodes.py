"""Nodes: a list by state, and a page for each: its life, its checks, what is laid to it, what runs there, and what may be done.

What empties a node or closes it is asked for twice: the first page says what it would move.
"""

import json
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from gigawatt.api.queries import CURSOR_CHARS_MAX
from gigawatt.console.navigation import url
from gigawatt.console.page import Page
from gigawatt.console.visit import Shell, Visit, Visiting
from gigawatt.model.node import NodeState
from gigawatt.model.refusal import RefusalError
from gigawatt.service import events, fleet, jobs, nodes
from gigawatt.service.events import EVENTS_LIMIT_MAX, EventFilters
from gigawatt.service.lookup import REFERENCE_CHARS_MAX, Filters
from gigawatt.service.permissions import may
from gigawatt.service.views.account import EventView
from gigawatt.service.views.fleet import GangSpotView
from gigawatt.service.views.jobs import JobView
from gigawatt.spec.requests import NodeCheckRequest, NodeStateRequest, parse_request

PAGE = Page(name="nodes")
LIVE = ("node.",)
LIVE_ONE = ("node.", "job.")
HISTORY_MAX = 100
HISTORY_PAGES_MAX = 20
GANGS_MAX = 50  # of which it is said what moving them costs
STATES = tuple(state.value for state in NodeState)
CHANGES = {
    # A state to ask for: what it is called as an action, what it does, and from which states it is offered.
    "ready": (
        "Open",
        "It is checked where checks are due, and takes gangs again.",
        ("cordoned", "draining", "empty", "repair", "retired"),
    ),
    "cordoned": (
        "Cordon",
        "It takes no new gangs. What runs there goes on.",
        ("ready", "checking", "draining"),
    ),
    "draining": (
        "Drain",
        "It takes no new gangs, and what runs there is moved to other nodes, from its checkpoints.",
        ("ready", "cordoned"),
    ),
    "repair": (
        "Take out for repair",
        "It is in someone's hands until it is opened.",
        ("empty", "down"),
    ),
    "retired": (
        "Retire",
        "It is gone for good: the ledger counts nothing of it.",
        ("empty", "repair", "down"),
    ),
}


class NodesQuery(BaseModel):
    """What the list is narrowed to."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    state: Annotated[str, Field(max_length=REFERENCE_CHARS_MAX)] = ""
    name: Annotated[str, Field(max_length=REFERENCE_CHARS_MAX)] = ""
    cursor: Annotated[str, Field(max_length=CURSOR_CHARS_MAX)] = ""


class ChangeQuery(BaseModel):
    """The state that somebody may want of a node."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    state: Annotated[str, Field(max_length=REFERENCE_CHARS_MAX)] = "cordoned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A gang that would have to go, and the job that it is of, where it is one. `since_ms` is since when its work would
    be lost: from its newest checkpoint on, or from its start.
    """

    gang: GangSpotView
    job: JobView | None
    since_ms: int | None


@PAGE.shows("/nodes")
async def list_nodes(visit: Visiting, query: Annotated[NodesQuery, Query()]) -> Response:
    """By state, newest first."""
    phases = (query.state,) if query.state else ()
    filters = Filters(phases=phases, name=query.name, cursor=query.cursor)
    page = await nodes.page(visit.caller, visit.services, filters)
    given = query.model_dump(exclude_defaults=True)
    shell = Shell(title="Nodes", entry="nodes", live=LIVE, every_s=30, styles=("nodes.css",))
    return visit.page("nodes/index.html", shell=shell, page=page, given=given, states=STATES)


@PAGE.shows("/nodes/{node}")
async def show_node(visit: Visiting, node: str) -> Response:
    """One node."""
    view = await nodes.show(visit.caller, visit.services, node)
    shell = Shell(title=node, entry="nodes", live=LIVE_ONE, every_s=30, styles=("nodes.css",))
    operates = may(visit.caller, "nodes.set_state")
    return visit.page(
        "nodes/node.html",
        shell=shell,
        node=view,
        gangs=await _gangs(visit, node),
        history=await _history(visit, node),
        changes=_changes(view.state) if operates else {},
        checks=operates and may(visit.caller, "nodes.check"),
    )


@PAGE.shows("/nodes/{node}/change")
async def confirm_change(
    visit: Visiting, node: str, query: Annotated[ChangeQuery, Query()]
) -> Response:
    """What another state would move, before it is asked for."""
    parse_request(NodeStateRequest, json.dumps({"state": query.state}))
    view = await nodes.show(visit.caller, visit.services, node)
    title, about, _ = CHANGES[query.state]
    return visit.page(
        "nodes/change.html",
        shell=Shell(title=f"{title} {node}", entry="nodes", styles=("nodes.css",)),
        node=view,
        state=query.state,
        title=title,
        about=about,
        moved=await _moved(visit, node),
        allowed=may(visit.caller, "nodes.set_state"),
    )


@PAGE.does("/nodes/{node}/state")
async def change_node(visit: Visiting, node: str) -> Response:
    """Ask for a state."""
    form = {name: visit.form.get(name, "") for name in ("state", "reason")}
    within = visit.form.get("within", "").strip()
    given = {**form, "within": int(within) if within.isdigit() else within or 0}
    request = parse_request(NodeStateRequest, json.dumps(given))
    view = await nodes.set_state(visit.caller, visit.services, node, request, terms=visit.terms)
    return visit.back(url(f"/nodes/{node}"), f"{view.id} is {view.state}")


@PAGE.does("/nodes/{node}/check")
async def check_node(visit: Visiting, node: str) -> Response:
    """Have checks run."""
    given = {"level": visit.form.get("level", "quick")}
    request = parse_request(NodeCheckRequest, json.dumps(given))
    view = await nodes.check(visit.caller, visit.services, node, request, terms=visit.terms)
    return visit.back(url(f"/nodes/{node}"), f"{view.id} is being checked: {request.level}")


def _changes(state: str) -> dict[str, str]:
    """What may be asked for now, with its title."""
    return {name: title for name, (title, _, at) in CHANGES.items() if state in at}


async def _gangs(visit: Visit, node: str) -> tuple[tuple[GangSpotView, ...], int]:
    """Gangs on a node that the caller can see, and how many there are beside them."""
    try:
        place = await fleet.places(visit.caller, visit.services, node)
    except RefusalError:
        return (), 0  # it is not on the map: nothing can run there
    spot = await fleet.spot(visit.caller, visit.services, place.rows[0], layout=place.layout)
    return spot.gangs, spot.others


async def _moved(visit: Visit, node: str) -> tuple[list[Moved], int]:
    gangs, others = await _gangs(visit, node)
    return [await _cost(visit, gang) for gang in gangs[:GANGS_MAX]], others + len(gangs[GANGS_MAX:])


async def _cost(visit: Visit, gang: GangSpotView) -> Moved:
    if gang.kind != "job":
        return Moved(gang=gang, job=None, since_ms=None)
    try:
        job = await jobs.show(visit.caller, visit.services, gang.id)
    except RefusalError:
        return Moved(gang=gang, job=None, since_ms=None)  # it has ended in between
    began_ms = job.attempts[-1].running_ms if job.attempts else None
    saved_ms = job.checkpoint.at_ms if job.checkpoint else 0
    since_ms = max(began_ms, saved_ms) if began_ms is not None else None
    return Moved(gang=gang, job=job, since_ms=since_ms)


async def _history(visit: Visit, node: str) -> list[EventView]:
    """The newest of what happened to a node, newest first."""
    after, found = 0, list[Any]()
    for _ in range(HISTORY_PAGES_MAX):
        filters = EventFilters(subject=node, after_seq=after, limit=EVENTS_LIMIT_MAX)
        page = await events.page(visit.caller, visit.services, filters)
        found = [*found, *page.items][-HISTORY_MAX:]
        if not page.next:
            break
        after = int(page.next)
    return found[::-1]
