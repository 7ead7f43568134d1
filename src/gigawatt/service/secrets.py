"""Secrets of a project: set, listed by name, removed, given to ranks. Their values are never given back."""

import asyncio
import logging

from gigawatt.build.secrets import Secret, SecretFiles, check_address
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.secret import SecretUse
from gigawatt.model.tenant import Caller
from gigawatt.service.permissions import home, verb
from gigawatt.service.services import Services
from gigawatt.service.views.account import RotationView, SecretView
from gigawatt.service.views.text import PageView
from gigawatt.spec.requests import SecretRequest

log = logging.getLogger(__name__)


@verb
async def put(
    caller: Caller, services: Services, name: str, request: SecretRequest, *, project: str
) -> SecretView:
    """Keep a secret under a name, for ranks or for one address; in the place of one of that name. Raises RefusalError."""
    if request.url:
        check_address(request.url, field="url")
    secret = Secret(name=name, url=request.url, value=request.value)
    await asyncio.to_thread(services.secrets.put, _owner(caller, project), secret)
    return SecretView(name=name, url=secret.url, fault="")


@verb
async def page(caller: Caller, services: Services, *, project: str) -> PageView[SecretView]:
    """Names, and the addresses that they are for; of one that does not open, why."""
    owner = _owner(caller, project)

    def listed() -> list[SecretView]:
        return [_view(services.secrets, owner, name) for name in services.secrets.names(owner)]

    return PageView(items=await asyncio.to_thread(listed), next="")


@verb
async def remove(caller: Caller, services: Services, name: str, *, project: str) -> None:
    """Forget a secret. Environments that were built with it stay."""
    await asyncio.to_thread(services.secrets.remove, _owner(caller, project), name)


@verb
async def rotate(caller: Caller, services: Services) -> RotationView:
    """Seal every secret of every project by new keys, and forget the old ones; all work meanwhile. Raises RefusalError."""
    count = await asyncio.to_thread(services.secrets.rotate)
    log.info("keys of secrets rotated", extra={"by": caller.name, "secrets": count})
    return RotationView(secrets=count, key=services.secrets.key_kind)


async def check_uses(services: Services, uses: tuple[SecretUse, ...], owner: str) -> None:
    """Refuse what asks for secrets that its project does not have for ranks. Raises RefusalError."""
    if uses:
        await asyncio.to_thread(given, services.secrets, uses, owner)


def given(secrets: SecretFiles, uses: tuple[SecretUse, ...], owner: str) -> dict[str, str]:
    """The values that ranks are given, by variable. Blocks. Raises RefusalError."""
    values: dict[str, str] = {}
    for use in uses:
        field = f"secrets.{use.variable}"
        try:
            secret = secrets.read(owner, use.secret)
        except RefusalError as error:
            # Not "not found": that a node lacks something is no fault of the job's, and this is.
            missing = error.code is RefusalCode.NOT_FOUND
            code = RefusalCode.INVALID if missing else error.code
            raise RefusalError(code, error.detail, field=field, hint=error.hint) from None
        if secret.url:
            detail = f"the secret {use.secret} is for {secret.url}, and not for ranks"
            hint = "set another one without --for"
            raise RefusalError(RefusalCode.INVALID, detail, field=field, hint=hint)
        values[use.variable] = secret.value
    return values


def _view(secrets: SecretFiles, owner: str, name: str) -> SecretView:
    try:
        return SecretView(name=name, url=secrets.read(owner, name).url, fault="")
    except RefusalError as error:
        return SecretView(name=name, url="", fault=error.detail)


def _owner(caller: Caller, project: str) -> str:
    return "/".join(home(caller, project))
