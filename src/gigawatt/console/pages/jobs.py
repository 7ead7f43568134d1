"""Jobs: a list to filter and to page through. An array is one row."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Query
from starlette.responses import Response

from gigawatt.api.queries import JobListQuery
from gigawatt.console.page import Page
from gigawatt.console.visit import Shell, Visiting
from gigawatt.service import jobs

PAGE = Page(name="jobs")
LIVE = ("job.", "array.")
PHASES = jobs.PHASES


@PAGE.shows("/jobs")
async def list_jobs(visit: Visiting, query: Annotated[JobListQuery, Query()]) -> Response:
    """The newest first."""
    page = await jobs.page(visit.caller, visit.services, query.filters())
    shell = Shell(title="Jobs", entry="jobs", live=LIVE)
    given: Mapping[str, Any] = dict(visit.request.query_params)
    return visit.page("jobs/index.html", shell=shell, page=page, given=given, phases=PHASES)
