"""Who acts in this task, and by which verb: set by every verb, and taken up by whatever is put on record for it."""

from contextvars import ContextVar
from dataclasses import dataclass

from gigawatt.model.audit import AuditNote, AuditOutcome
from gigawatt.model.tenant import Caller

# Uploads, of which one push makes thousands, and what gateways count: what is made of them is on record.
UNRECORDED = ("artifacts.", "uploads.", "usage.", "gateway.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Acting:
    caller: Caller
    verb: str


ACTING: ContextVar[Acting | None] = ContextVar("acting", default=None)


def note_of(acting: Acting, *, at_ms: int, outcome: AuditOutcome, detail: str = "") -> AuditNote:
    """What is put on record of an act, without its target."""
    caller = acting.caller
    return AuditNote(
        at_ms=at_ms,
        verb=acting.verb,
        outcome=outcome,
        tenant=caller.tenant,
        project=caller.project,
        actor=caller.name,
        role=caller.role.value,
        user=caller.user,
        key=caller.key,
        address=caller.address,
        detail=detail,
    )


def recorded(acting: Acting | None) -> bool:
    """Whether what this call changes goes on the audit record."""
    return acting is not None and not acting.verb.startswith(UNRECORDED)
