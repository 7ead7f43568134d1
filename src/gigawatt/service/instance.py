"""What this instance is, and who the caller is to it."""

from gigawatt.model.tenant import Caller
from gigawatt.service.permissions import verb
from gigawatt.service.services import Services
from gigawatt.service.views.account import CallerView, EngineView, InstanceView, caller_view
from gigawatt.version import __version__


@verb
async def show(caller: Caller, services: Services) -> InstanceView:
    """Versions, addresses, and what the engine can do."""
    facts, able = services.instance, services.engine.capabilities()
    return InstanceView(
        version=__version__,
        epoch=services.leader.epoch,
        api_url=facts.api_url,
        gateway_url=facts.gateway_url,
        store=facts.store,
        handoff=facts.handoff,
        engine=EngineView(
            name=services.engine.name,
            environments=tuple(sorted(able.environments)),
            isolation=tuple(sorted(each.value for each in able.isolation)),
            shared_filesystem=able.shared_filesystem,
            node_lost_after_s=able.node_lost_after_s,
        ),
    )


@verb
async def whoami(caller: Caller, services: Services) -> CallerView:
    """The caller as the instance sees it."""
    return caller_view(caller)
