"""Finding templates, schedules and notifications by name; what is not there is answered with what is."""

from typing import TypeVar

from gigawatt.model.notification import Notification
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.schedule import Schedule, SchedulePhase
from gigawatt.model.template import Template, TemplateVersion
from gigawatt.model.tenant import Caller
from gigawatt.service.lookup import REFERENCE_CHARS_MAX, not_found
from gigawatt.service.permissions import within
from gigawatt.service.services import Services
from gigawatt.spec.faults import nearest
from gigawatt.store.base import Query

Standing = TypeVar("Standing", Template, Schedule, Notification)

NAMES_COMPARED_MAX = 500
ACTIVE = ("active",)
THERE = tuple(each.value for each in SchedulePhase if each is not SchedulePhase.DELETED)


async def find_template(
    caller: Caller, services: Services, name: str, project: str = ""
) -> Template:
    """The template of that name. Raises RefusalError (not-found) with the nearest name there is."""
    return await _found(caller, services, Template, name, project, phases=ACTIVE)


async def find_schedule(
    caller: Caller, services: Services, name: str, project: str = ""
) -> Schedule:
    """The schedule of that name. Raises RefusalError (not-found) with the nearest name there is."""
    return await _found(caller, services, Schedule, name, project, phases=THERE)


async def find_notification(
    caller: Caller, services: Services, name: str, project: str = ""
) -> Notification:
    """The notification of that name. Raises RefusalError (not-found) with the nearest name there is."""
    return await _found(caller, services, Notification, name, project, phases=ACTIVE)


async def numbered(services: Services, template: Template, number: int) -> TemplateVersion:
    """One version of a template; 0 is the newest. Raises RefusalError (not-found)."""
    key = f"{template.id}:{number or template.newest}"
    version = await services.read(lambda: services.store.read(TemplateVersion, key))
    if version is None:
        raise RefusalError(
            RefusalCode.NOT_FOUND,
            f"template {template.name} has the versions 1 to {template.newest}, not {number}",
            field="number",
            hint=f"gw templates show {template.name}",
        )
    return version


async def _found(
    caller: Caller,
    services: Services,
    kind: type[Standing],
    name: str,
    project: str,
    *,
    phases: tuple[str, ...],
) -> Standing:
    tenant, within_project = within(caller, "", project)
    place = Query(tenant=tenant, project=within_project, phases=phases, limit=NAMES_COMPARED_MAX)
    if name and len(name) <= REFERENCE_CHARS_MAX:
        named = Query(tenant=tenant, project=within_project, phases=phases, name=name, limit=1)
        page = await services.read(lambda: services.store.page(kind, named))
        if page.items:
            return page.items[0]
    others = await services.read(lambda: services.store.page(kind, place))
    meant = nearest(name[:REFERENCE_CHARS_MAX], {each.name for each in others.items})
    error = not_found(kind.__name__.lower(), name)
    hint = meant if meant.startswith("did you mean") else error.hint
    raise RefusalError(error.code, error.detail, hint=hint)
