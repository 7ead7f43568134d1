"""Jobs and arrays in one list, newest first: an array is one row, its tasks are listed with it."""

import base64
import binascii
import json
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from gigawatt.model.array import JobArray
from gigawatt.model.job import Job
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller
from gigawatt.service import arrays, jobs
from gigawatt.service.labels import labelled
from gigawatt.service.lookup import Filters
from gigawatt.service.permissions import verb
from gigawatt.service.services import Services
from gigawatt.service.views.text import PageView
from gigawatt.service.views.work import WorkTotalsView, WorkView
from gigawatt.store.base import Query, Store
from gigawatt.store.cursor import read_cursor, write_cursor

PHASES = tuple(dict.fromkeys((*jobs.PHASES, *arrays.PHASES)))
OVER = "."  # where one of the two lists has ended

Work = TypeVar("Work", Job, JobArray)
Place = tuple[int, str]  # when it was created, and its id
EARLIEST: Place = (-1, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part(Generic[Work]):
    """What one of the lists gives: everything from its cursor down to `horizon`, and its query without a cursor."""

    kind: type[Work]
    query: Query
    items: tuple[Work, ...]
    horizon: Place
    cursor: str


@verb
async def page(caller: Caller, services: Services, filters: Filters) -> PageView[WorkView]:
    """A page of both. With labels or a user, it may hold fewer than the limit and still have a next. Raises RefusalError."""
    query = filters.query(caller, phases=PHASES)
    cursors = _cursors(filters.cursor)

    def read() -> tuple[_Part[Job], _Part[JobArray]]:
        store = services.store
        alone = replace(query, orphans=not filters.name)
        return (
            _part(store, Job, replace(alone, cursor=cursors[0]), jobs.PHASES, filters),
            _part(store, JobArray, replace(query, cursor=cursors[1]), arrays.PHASES, filters),
        )

    found = await services.read(read)
    horizon = max(part.horizon for part in found)
    merged = sorted((each for part in found for each in part.items), key=_place, reverse=True)
    shown = [each for each in merged if _place(each) >= horizon][: query.limit]
    places = [_place(each) for each in shown]
    after = [_after(part, set(places)) for part in found]
    views = [
        WorkView(job=jobs.live_view(services, each))
        if isinstance(each, Job)
        else WorkView(array=arrays.live_array_view(services, each))
        for each in shown
    ]
    return PageView(items=views, next="" if after == [OVER, OVER] else _joined(after))


@verb
async def totals(caller: Caller, services: Services, filters: Filters) -> WorkTotalsView:
    """How many jobs and arrays are in each phase; an array counts once."""
    query = filters.query(caller, phases=PHASES)
    found = await services.read(
        lambda: (
            services.store.count(Job, replace(query, orphans=True)),
            services.store.count(JobArray, query),
        )
    )
    sums: dict[str, int] = {}
    for part in found:
        for phase, number in part.items():
            sums[phase] = sums.get(phase, 0) + number
    return WorkTotalsView(phases=sums)


def _part(
    store: Store, kind: type[Work], query: Query, phases: tuple[str, ...], filters: Filters
) -> _Part[Work]:
    wanted = tuple(each for each in query.phases if each in phases)
    query = replace(query, phases=wanted)
    plain = replace(query, cursor="")
    if query.cursor == OVER or (filters.phases and not wanted):
        return _Part(kind=kind, query=plain, items=(), horizon=EARLIEST, cursor=OVER)
    found = labelled(store, kind, query, filters.labels, user=filters.user)
    horizon = EARLIEST
    if found.next:
        horizon = read_cursor(kind.__name__, replace(plain, cursor=found.next))
    return _Part(kind=kind, query=plain, items=found.items, horizon=horizon, cursor=query.cursor)


def _after(part: "_Part[Any]", shown: set[Place]) -> str:
    """Where a list goes on, of which some items were shown."""
    left = [each for each in part.items if _place(each) not in shown]
    if not left and part.horizon == EARLIEST:
        return OVER
    mine = [_place(each) for each in part.items if _place(each) in shown]
    last = part.horizon if not left else (mine[-1] if mine else None)
    if last is None:
        return part.cursor
    return write_cursor(part.kind.__name__, part.query, created_ms=last[0], id=last[1])


def _place(each: Job | JobArray) -> Place:
    return (each.created_ms, each.id)


def _joined(cursors: list[str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(cursors).encode()).decode().rstrip("=")


def _cursors(cursor: str) -> tuple[str, str]:
    """Those of the two lists. Raises RefusalError."""
    if not cursor:
        return "", ""
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError):
        found = None
    match found:
        case [str() as first, str() as second]:
            return first, second
        case _:
            raise RefusalError(
                RefusalCode.INVALID,
                "the cursor is not one that a list gave",
                field="cursor",
                hint="ask for the first page again, without a cursor",
            )
