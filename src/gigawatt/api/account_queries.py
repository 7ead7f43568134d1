"""Query parameters of the routes of keys, users, members and the audit record. As in `gigawatt.api.queries`, which has the rest."""

from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel, Field

from gigawatt.api.queries import STRICT, ListQuery, Moment, Word
from gigawatt.service.tokens import KEY_CHARS_MAX
from gigawatt.store.audit import READ_MAX as AUDIT_LIMIT_MAX
from gigawatt.store.base import AuditQuery


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


class AuditQueryForm(BaseModel):
    """Records below the cursor, newest first. `verb` and `target` may be beginnings: keys., job:"""

    model_config = STRICT
    tenant: Word = ""
    project: Word = ""
    actor: Word = ""
    verb: Word = ""
    target: Word = ""
    outcome: Literal["", "done", "refused"] = ""
    since: Moment = 0
    until: Moment = 0
    cursor: Annotated[str, Field(pattern="^([1-9][0-9]{0,17})?$")] = ""
    limit: Annotated[int, Field(ge=1, le=AUDIT_LIMIT_MAX)] = 100

    def wanted(self) -> AuditQuery:
        return AuditQuery(
            tenant=self.tenant,
            project=self.project,
            actor=self.actor,
            verb=self.verb,
            target=self.target,
            outcome=self.outcome,
            since_ms=self.since,
            until_ms=self.until,
            before_seq=int(self.cursor or 0),
            limit=self.limit,
        )


Audit = Annotated[AuditQueryForm, Query()]
KeyListing = Annotated[KeyListQuery, Query()]
UserListing = Annotated[UserListQuery, Query()]
OfTenant = Annotated[TenantQuery, Query()]
OfGrant = Annotated[GrantQuery, Query()]
