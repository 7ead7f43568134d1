"""A write that is asked for again under its idempotency key, when what it needed then is not there any more.

The leader answers repetitions from its receipts. Some never reach it, because a check before it refuses them: the
object has moved on since the first time. Those are answered from the same receipts here.
"""

import json
from collections.abc import Awaitable, Callable
from typing import TypeVar

from gigawatt.model.change import Entity
from gigawatt.model.refusal import RefusalError
from gigawatt.service.services import Services, Terms
from gigawatt.store.codec import KINDS

E = TypeVar("E", bound=Entity)


async def once(
    kind: type[E],
    services: Services,
    terms: Terms,
    tenant: str,
    write: Callable[[], Awaitable[Entity]],
) -> E:
    """The object that `write` changes, or that it changed the first time. Raises RefusalError."""
    try:
        entity = await write()
    except RefusalError:
        remembered = await services.read(lambda: _remembered(services, terms, tenant))
        if remembered is None:
            raise
        entity = remembered
    assert isinstance(entity, kind)
    return entity


def _remembered(services: Services, terms: Terms, tenant: str) -> Entity | None:
    """Blocks. None for another request, and where nothing is remembered."""
    if not terms.key:
        return None
    place = (tenant, terms.key)
    receipt = services.store.receipts([place]).get(place)
    if receipt is None or receipt.request_sha256 != terms.request_sha256:
        return None
    named = json.loads(receipt.body)
    return services.store.read(KINDS[named["kind"]], named["id"])
