"""Whether more than one tenant may be here: only where one cannot read what another runs and keeps."""

from gigawatt.model.gang import Isolation
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.service.services import Services


def refusal(services: Services) -> str | None:
    """Why a second tenant is refused; None where one may be made."""
    able = services.engine.capabilities()
    if services.accept_unisolated_tenants or able.least is not Isolation.NONE:
        return None
    why = "what tenants run is not isolated: ranks of one could read files and memory of another"
    if Isolation.PROCESS in able.isolation:
        return f"{why}; this machine can isolate, once gigawatt is started with isolation process"
    return f"{why}; gw up says what the machine lacks to isolate them"


def check_start(services: Services, tenant: str, asked: Isolation = Isolation.NONE) -> None:
    """That a tenant's work can have what it asks for, and what its tenant must have. Raises RefusalError."""
    check(services, asked)
    least = services.leader.least_isolation(tenant)
    try:
        check(services, least)
    except RefusalError as error:
        raise RefusalError(
            error.code,
            f"tenant {tenant} must have isolation {least.value}, and {error.detail}",
            hint="the operator starts gigawatt with that class, or changes the tenant's: gw tenants set",
        ) from error


def check(services: Services, asked: Isolation) -> None:
    """That a class can be had here. Raises RefusalError."""
    has = services.engine.capabilities().isolation
    if asked.rank > max((each.rank for each in has), default=0):
        named = ", ".join(each.value for each in Isolation if each in has) or "none"
        raise RefusalError(
            RefusalCode.UNSUPPORTED,
            f"isolation {asked.value} is not to be had on this instance: it has {named}",
            field="isolation",
            hint="leave isolation out, or have the operator start gigawatt with it: gw up says what the machine lacks",
        )
