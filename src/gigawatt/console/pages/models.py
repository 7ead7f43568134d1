"""Models, and the environments that they and jobs run in: versions, aliases with their history, lineage, locks."""

import asyncio
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from gigawatt.api.queries import Listing
from gigawatt.console.lineage import graph_svg, path_of
from gigawatt.console.navigation import url
from gigawatt.console.page import Page
from gigawatt.console.visit import Shell, Visiting
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.service import cards, environments, lineage, models, promotions
from gigawatt.service.lookup import Filters
from gigawatt.service.models import AliasChange
from gigawatt.service.permissions import may
from gigawatt.service.promotions import MoveFilters
from gigawatt.service.views.model import LineageGraphView

PAGE = Page(name="models")
LIVE = ("model.", "job.", "endpoint.")
MOVES_SHOWN, CHOICES_MAX = 20, 200
STYLES = ("models.css",)
TEXT_CHARS_MAX = 256


class Version(BaseModel):
    """Which version is looked at: a number or an alias; empty for the newest."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    version: Annotated[str, Field(max_length=TEXT_CHARS_MAX)] = ""
    project: Annotated[str, Field(max_length=TEXT_CHARS_MAX)] = ""


class Against(BaseModel):
    """What an environment is compared with: another's id, or a job."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    to: Annotated[str, Field(max_length=TEXT_CHARS_MAX)] = ""


@PAGE.shows("/models")
async def list_models(visit: Visiting, query: Listing) -> Response:
    """Every name with its newest version and its aliases."""
    page = await models.page(visit.caller, visit.services, query.filters())
    given: dict[str, Any] = dict(visit.request.query_params)
    shell = Shell(title="Models", entry="models", live=LIVE, styles=STYLES)
    return visit.page(
        "models/index.html", shell=shell, page=page, given=given, tabs=_tabs("models")
    )


@PAGE.shows("/models/{name}")
async def show_model(visit: Visiting, name: str, query: Annotated[Version, Query()]) -> Response:
    """One name: its versions, what its aliases meant and mean, and where a version came from."""
    caller, services, project = visit.caller, visit.services, query.project
    model = await models.show(caller, services, name, project=project)
    selector = query.version or str(model.newest)
    shown, graph, moves, card = await asyncio.gather(
        models.show_version(caller, services, name, selector, project=project),
        lineage.show(caller, services, name, selector, project=project),
        promotions.page(caller, services, name, MoveFilters(limit=MOVES_SHOWN), project=project),
        cards.show(caller, services, name, selector, project=project),
    )
    shell = Shell(title=model.name, entry="models", live=LIVE, styles=STYLES)
    return visit.page(
        "models/model.html",
        shell=shell,
        model=model,
        shown=shown,
        moves=moves.items,
        card=card,
        steps=_steps(graph),
        cut=graph.cut,
        picture=graph_svg(graph),
        path=f"/models/{quote(name, safe='')}",
        project=project,
        promotes=may(caller, "models.set_alias"),
    )


@PAGE.does("/models/{name}/alias")
async def set_alias(visit: Visiting, name: str) -> Response:
    """Have an alias mean another version, or with 0 none."""
    form = visit.form
    number, project = form.get("number", ""), form.get("project", "")
    if not number.isdigit():
        raise RefusalError(RefusalCode.INVALID, "a version is a number", field="number")
    change = AliasChange(
        name=name,
        alias=form.get("alias", "").strip(),
        number=int(number),
        reason=form.get("reason", "").strip(),
    )
    if not change.alias:
        raise RefusalError(RefusalCode.INVALID, "an alias has a name", field="alias")
    verb = models.set_alias if change.number else models.remove_alias
    await verb(visit.caller, visit.services, change, project=project, terms=visit.terms)
    said = (
        f"{name}@{change.alias} is version {change.number}"
        if change.number
        else f"{name}@{change.alias} is gone"
    )
    again = f"?project={quote(project, safe='')}" if project else ""
    return visit.back(url(f"/models/{quote(name, safe='')}") + again, said)


@PAGE.shows("/environments")
async def list_environments(visit: Visiting, query: Listing) -> Response:
    """The newest first."""
    page = await environments.page(visit.caller, visit.services, query.filters())
    given: dict[str, Any] = dict(visit.request.query_params)
    shell = Shell(title="Environments", entry="models", live=("environment.",), styles=STYLES)
    return visit.page(
        "models/environments.html",
        shell=shell,
        page=page,
        given=given,
        phases=environments.PHASES,
        tabs=_tabs("environments"),
    )


@PAGE.shows("/environments/{environment}")
async def show_environment(
    visit: Visiting, environment: str, query: Annotated[Against, Query()]
) -> Response:
    """One environment with its lock, and how it differs from another."""
    view = await environments.show(visit.caller, visit.services, environment)
    others = await environments.page(visit.caller, visit.services, Filters(limit=CHOICES_MAX))
    diff = None
    if query.to:
        diff = await environments.diff(visit.caller, visit.services, view.id, query.to)
    shell = Shell(title=view.id, entry="models", live=("environment.",), styles=STYLES)
    return visit.page(
        "models/environment.html",
        shell=shell,
        it=view,
        others=[each for each in others.items if each.id != view.id],
        to=query.to,
        diff=diff,
    )


def _tabs(current: str) -> list[tuple[str, str, bool]]:
    return [
        ("Models", url("/models"), current == "models"),
        ("Environments", url("/environments"), current == "environments"),
    ]


def _steps(graph: LineageGraphView) -> list[dict[str, Any]]:
    """The graph in words: what came of what, with links."""
    named = {node.id: node for node in graph.nodes}
    return [
        {
            "source": named[edge.source],
            "target": named[edge.target],
            "relation": edge.relation,
            "source_path": path_of(named[edge.source]),
            "target_path": path_of(named[edge.target]),
        }
        for edge in graph.edges
        if edge.source in named and edge.target in named
    ]
