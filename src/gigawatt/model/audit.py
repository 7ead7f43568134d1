"""What is put on the audit record: who asked for what, from where, and how it ended. Never a secret."""

from dataclasses import dataclass
from enum import StrEnum

DETAIL_CHARS_MAX = 200


class AuditOutcome(StrEnum):
    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditNote:
    """One thing that happened, or `count` of the same kind shortly after each other."""

    at_ms: int
    verb: str
    outcome: AuditOutcome
    tenant: str = ""  # whose record it is; empty for the instance's own
    project: str = ""
    actor: str = ""
    role: str = ""
    user: str = ""
    key: str = ""  # the id
    address: str = ""
    target: str = ""  # kind:id
    detail: str = ""
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """A note in the chain: `hash` is over the one before and all that is here."""

    seq: int
    note: AuditNote
    hash: str
