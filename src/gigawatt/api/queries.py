"""Query parameters by kind of route. Unknown ones are refused, so that a misspelt filter does not list everything."""

import re
from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from gigawatt.service.events import EVENTS_LIMIT_MAX, EventFilters
from gigawatt.service.ledger import LedgerFilter
from gigawatt.service.logs import LogRange
from gigawatt.service.lookup import PAGE_LIMIT, PAGE_LIMIT_MAX, REFERENCE_CHARS_MAX, Filters
from gigawatt.service.watch import EventFilter
from gigawatt.spec.faults import wrong
from gigawatt.spec.requests import COUNT_MAX
from gigawatt.spec.times import time_ms
from gigawatt.spec.units import UnitError

VALUES_MAX = 32
CURSOR_CHARS_MAX = 1_024
_SEQ = re.compile(r"[0-9]{1,18}")
_QUERY = ConfigDict(extra="forbid", frozen=True)


def _time(value: object) -> int:
    try:
        return time_ms(value)
    except UnitError as error:
        raise wrong(error.detail, error.hint) from error


Word = Annotated[str, Field(max_length=REFERENCE_CHARS_MAX)]
Words = Annotated[list[Word], Field(max_length=VALUES_MAX)]
Moment = Annotated[
    int,
    BeforeValidator(_time),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": COUNT_MAX},
                {"type": "string", "format": "date-time"},
            ]
        }
    ),
]
Count = Annotated[int, Field(ge=0, le=COUNT_MAX)]
Offset = Annotated[int, Field(ge=-COUNT_MAX, le=COUNT_MAX)]


class NoQuery(BaseModel):
    """No parameters at all."""

    model_config = _QUERY


class PlaceQuery(BaseModel):
    """The project in which a name is looked for, or a new object is made."""

    model_config = _QUERY
    project: Word = ""


class SubmitQuery(BaseModel):
    """With `dry_run`, nothing is made: the answer is what would happen."""

    model_config = _QUERY
    project: Word = ""
    dry_run: bool = False


class ListQuery(BaseModel):
    """What a list is narrowed to, and the place in it."""

    model_config = _QUERY
    tenant: Word = ""
    project: Word = ""
    phase: Words = []
    name: Word = ""
    since: Moment = 0
    until: Moment = 0
    cursor: Annotated[str, Field(max_length=CURSOR_CHARS_MAX)] = ""
    limit: Annotated[int, Field(ge=1, le=PAGE_LIMIT_MAX)] = PAGE_LIMIT

    def filters(self) -> Filters:
        return Filters(
            tenant=self.tenant,
            project=self.project,
            phases=tuple(self.phase),
            name=self.name,
            since_ms=self.since,
            until_ms=self.until,
            cursor=self.cursor,
            limit=self.limit,
        )


class LogQuery(BaseModel):
    """Which rank's output, from where; a negative offset counts from the end."""

    model_config = _QUERY
    project: Word = ""
    attempt: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    rank: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    stream: Literal["stdout", "stderr"] = "stdout"
    offset: Offset = 0
    follow: bool = False
    replica: Word = ""

    def wanted(self) -> LogRange:
        return LogRange(
            attempt=self.attempt,
            rank=self.rank,
            stream=self.stream,
            offset=self.offset,
            follow=self.follow,
        )


class VerifyQuery(BaseModel):
    """Which step's checkpoints are read again; all where none is named."""

    model_config = _QUERY
    project: Word = ""
    step: Count | None = None


class LedgerQuery(BaseModel):
    """Whose time, of which unit, where and when."""

    model_config = _QUERY
    unit: Word = ""
    tenant: Word = ""
    project: Word = ""
    node: Word = ""
    since: Moment = 0
    until: Moment = 0

    def filter(self) -> LedgerFilter:
        return LedgerFilter(
            unit=self.unit,
            tenant=self.tenant,
            project=self.project,
            node=self.node,
            since_ms=self.since,
            until_ms=self.until,
        )


class EventsQuery(BaseModel):
    """Events after a sequence number, oldest first."""

    model_config = _QUERY
    after: Count = 0
    tenant: Word = ""
    project: Word = ""
    subject: Word = ""
    kind: Words = []
    limit: Annotated[int, Field(ge=1, le=EVENTS_LIMIT_MAX)] = 500

    def filters(self) -> EventFilters:
        return EventFilters(
            after_seq=self.after,
            tenant=self.tenant,
            project=self.project,
            subject=self.subject,
            kinds=tuple(self.kind),
            limit=self.limit,
        )


class WatchQuery(BaseModel):
    """Events after a sequence number and from then on; without one, only those to come."""

    model_config = _QUERY
    after: Count | None = None
    tenant: Word = ""
    project: Word = ""
    subject: Word = ""
    kind: Words = []

    def filter(self, last_event_id: str) -> EventFilter:
        """A client that comes back says in `Last-Event-ID` what it saw last."""
        resumed = int(last_event_id) if _SEQ.fullmatch(last_event_id) else None
        return EventFilter(
            after_seq=self.after if resumed is None else min(resumed, COUNT_MAX),
            tenant=self.tenant,
            project=self.project,
            subject=self.subject,
            kinds=tuple(self.kind),
        )


class UploadQuery(BaseModel):
    """What the bytes are."""

    model_config = _QUERY
    kind: Literal["bundle", "file", "tree"] = "file"
    project: Word = ""


class ConfigQuery(BaseModel):
    """Wait up to `wait_s` for a revision other than `after`."""

    model_config = _QUERY
    after: Count = 0
    wait_s: Annotated[float, Field(ge=0, le=60)] = 0.0


Nothing = Annotated[NoQuery, Query()]
Place = Annotated[PlaceQuery, Query()]
Submit = Annotated[SubmitQuery, Query()]
Listing = Annotated[ListQuery, Query()]
Logs = Annotated[LogQuery, Query()]
Verify = Annotated[VerifyQuery, Query()]
Ledger = Annotated[LedgerQuery, Query()]
Events = Annotated[EventsQuery, Query()]
Watch = Annotated[WatchQuery, Query()]
Uploading = Annotated[UploadQuery, Query()]
Config = Annotated[ConfigQuery, Query()]
