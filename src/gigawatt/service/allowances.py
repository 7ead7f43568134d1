"""What keys and projects may have of the gateway."""

from dataclasses import replace

from gigawatt.model.order import SetAllowance
from gigawatt.model.tenant import ApiKey, Caller, Project
from gigawatt.model.tokens import Allowance
from gigawatt.service.lookup import find_project, not_found
from gigawatt.service.permissions import sees, verb
from gigawatt.service.services import Services, Terms
from gigawatt.service.views.usage import AllowanceView, allowance_view
from gigawatt.spec.usage import AllowanceRequest


@verb
async def of_key(
    caller: Caller, services: Services, id: str, request: AllowanceRequest, *, terms: Terms
) -> AllowanceView:
    """Change what a key may have. Raises RefusalError."""
    key = await services.read(lambda: services.store.read(ApiKey, id))
    if key is None or not sees(caller, key.tenant, key.project):
        raise not_found("key", id)
    terms.check(key.version)
    command = SetAllowance(
        tenant=key.tenant, key=key.id, allowance=_changed(key.allowance, request), by=caller.name
    )
    after = await services.leader.submit(command, receipt=terms.receipt(key.tenant))
    assert isinstance(after, ApiKey)
    return allowance_view(after.allowance)


@verb
async def of_project(
    caller: Caller, services: Services, project: str, request: AllowanceRequest, *, terms: Terms
) -> AllowanceView:
    """Change what all keys together may have of a project's endpoints. Raises RefusalError."""
    found = await find_project(caller, services, project)
    terms.check(found.version)
    command = SetAllowance(
        tenant=found.tenant,
        project=found.name,
        allowance=_changed(found.allowance, request),
        by=caller.name,
    )
    after = await services.leader.submit(command, receipt=terms.receipt(found.tenant))
    assert isinstance(after, Project)
    return allowance_view(after.allowance)


def _changed(before: Allowance, request: AllowanceRequest) -> Allowance:
    return replace(before, **request.model_dump(exclude_none=True))
