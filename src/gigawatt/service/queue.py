"""The line: jobs that wait for nodes, in the order in which the scheduler considers them."""

from dataclasses import dataclass

from gigawatt.model.tenant import Caller
from gigawatt.service.jobs import live_view
from gigawatt.service.lookup import PAGE_LIMIT_MAX, Filters
from gigawatt.service.permissions import sees, verb, within
from gigawatt.service.services import Services
from gigawatt.service.views.jobs import JobView


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueView:
    """The first jobs of the line that the caller can see, and how many of them wait in all. Tasks of arrays are jobs."""

    items: tuple[JobView, ...]
    total: int


@verb
async def page(caller: Caller, services: Services, filters: Filters) -> QueueView:
    """The head of the line, of one tenant or project where the filters name one. From the leader's memory."""
    tenant, project = within(caller, filters.tenant, filters.project)
    leader = services.leader
    waiting = [job for gang in leader.line() if (job := leader.job(gang)) is not None]
    seen = [
        job
        for job in waiting
        if sees(caller, job.tenant, job.project)
        and tenant in {"", job.tenant}
        and project in {"", job.project}
    ]
    limit = min(max(filters.limit, 1), PAGE_LIMIT_MAX)
    return QueueView(items=tuple(live_view(services, job) for job in seen[:limit]), total=len(seen))
