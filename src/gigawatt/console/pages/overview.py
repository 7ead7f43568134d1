"""The overview: what devices do now and did of late, who waits and until when, what is broken, what an hour costs."""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

from fastapi import Query
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from gigawatt import clock
from gigawatt.console.page import Page
from gigawatt.console.visit import Shell, Visit, Visiting
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.service import endpoints, jobs, nodes, overview
from gigawatt.service.lookup import Filters
from gigawatt.service.views.endpoints import EndpointView
from gigawatt.service.views.jobs import JobView
from gigawatt.service.views.nodes import NodeView
from gigawatt.service.views.overview import OverviewView
from gigawatt.service.views.text import PageView

T = TypeVar("T")

PAGE = Page(name="overview")
LIVE = ("job.", "array.", "endpoint.", "replica.", "workspace.", "node.")
REFRESH_S = 30  # time passes without events
SPANS_S = {"1h": 3_600, "24h": 86_400, "7d": 7 * 86_400}
DAY_MS = 86_400_000
SHORT = 4  # spans of a day that are an hour
SHOWN = 6
WAITING_READ = 100
WAITING = ("queued", "blocked", "preparing")
GOING = ("starting", "running", "stopping", "saving")
UNUSABLE = ("cordoned", "draining", "down", "joining", "checking", "empty", "repair")
SUSPICION_SHOWN = 0.5
# From what is wanted to what is not: the order of layers in charts.
LAYERS = (
    "useful",
    "serving",
    "checkpointing",
    "starting",
    "tested",
    "serving_idle",
    "workspace_idle",
    "held",
    "preempted",
    "redone",
    "user_fault",
    "drained",
    "down",
    "reserved_idle",
    "idle",
)
BEGINNING = (
    "gw run -- python -c 'print(\"hello\")'",
    "gw dev my-notebook",
    "gw serve llm",
)


class OverviewQuery(BaseModel):
    """How far back the ledger is shown."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    span: Literal["", "1h", "24h", "7d"] = ""  # by what is on record


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """The first of what waits and of what is broken."""

    waiting: tuple[JobView, ...]
    failed: tuple[JobView, ...]
    nodes: tuple[NodeView, ...]
    endpoints: tuple[EndpointView, ...]


@PAGE.shows("/")
async def show_overview(visit: Visiting, query: Annotated[OverviewQuery, Query()]) -> Response:
    """Everything at a glance; the commands to begin with, where there is nothing yet."""
    span, glance = await _glance(visit, query.span)
    lists = await _lists(visit)
    history = glance.history.classes
    shell = Shell(title="Overview", entry="overview", live=LIVE, every_s=REFRESH_S, alike=True)
    return visit.page(
        "overview/index.html",
        shell=shell,
        glance=glance,
        lists=lists,
        now=_layered(glance.now),
        history={each: history[each] for each in LAYERS if each in history},
        sums=_layered({name: sum(held) for name, held in history.items()}),
        waits=sum(glance.jobs.get(each, 0) for each in WAITING),
        goes=sum(glance.jobs.get(each, 0) for each in GOING),
        unusable=sum(glance.nodes.get(each, 0) for each in UNUSABLE),
        begun=_begun(glance),
        beginning=BEGINNING,
        span=span,
        spans=tuple(SPANS_S),
    )


async def _glance(visit: Visit, asked: str) -> tuple[str, OverviewView]:
    """Of the span that is asked for; without one of a day, or of an hour where nothing is on record from before."""
    span = asked or "24h"
    glance = await overview.show(visit.caller, visit.services, span_s=SPANS_S[span])
    if not asked and not any(any(held[:-SHORT]) for held in glance.history.classes.values()):
        span = "1h"
        glance = await overview.show(visit.caller, visit.services, span_s=SPANS_S[span])
    return span, glance


async def _lists(visit: Visit) -> Lists:
    caller, services = visit.caller, visit.services
    since_ms = clock.now_ms() - DAY_MS
    waiting, failed, suspects, broken, marked = await asyncio.gather(
        _allowed(jobs.page(caller, services, Filters(phases=WAITING, limit=WAITING_READ))),
        _allowed(
            jobs.page(caller, services, Filters(phases=("failed",), since_ms=since_ms, limit=SHOWN))
        ),
        _allowed(nodes.page(caller, services, Filters(phases=UNUSABLE, limit=SHOWN))),
        _allowed(endpoints.page(caller, services, Filters(phases=("failed",), limit=SHOWN))),
        _allowed(nodes.page(caller, services, Filters(phases=("ready",), limit=WAITING_READ))),
    )
    in_line = sorted(
        waiting, key=lambda job: (job.position is None, job.position or 0, job.queued_ms)
    )
    doubted = [node for node in marked if node.suspicion >= SUSPICION_SHOWN]
    return Lists(
        waiting=tuple(in_line[:SHOWN]),
        failed=failed,
        nodes=(*suspects, *doubted[: SHOWN - len(suspects)]),
        endpoints=broken,
    )


async def _allowed(asked: Awaitable[PageView[T]]) -> tuple[T, ...]:
    """Nothing of what the caller's key may not list."""
    try:
        return tuple((await asked).items)
    except RefusalError as error:
        if error.code is not RefusalCode.FORBIDDEN:
            raise
        return ()


def _layered(amounts: Mapping[str, int]) -> dict[str, int]:
    """What there is of each class, in the order of layers."""
    return {each: amounts[each] for each in LAYERS if amounts.get(each)}


def _begun(glance: OverviewView) -> bool:
    return any((glance.jobs, glance.arrays, glance.endpoints, glance.workspaces))
