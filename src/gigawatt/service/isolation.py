"""Whether more than one tenant may be here: only where one cannot read what another runs and keeps."""

from gigawatt.service.services import Services


def refusal(services: Services) -> str | None:
    """Why a second tenant is refused; None where one may be made."""
    if services.accept_unisolated_tenants:
        return None
    return "what tenants run is not isolated: ranks of one could read files and memory of another"
