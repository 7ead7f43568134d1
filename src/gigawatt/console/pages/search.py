"""The search box: to what is called so, or a list of what could be meant."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from gigawatt.console.navigation import url
from gigawatt.console.page import Page
from gigawatt.console.visit import Shell, Visit, Visiting
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller
from gigawatt.service import arrays, endpoints, jobs, models, nodes, workspaces
from gigawatt.service.lookup import REFERENCE_CHARS_MAX, Filters
from gigawatt.service.services import Services
from gigawatt.service.views.text import PageView

PAGE = Page()
SHOWN_MAX = 12  # of each kind

Listing = Callable[[Caller, Services, Filters], Awaitable[PageView[Any]]]


class SearchQuery(BaseModel):
    """What someone typed."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    q: Annotated[str, Field(max_length=REFERENCE_CHARS_MAX)] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One thing that could be meant; `path` is that of its page."""

    kind: str
    entry: str  # which page of the navigation shows it
    name: str
    id: str
    path: str
    phase: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    kind: str
    entry: str
    page: Listing
    by_name: bool = False  # whether its pages are named by name, not by id


KINDS = (
    _Kind(kind="job", entry="jobs", page=jobs.page),
    _Kind(kind="array", entry="jobs", page=arrays.page),
    _Kind(kind="endpoint", entry="endpoints", page=endpoints.page),
    _Kind(kind="node", entry="nodes", page=nodes.page),
    _Kind(kind="model", entry="models", page=models.page, by_name=True),
    _Kind(kind="workspace", entry="workspaces", page=workspaces.page),
)


@PAGE.shows("/search")
async def search(visit: Visiting, query: Annotated[SearchQuery, Query()]) -> Response:
    """Straight to the only thing that is called so; else the list."""
    wanted = query.q.strip()
    found = await _found(visit, wanted) if wanted else []
    exact = [each for each in found if wanted in {each.id, each.name}]
    if len(found) == 1 or len(exact) == 1:
        return visit.back(url((exact or found)[0].path))
    shell = Shell(title=f"Search {wanted}".strip())
    return visit.page(
        "search/index.html",
        shell=shell,
        wanted=wanted,
        found=exact + [each for each in found if each not in exact],
    )


async def _found(visit: Visit, wanted: str) -> list[Found]:
    there = {entry.name for entry in visit.request.app.state.entries}
    kinds = [kind for kind in KINDS if kind.entry in there]
    asked = [
        _listed(visit, kind, filters)
        for kind in kinds
        for filters in (
            Filters(name_prefix=wanted, limit=SHOWN_MAX),
            Filters(id_prefix=wanted, limit=SHOWN_MAX),
        )
    ]
    lists = await asyncio.gather(*asked)
    return list(dict.fromkeys(each for found in lists for each in found))


async def _listed(visit: Visit, kind: _Kind, filters: Filters) -> list[Found]:
    """Nothing of a kind that the caller may not list."""
    try:
        page = await kind.page(visit.caller, visit.services, filters)
    except RefusalError as error:
        if error.code is not RefusalCode.FORBIDDEN:
            raise
        return []
    return [_as_found(kind, view) for view in page.items]


def _as_found(kind: _Kind, view: Any) -> Found:
    name = getattr(view, "name", view.id)
    named = name if kind.by_name else view.id
    return Found(
        kind=kind.kind,
        entry=kind.entry,
        name=name,
        id=view.id,
        path=f"/{kind.entry}/{quote(named, safe='')}",
        phase=getattr(view, "phase", "") or getattr(view, "state", ""),
    )
