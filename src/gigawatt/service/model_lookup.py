"""Finding the model and the version that a caller names; what is not there is answered with what is."""

from gigawatt.model.artifact import ModelName, ModelVersion
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller
from gigawatt.service.lookup import REFERENCE_CHARS_MAX, not_found
from gigawatt.service.permissions import within
from gigawatt.service.services import Services
from gigawatt.spec.faults import nearest
from gigawatt.store.base import Page, Query

VERSIONS_SHOWN_MAX = 500
NAMES_COMPARED_MAX = 500
LATEST = "latest"


async def find_model(
    caller: Caller, services: Services, name: str, project: str = "", *, field: str = ""
) -> ModelName:
    """The model of that name. Raises RefusalError (not-found) with the nearest name there is."""
    tenant, within_project = within(caller, "", project)
    query = Query(tenant=tenant, project=within_project, name=name, limit=1)
    known = name and len(name) <= REFERENCE_CHARS_MAX
    found = await services.read(lambda: services.store.page(ModelName, query)) if known else None
    if found is not None and found.items:
        return found.items[0]
    every = Query(tenant=tenant, project=within_project, limit=NAMES_COMPARED_MAX)
    others = await services.read(lambda: services.store.page(ModelName, every))
    meant = nearest(name[:REFERENCE_CHARS_MAX], {each.name for each in others.items})
    error = not_found("model", name)
    hint = meant if meant.startswith("did you mean") else error.hint
    raise RefusalError(error.code, error.detail, field=field, hint=hint)


async def find_version(
    caller: Caller,
    services: Services,
    name: str,
    selector: str,
    *,
    project: str = "",
    field: str = "",
) -> ModelVersion:
    """The version of `name` that "3", an alias, or "" or "latest" means. Raises RefusalError (not-found)."""
    known = await find_model(caller, services, name, project, field=field)
    number = known.number_of(selector)
    version = None if number is None else await _numbered(services, known, number)
    if version is None:
        raise _no_version(known, selector, field)
    return version


async def newest_versions(services: Services, name: ModelName) -> tuple[ModelVersion, ...]:
    """Its newest versions, as many as are shown."""
    return (await _versions(services, name, "")).items


def split_reference(reference: str) -> tuple[str, str]:
    """Name and selector: "gpt@prod" is ("gpt", "prod"), "gpt:3" is ("gpt", "3"), "gpt" is ("gpt", "")."""
    for separator in ("@", ":"):
        name, found, selector = reference.partition(separator)
        if found:
            return name, selector or separator
    return reference, ""


async def _numbered(services: Services, name: ModelName, number: int) -> ModelVersion | None:
    cursor = ""
    while True:
        page = await _versions(services, name, cursor)
        for version in page.items:
            if version.number == number:
                return version
        if not page.next:
            return None
        cursor = page.next


async def _versions(services: Services, name: ModelName, cursor: str) -> Page[ModelVersion]:
    query = Query(
        tenant=name.tenant,
        project=name.project,
        parent=name.name,
        limit=VERSIONS_SHOWN_MAX,
        cursor=cursor,
    )
    return await services.read(lambda: services.store.page(ModelVersion, query))


def _no_version(known: ModelName, selector: str, field: str) -> RefusalError:
    shown = selector[:REFERENCE_CHARS_MAX]
    if shown.isdigit():
        wanted = f"version {shown}"
        hint = f"it has versions 1 to {known.newest}"
    else:
        wanted = f"alias {shown}"
        aliases = dict(known.aliases)
        meant = nearest(shown, (*aliases, LATEST))
        hint = f"it has versions 1 to {known.newest}; aliases: {', '.join(aliases) or 'none'}"
        hint = f"{meant} {hint}" if meant.startswith("did you mean") else hint
    return RefusalError(
        RefusalCode.NOT_FOUND, f"model {known.name} has no {wanted}", field=field, hint=hint
    )
