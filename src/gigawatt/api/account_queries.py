"""Query parameters of the routes of keys, users and members. As in `gigawatt.api.queries`, which has the rest."""

from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel, Field

from gigawatt.api.queries import STRICT, ListQuery, Word
from gigawatt.service.tokens import KEY_CHARS_MAX


class KeyListQuery(ListQuery):
    """A list of keys; `prefix`: those that begin as this one does."""

    prefix: Annotated[str, Field(max_length=KEY_CHARS_MAX)] = ""


class UserListQuery(ListQuery):
    """A list of users, of one kind if named."""

    kind: Literal["", "person", "service"] = ""


class TenantQuery(BaseModel):
    """For operators: the tenant that a user is of."""

    model_config = STRICT
    tenant: Word = ""


class GrantQuery(BaseModel):
    """Where a user's role is taken away: in a project, or without one in all of its tenant."""

    model_config = STRICT
    tenant: Word = ""
    project: Word = ""


KeyListing = Annotated[KeyListQuery, Query()]
UserListing = Annotated[UserListQuery, Query()]
OfTenant = Annotated[TenantQuery, Query()]
OfGrant = Annotated[GrantQuery, Query()]
