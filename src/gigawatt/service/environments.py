"""Environments: have one built, list them, show one."""

from gigawatt.model.command import EnsureEnvironment
from gigawatt.model.environment import Environment, EnvironmentPhase, EnvironmentSpec
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller
from gigawatt.service.lookup import Filters, find_environment
from gigawatt.service.permissions import home, verb
from gigawatt.service.services import Services, Terms
from gigawatt.service.submissions import wanted_environment
from gigawatt.service.views.registry import EnvironmentView, environment_view
from gigawatt.service.views.text import PageView

PHASES = tuple(phase.value for phase in EnvironmentPhase)


@verb
async def ensure(
    caller: Caller, services: Services, spec: EnvironmentSpec, *, project: str, terms: Terms
) -> EnvironmentView:
    """The environment, being built from now on if it is not there. Raises RefusalError."""
    tenant, project = home(caller, project)
    _, wanted = wanted_environment(services, spec, tenant, project)
    if wanted is None:
        raise RefusalError(
            RefusalCode.INVALID,
            "the host's environment is what is on the machine: there is nothing to build",
            field="kind",
            hint="use kind uv, or no environment at all",
        )
    command = EnsureEnvironment(environment=wanted, by=caller.name)
    environment = await services.leader.submit(command, receipt=terms.receipt(tenant))
    assert isinstance(environment, Environment)
    return environment_view(environment)


@verb
async def page(caller: Caller, services: Services, filters: Filters) -> PageView[EnvironmentView]:
    """Environments, newest first."""
    query = filters.query(caller, phases=PHASES)
    found = await services.read(lambda: services.store.page(Environment, query))
    views = [environment_view(_live(services, each)) for each in found.items]
    return PageView(items=views, next=found.next)


@verb
async def show(caller: Caller, services: Services, reference: str) -> EnvironmentView:
    """One environment, by id."""
    return environment_view(_live(services, await find_environment(caller, services, reference)))


def _live(services: Services, environment: Environment) -> Environment:
    """With the stage that its build is at, which only the leader's memory has."""
    return services.leader.environment(environment.id) or environment
