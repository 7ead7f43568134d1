"""Query parameters of the fleet map."""

from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, Field

from gigawatt.api.queries import STRICT, Word

ROW_MAX = (1 << 31) - 1
DEPTH_MAX = 8  # of domains in each other


class PartQuery(BaseModel):
    """A part of the site: names of domains, each in the one before, from the site down."""

    model_config = STRICT
    at: Annotated[list[Word], Field(max_length=DEPTH_MAX)] = []


class SpotQuery(BaseModel):
    """A row of the map, and the version of the layout that it is of; any where none is said."""

    model_config = STRICT
    row: Annotated[int, Field(ge=0, le=ROW_MAX)] = 0
    layout: Word = ""


class PlacesQuery(BaseModel):
    """The id of a node or a gang, or the name of a job, an endpoint or a workspace."""

    model_config = STRICT
    what: Word = ""


Part = Annotated[PartQuery, Query()]
Spot = Annotated[SpotQuery, Query()]
Located = Annotated[PlacesQuery, Query()]
