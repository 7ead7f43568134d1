"""What callers ask of tenants and who is in them. As in `gigawatt.model.command`, which has the rest."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTenant:
    """A tenant, and the project that its work falls to where none is named."""

    id: str
    by: str


OfAccounts = CreateTenant
