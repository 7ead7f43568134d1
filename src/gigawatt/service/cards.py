"""Model cards: what people say of a version. A version without one shows the README that is among its files."""

import asyncio
from dataclasses import dataclass

from gigawatt.build.digest import PREFIX
from gigawatt.model.artifact import Artifact, ModelCard, ModelVersion
from gigawatt.model.change import Entity
from gigawatt.model.command import SetCard
from gigawatt.model.refusal import RefusalError
from gigawatt.model.tenant import Caller
from gigawatt.service.model_lookup import find_version
from gigawatt.service.permissions import verb
from gigawatt.service.receipts import once
from gigawatt.service.services import Services, Terms
from gigawatt.service.submissions import artifact_key
from gigawatt.service.views.model import ModelCardView, card_view
from gigawatt.spec.limits import CARD_CHARS_MAX
from gigawatt.store.base import Query

README = "README.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class CardChange:
    """`text` is as `spec.cards` allows it."""

    name: str
    selector: str
    text: str


@verb
async def show(
    caller: Caller, services: Services, name: str, selector: str, *, project: str = ""
) -> ModelCardView:
    """The card of a version; empty where it has none. Raises RefusalError (not-found)."""
    version = await find_version(caller, services, name, selector, project=project)
    query = Query(tenant=version.tenant, project=version.project, parent=version.ref, limit=1)
    found = await services.read(lambda: services.store.page(ModelCard, query))
    if found.items:
        return card_view(version, found.items[0])
    text = await asyncio.to_thread(_readme, services, version)
    return card_view(version, None, readme=text)


@verb
async def put(
    caller: Caller, services: Services, change: CardChange, *, project: str, terms: Terms
) -> ModelCardView:
    """Give a version another card. Raises RefusalError (not-found)."""
    version = await find_version(caller, services, change.name, change.selector, project=project)

    async def write() -> Entity:
        command = SetCard(
            tenant=version.tenant,
            project=version.project,
            by=caller.name,
            name=version.name,
            number=version.number,
            text=change.text,
        )
        return await services.leader.submit(command, receipt=terms.receipt(version.tenant))

    return card_view(version, await once(ModelCard, services, terms, version.tenant, write))


def _readme(services: Services, version: ModelVersion) -> str:
    """Blocks. Empty where there is none, or more than a card may hold."""
    held = services.store.read(Artifact, artifact_key(version.tenant, version.digest))
    if held is None or held.kind == "file":
        return ""
    try:
        files = services.artifacts.tree(version.digest).files
        found = next((file for file in files if file.path == README), None)
        if found is None or found.size > CARD_CHARS_MAX:
            return ""
        with services.artifacts.open(PREFIX + found.sha256) as file:
            return file.read(CARD_CHARS_MAX).decode("utf-8", errors="replace")
    except RefusalError:  # its files are gone, or it is no tree: then there is no card to show
        return ""
