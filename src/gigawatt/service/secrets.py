"""Secrets of a project: set, listed by name, removed. Their values are never given back."""

import asyncio

from gigawatt.build.secrets import Secret, check_address
from gigawatt.model.tenant import Caller
from gigawatt.service.permissions import home, verb
from gigawatt.service.services import Services
from gigawatt.service.views.account import SecretView
from gigawatt.service.views.text import PageView
from gigawatt.spec.requests import SecretRequest


@verb
async def put(
    caller: Caller, services: Services, name: str, request: SecretRequest, *, project: str
) -> SecretView:
    """Keep a secret under a name, for one address; in the place of one of that name. Raises RefusalError."""
    check_address(request.url, field="url")
    secret = Secret(name=name, url=request.url, value=request.value)
    await asyncio.to_thread(services.secrets.put, _owner(caller, project), secret)
    return SecretView(name=name, url=secret.url)


@verb
async def page(caller: Caller, services: Services, *, project: str) -> PageView[SecretView]:
    """Names, and the addresses that they are for."""
    owner = _owner(caller, project)

    def listed() -> list[SecretView]:
        found = (services.secrets.read(owner, each) for each in services.secrets.names(owner))
        return [SecretView(name=each.name, url=each.url) for each in found]

    return PageView(items=await asyncio.to_thread(listed), next="")


@verb
async def remove(caller: Caller, services: Services, name: str, *, project: str) -> None:
    """Forget a secret. Environments that were built with it stay."""
    await asyncio.to_thread(services.secrets.remove, _owner(caller, project), name)


def _owner(caller: Caller, project: str) -> str:
    return "/".join(home(caller, project))
