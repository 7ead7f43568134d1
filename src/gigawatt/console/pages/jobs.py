"""The list of jobs: by phase, project, user, label and text. An array is one row."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response

from gigawatt.api.queries import CURSOR_CHARS_MAX, JobListQuery
from gigawatt.console.page import Page
from gigawatt.console.visit import Shell, Visiting
from gigawatt.service import work
from gigawatt.service.lookup import REFERENCE_CHARS_MAX
from gigawatt.spec.faults import query_faults, refusal

PAGE = Page(name="jobs")
LIVE = ("job.", "array.")
GROUPS = {
    "waiting": ("queued", "blocked", "preparing"),
    "running": ("starting", "running", "saving", "stopping"),
    "succeeded": ("succeeded",),
    "failed": ("failed",),
    "cancelled": ("cancelled",),
}
PAGE_LIMIT = 50

Text = Annotated[str, Field(max_length=REFERENCE_CHARS_MAX)]


class JobsQuery(BaseModel):
    """What the list is narrowed to. `phase` is a group of them, or one; `label` may hold several, apart by spaces."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    phase: Text = ""
    tenant: Text = ""
    project: Text = ""
    user: Text = ""
    label: Text = ""
    text: Text = ""
    cursor: Annotated[str, Field(max_length=CURSOR_CHARS_MAX)] = ""


@PAGE.shows("/jobs")
async def list_jobs(visit: Visiting, query: Annotated[JobsQuery, Query()]) -> Response:
    """The newest first."""
    filters = _narrowed(query)
    page = await work.page(visit.caller, visit.services, filters.filters())
    everywhere = filters.model_copy(update={"phase": [], "cursor": "", "name": ""})
    totals = await work.totals(visit.caller, visit.services, everywhere.filters())
    given = query.model_dump(exclude_defaults=True)
    return visit.page(
        "jobs/index.html",
        shell=Shell(title="Jobs", entry="jobs", live=LIVE, alike=True),
        page=page,
        given=given,
        groups=_groups(totals.phases),
        total=sum(totals.phases.values()),
        narrowed=bool(given.keys() - {"cursor"}),
    )


def _narrowed(query: JobsQuery) -> JobListQuery:
    """As the API's list has it. Raises RefusalError."""
    asked: dict[str, Any] = {
        "tenant": query.tenant,
        "project": query.project,
        "user": query.user,
        "text": query.text,
        "label": query.label.split(),
        "phase": [*GROUPS.get(query.phase, (query.phase,))] if query.phase else [],
        "cursor": query.cursor,
        "limit": PAGE_LIMIT,
    }
    try:
        return JobListQuery(**asked)
    except ValidationError as error:
        raise refusal(query_faults(error.errors())) from None


def _groups(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: sum(counts.get(each, 0) for each in held) for name, held in GROUPS.items()}
