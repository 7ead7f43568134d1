"""The line of what waits: /v1/queue."""

from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from gigawatt.api.call import Call
from gigawatt.api.operations import Operation, Routes
from gigawatt.api.queries import STRICT, Word
from gigawatt.api.replies import reply
from gigawatt.service import queue
from gigawatt.service.lookup import PAGE_LIMIT, PAGE_LIMIT_MAX, Filters
from gigawatt.service.queue import QueueView

ROUTES = Routes()


class QueueQuery(BaseModel):
    """Whose part of the line, and how much of its head."""

    model_config = STRICT
    tenant: Word = ""
    project: Word = ""
    limit: Annotated[int, Field(ge=1, le=PAGE_LIMIT_MAX)] = PAGE_LIMIT

    def filters(self) -> Filters:
        return Filters(tenant=self.tenant, project=self.project, limit=self.limit)


@ROUTES.add(
    "GET",
    "/v1/queue",
    Operation(
        verb="queue.page",
        summary="Show the head of the line of jobs that wait for nodes, and how many there are",
        responds=QueueView,
    ),
)
async def show_queue(call: Call, query: Annotated[QueueQuery, Query()]) -> Response:
    return reply(await queue.page(call.caller, call.services, query.filters()))
