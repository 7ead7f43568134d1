"""What callers ask of tenants, users and keys. As in `gigawatt.model.command`, which has the rest."""

from dataclasses import dataclass

from gigawatt.model.gang import Isolation
from gigawatt.model.tenant import ApiKey, KeyUse, Role, User


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTenant:
    """A tenant, and the project that its work falls to where none is named."""

    id: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetIsolation:
    """The class of isolation that everything a tenant starts from now on has at least."""

    id: str
    isolation: Isolation
    by: str
    if_version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateUser:
    user: User


@dataclass(frozen=True, slots=True, kw_only=True)
class SetGrant:
    """What a user holds in a project, or with an empty one in all of its tenant; None takes it away."""

    id: str
    project: str
    role: Role | None
    by: str
    if_version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SetDisabled:
    """Whether a user's keys are refused."""

    id: str
    disabled: bool
    by: str
    if_version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginSession:
    """A session's key, of the user that has `account` in the key's tenant, which is made where there is none.

    It holds from now on the key's role in the key's project, and nothing else, in no other tenant either.
    """

    account: str
    name: str  # of a new user
    email: str
    key: ApiKey


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawAccount:
    """The rules of sign-in give an account nothing any more: nor does any of its users hold anything."""

    user: str  # the id of one of them
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateKey:
    """`key` takes the place of the one of this id, which is good until `until_ms` and no longer than before."""

    id: str
    key: ApiKey
    until_ms: int
    by: str
    if_version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteKeyUses:
    """When keys were last used, and from where: put on record, and nothing else."""

    uses: tuple[KeyUse, ...]


OfAccounts = (
    CreateTenant
    | SetIsolation
    | CreateUser
    | SetGrant
    | SetDisabled
    | BeginSession
    | WithdrawAccount
    | RotateKey
    | NoteKeyUses
)
