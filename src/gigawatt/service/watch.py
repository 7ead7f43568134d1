"""Watching: a job until it has ended, and events without end. Streams begin with what is, then go on with what comes."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TypeVar

from gigawatt import clock
from gigawatt.model.array import JobArray
from gigawatt.model.event import Event
from gigawatt.model.job import Job
from gigawatt.model.tenant import Caller
from gigawatt.service.arrays import live_array_view
from gigawatt.service.jobs import live_view
from gigawatt.service.lookup import find_array, find_job
from gigawatt.service.permissions import sees, verb, within
from gigawatt.service.services import Services
from gigawatt.service.streams import feed
from gigawatt.service.views.account import EventView, event_view
from gigawatt.service.views.arrays import ArrayView
from gigawatt.service.views.jobs import JobView
from gigawatt.store.base import EventQuery

V = TypeVar("V")
W = TypeVar("W", Job, JobArray)

PROGRESS_EVERY_S = 0.25
HEARTBEAT_S = 15.0
CATCH_UP_LIMIT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Events after `after_seq` that match; None for only those to come. Empty filters match always."""

    after_seq: int | None = None
    tenant: str = ""
    project: str = ""
    subject: str = ""
    kinds: tuple[str, ...] = ()

    def matches(self, event: Event) -> bool:
        return (
            (not self.tenant or event.tenant == self.tenant)
            and (not self.project or event.project == self.project)
            and (not self.subject or event.subject == self.subject)
            and (not self.kinds or event.kind in self.kinds)
        )


@verb
async def job(
    caller: Caller, services: Services, reference: str, *, project: str = ""
) -> AsyncIterator[JobView | None]:
    """The job now and whenever it or its progress has changed; the last one is of its end. None now and then while
    nothing changes, as a sign of life. Raises RefusalError.
    """
    first = await find_job(caller, services, reference, project)
    return _views(services, first, live_view)


@verb
async def array(
    caller: Caller, services: Services, reference: str, *, project: str = ""
) -> AsyncIterator[ArrayView | None]:
    """An array in the same way. Raises RefusalError."""
    first = await find_array(caller, services, reference, project)
    return _views(services, first, live_array_view)


@verb
async def events(
    caller: Caller, services: Services, wanted: EventFilter
) -> AsyncIterator[EventView | None]:
    """Events in their order, each once; None now and then when there is none, as a sign of life. Raises RefusalError."""
    tenant, project = within(caller, wanted.tenant, wanted.project)
    newest = await services.read(services.store.newest_seq)
    seen = EventFilter(
        after_seq=newest if wanted.after_seq is None else min(wanted.after_seq, newest),
        tenant=tenant,
        project=project,
        subject=wanted.subject,
        kinds=wanted.kinds,
    )
    return _event_views(caller, services, seen)


async def _views(
    services: Services, work: W, view_of: Callable[[Services, W], V]
) -> AsyncIterator[V | None]:
    """The view of a job or an array whenever it has changed. What an array's tasks do concerns their array."""
    tasks = f"{work.id}."

    def concerned(event: Event) -> bool:
        return event.subject == work.id or event.subject.startswith(tasks)

    if work.ended:
        yield view_of(services, work)
        return
    async with feed(services) as changes:
        shown: V | None = None
        changed = True
        shown_s = clock.monotonic_s()
        while not changes.closing:
            if changed:
                work = await _read(services, work) or work
            view = view_of(services, work)
            if view != shown:
                shown, shown_s = view, clock.monotonic_s()
                yield view
            elif clock.monotonic_s() - shown_s >= HEARTBEAT_S:
                shown_s = clock.monotonic_s()
                yield None
            if work.ended:
                return
            changed = await changes.take_until(concerned, PROGRESS_EVERY_S)


async def _read(services: Services, work: W) -> W | None:
    return await services.read(lambda: services.store.read(type(work), work.id))


async def _event_views(
    caller: Caller, services: Services, wanted: EventFilter
) -> AsyncIterator[EventView | None]:
    async with feed(services) as changes:
        last = wanted.after_seq or 0
        behind = True
        while not changes.closing:
            if behind:
                async for event in _stored(services, wanted, last):
                    last = event.seq
                    if sees(caller, event.tenant, event.project):
                        yield event_view(event)
                behind = False
            event = await changes.take(HEARTBEAT_S)
            behind, changes.lost = changes.lost, False
            if event is None:
                if not behind:
                    yield None
            elif event.seq > last:
                last = event.seq
                if wanted.matches(event) and sees(caller, event.tenant, event.project):
                    yield event_view(event)


async def _stored(services: Services, wanted: EventFilter, after_seq: int) -> AsyncIterator[Event]:
    """What the store has of the wanted events after `after_seq`."""
    last = after_seq
    while True:
        query = EventQuery(
            after_seq=last,
            tenant=wanted.tenant,
            project=wanted.project,
            subject=wanted.subject,
            kinds=wanted.kinds,
            limit=CATCH_UP_LIMIT,
        )
        found = await _read_events(services, query)
        for event in found:
            yield event
        if len(found) < CATCH_UP_LIMIT:
            return
        last = found[-1].seq


async def _read_events(services: Services, query: EventQuery) -> tuple[Event, ...]:
    return await services.read(lambda: services.store.events(query))
