"""The fleet: the map of every GPU, and the same in words by hall, rack and node, for who has no use for a map."""

from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from gigawatt.api.fleet_queries import DEPTH_MAX
from gigawatt.api.queries import STRICT, Word
from gigawatt.console.page import Page
from gigawatt.console.visit import Shell, Visiting
from gigawatt.service import fleet

PAGE = Page(name="fleet")
LIVE = ("node.",)
EVERY_S = 10
SCRIPTS = ("fleet-data.js", "fleet-map.js")
STYLES = ("fleet.css",)


class FleetQuery(BaseModel):
    """A part of the site by the names of its domains, and what the map shows first."""

    model_config = STRICT
    at: Annotated[list[Word], Field(max_length=DEPTH_MAX)] = []
    what: Word = ""


@PAGE.shows("/fleet")
async def show_fleet(visit: Visiting, query: Annotated[FleetQuery, Query()]) -> Response:
    """The whole site, or a part of it."""
    part = await fleet.show(visit.caller, visit.services, query.at)
    while not query.at and len(part.domains) == 1 and part.domains[0].name:
        part = await fleet.show(visit.caller, visit.services, part.domains[0].path)
    shell = Shell(
        title="Fleet",
        entry="fleet",
        live=LIVE,
        every_s=EVERY_S,
        scripts=SCRIPTS,
        styles=STYLES,
        wide=True,
    )
    return visit.page(
        "fleet/index.html", shell=shell, part=part, whole=not query.at, what=query.what
    )
