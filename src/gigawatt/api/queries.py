"""Query parameters by kind of route. Unknown ones are refused, so that a misspelt filter does not list everything."""

import re
from dataclasses import replace
from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from gigawatt.model.notification import LabelTerm
from gigawatt.service.events import EVENTS_LIMIT_MAX, EventFilters
from gigawatt.service.ledger import LedgerFilter
from gigawatt.service.live import RANKS_MAX
from gigawatt.service.logs import LineRange, LogRange
from gigawatt.service.lookup import PAGE_LIMIT, PAGE_LIMIT_MAX, REFERENCE_CHARS_MAX, Filters
from gigawatt.service.patterns import PATTERN_CHARS_MAX
from gigawatt.service.promotions import MoveFilters
from gigawatt.service.usage import UsageFilter
from gigawatt.service.watch import EventFilter
from gigawatt.spec import limits
from gigawatt.spec.faults import wrong
from gigawatt.spec.label_terms import parse_term
from gigawatt.spec.limits import TEXT_CHARS_MAX
from gigawatt.spec.requests import COUNT_MAX, VERSION_MAX
from gigawatt.spec.times import time_ms
from gigawatt.spec.units import UnitError

VALUES_MAX = 32
CURSOR_CHARS_MAX = 1_024
LABEL_CHARS_MAX = 2 * limits.LABEL_CHARS_MAX + 2  # !, name, =, value
_SEQ = re.compile(r"[0-9]{1,18}")
STRICT = ConfigDict(extra="forbid", frozen=True)


def _time(value: object) -> int:
    try:
        return time_ms(value)
    except UnitError as error:
        raise wrong(error.detail, error.hint) from error


def _label(value: object) -> LabelTerm:
    try:
        return parse_term(str(value)[: LABEL_CHARS_MAX + 1])
    except UnitError as error:
        raise wrong(error.detail, error.hint) from error


Word = Annotated[str, Field(max_length=REFERENCE_CHARS_MAX)]
Label = Annotated[
    LabelTerm,
    BeforeValidator(_label),
    WithJsonSchema({"type": "string", "maxLength": LABEL_CHARS_MAX, "examples": ["team=nlp"]}),
]
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

    model_config = STRICT


class PlaceQuery(BaseModel):
    """The project in which a name is looked for, or a new object is made."""

    model_config = STRICT
    project: Word = ""


class NumberQuery(BaseModel):
    """Which version; 0 is the newest."""

    model_config = STRICT
    project: Word = ""
    number: Annotated[int, Field(ge=0, le=VERSION_MAX)] = 0


class PagingQuery(BaseModel):
    """A place in a list, in a project."""

    model_config = STRICT
    project: Word = ""
    cursor: Annotated[str, Field(max_length=CURSOR_CHARS_MAX)] = ""
    limit: Annotated[int, Field(ge=1, le=PAGE_LIMIT_MAX)] = PAGE_LIMIT


class CompareQuery(BaseModel):
    """What to compare with: an environment's id, or a job."""

    model_config = STRICT
    to: Annotated[str, Field(min_length=1, max_length=REFERENCE_CHARS_MAX)]
    project: Word = ""


class SubmitQuery(BaseModel):
    """With `dry_run`, nothing is made: the answer is what would happen."""

    model_config = STRICT
    project: Word = ""
    dry_run: bool = False


class PurgeQuery(BaseModel):
    """With `purge`, what outlives a workspace goes too."""

    model_config = STRICT
    project: Word = ""
    purge: bool = False


class RanksQuery(BaseModel):
    """Some ranks of a job; without any, all of them."""

    model_config = STRICT
    project: Word = ""
    rank: Annotated[
        list[Annotated[int, Field(ge=0, le=1_000_000)]], Field(max_length=RANKS_MAX)
    ] = []


class TalkQuery(BaseModel):
    """Which rank; of an endpoint, also of which replica (default: one that runs)."""

    model_config = STRICT
    project: Word = ""
    rank: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    replica: Word = ""


class ListQuery(BaseModel):
    """What a list is narrowed to, and the place in it."""

    model_config = STRICT
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


class MovesQuery(BaseModel):
    """Which alias's moves, and the place among them."""

    model_config = STRICT
    project: Word = ""
    alias: Word = ""
    cursor: Annotated[str, Field(max_length=CURSOR_CHARS_MAX)] = ""
    limit: Annotated[int, Field(ge=1, le=PAGE_LIMIT_MAX)] = PAGE_LIMIT

    def filters(self) -> MoveFilters:
        return MoveFilters(alias=self.alias, cursor=self.cursor, limit=self.limit)


class ReasonQuery(BaseModel):
    """Why something is taken away, for those who look later."""

    model_config = STRICT
    project: Word = ""
    reason: Annotated[str, Field(max_length=TEXT_CHARS_MAX)] = ""


class JobListQuery(ListQuery):
    """A list of jobs: also by labels, each as NAME=VALUE, NAME or !NAME, by user, and by a part of the name."""

    label: Annotated[list[Label], Field(max_length=VALUES_MAX)] = []
    user: Word = ""
    text: Word = ""

    def filters(self) -> Filters:
        found = super().filters()
        return replace(found, labels=tuple(self.label), user=self.user, name_part=self.text)


class LogQuery(BaseModel):
    """Which rank's output, from where; a negative offset counts from the end."""

    model_config = STRICT
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


class ResultQuery(BaseModel):
    """Which rank's result."""

    model_config = STRICT
    project: Word = ""
    rank: Annotated[int, Field(ge=0, le=1_000_000)] = 0


class LineQuery(BaseModel):
    """Which rank's lines: those in which the regular expression `grep` is found, come at `since` or later."""

    model_config = STRICT
    project: Word = ""
    attempt: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    rank: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    stream: Literal["stdout", "stderr"] = "stdout"
    offset: Count = 0
    follow: bool = False
    grep: Annotated[str, Field(max_length=PATTERN_CHARS_MAX)] = ""
    since: Moment = 0

    def wanted(self) -> LineRange:
        output = LogRange(
            attempt=self.attempt,
            rank=self.rank,
            stream=self.stream,
            offset=self.offset,
            follow=self.follow,
        )
        return LineRange(output=output, grep=self.grep, since_ms=self.since)


class VerifyQuery(BaseModel):
    """Which step's checkpoints are read again; all where none is named."""

    model_config = STRICT
    project: Word = ""
    step: Count | None = None


class OverviewQuery(BaseModel):
    """How far back, in seconds."""

    model_config = STRICT
    span: Annotated[int, Field(ge=3_600, le=31 * 86_400)] = 86_400


class LedgerQuery(BaseModel):
    """Whose time, of which unit, where and when."""

    model_config = STRICT
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


class SumQuery(BaseModel):
    """Whose, when, and by what it is summed."""

    model_config = STRICT
    by: Words = []
    tenant: Word = ""
    project: Word = ""
    since: Moment = 0
    until: Moment = 0


class UsageQuery(SumQuery):
    """Whose tokens, when, and by what they are summed."""

    def filter(self) -> UsageFilter:
        return UsageFilter(
            by=tuple(self.by),
            tenant=self.tenant,
            project=self.project,
            since_ms=self.since,
            until_ms=self.until,
        )


class EventsQuery(BaseModel):
    """Events after a sequence number, oldest first."""

    model_config = STRICT
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

    model_config = STRICT
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


class ConfigQuery(BaseModel):
    """Wait up to `wait_s` for a revision other than `after`."""

    model_config = STRICT
    after: Count = 0
    wait_s: Annotated[float, Field(ge=0, le=60)] = 0.0


Nothing = Annotated[NoQuery, Query()]
Place = Annotated[PlaceQuery, Query()]
Numbered = Annotated[NumberQuery, Query()]
Paging = Annotated[PagingQuery, Query()]
Purge = Annotated[PurgeQuery, Query()]
Comparing = Annotated[CompareQuery, Query()]
Submit = Annotated[SubmitQuery, Query()]
Ranks = Annotated[RanksQuery, Query()]
Talking = Annotated[TalkQuery, Query()]
Listing = Annotated[ListQuery, Query()]
Moves = Annotated[MovesQuery, Query()]
WithReason = Annotated[ReasonQuery, Query()]
Logs = Annotated[LogQuery, Query()]
Result = Annotated[ResultQuery, Query()]
JobListing = Annotated[JobListQuery, Query()]
Lines = Annotated[LineQuery, Query()]
Verify = Annotated[VerifyQuery, Query()]
Ledger = Annotated[LedgerQuery, Query()]
Overview = Annotated[OverviewQuery, Query()]
Usage = Annotated[UsageQuery, Query()]
Events = Annotated[EventsQuery, Query()]
Watch = Annotated[WatchQuery, Query()]
Config = Annotated[ConfigQuery, Query()]
