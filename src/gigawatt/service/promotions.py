"""Where a model's aliases pointed, since when, and who moved them why."""

from dataclasses import dataclass

from gigawatt.model.artifact import AliasMove
from gigawatt.model.tenant import Caller
from gigawatt.service.lookup import PAGE_LIMIT, PAGE_LIMIT_MAX
from gigawatt.service.model_lookup import find_model
from gigawatt.service.permissions import verb
from gigawatt.service.services import Services
from gigawatt.service.views.model import AliasMoveView, move_view
from gigawatt.service.views.text import PageView
from gigawatt.store.base import Query


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveFilters:
    """Moves of one alias, or of all. Newest first."""

    alias: str = ""
    cursor: str = ""
    limit: int = PAGE_LIMIT


@verb
async def page(
    caller: Caller, services: Services, name: str, filters: MoveFilters, *, project: str = ""
) -> PageView[AliasMoveView]:
    """The moves of a model's aliases. Raises RefusalError (not-found)."""
    known = await find_model(caller, services, name, project)
    query = Query(
        tenant=known.tenant,
        project=known.project,
        parent=known.name,
        phases=(filters.alias,) if filters.alias else (),
        cursor=filters.cursor,
        limit=min(max(filters.limit, 1), PAGE_LIMIT_MAX),
    )
    found = await services.read(lambda: services.store.page(AliasMove, query))
    return PageView(items=[move_view(each) for each in found.items], next=found.next)
