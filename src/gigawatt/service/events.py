"""What happened, oldest first."""

from dataclasses import dataclass

from gigawatt.model.tenant import Caller
from gigawatt.service.permissions import sees, verb, within
from gigawatt.service.services import Services
from gigawatt.service.views.account import EventView, event_view
from gigawatt.service.views.text import PageView
from gigawatt.store.base import EventQuery

EVENTS_LIMIT_MAX = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilters:
    """Events after `after_seq`, oldest first; empty filters match always."""

    after_seq: int = 0
    tenant: str = ""
    project: str = ""
    subject: str = ""
    kinds: tuple[str, ...] = ()
    limit: int = 500


@verb
async def page(caller: Caller, services: Services, filters: EventFilters) -> PageView[EventView]:
    """Events in their order; `next` is the `after` of the page that follows."""
    tenant, project = within(caller, filters.tenant, filters.project)
    limit = min(max(filters.limit, 1), EVENTS_LIMIT_MAX)
    query = EventQuery(
        after_seq=filters.after_seq,
        tenant=tenant,
        project=project,
        subject=filters.subject,
        kinds=filters.kinds,
        limit=limit,
    )
    found = await services.read(lambda: services.store.events(query))
    shown = [event_view(event) for event in found if sees(caller, event.tenant, event.project)]
    return PageView(items=shown, next=str(found[-1].seq) if len(found) == limit else "")
