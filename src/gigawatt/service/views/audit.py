"""The audit record as callers see it."""

from dataclasses import dataclass

from gigawatt.model.audit import AuditRecord
from gigawatt.store.base import AuditCheck


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditView:
    """Who did what to what, from where, and how it ended; `count` of the same shortly after each other."""

    seq: int
    at_ms: int
    tenant: str
    project: str
    actor: str
    role: str
    user: str
    key: str
    address: str
    verb: str
    target: str
    outcome: str
    detail: str
    count: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditCheckView:
    """Whether the record is whole; `broken_seq` is the first one at which it is not. Counts are 0 but for operators."""

    whole: bool
    records: int
    first_seq: int
    head_seq: int
    head_hash: str
    broken_seq: int
    problem: str


def audit_view(record: AuditRecord) -> AuditView:
    """A record's view."""
    note = record.note
    return AuditView(
        seq=record.seq,
        at_ms=note.at_ms,
        tenant=note.tenant,
        project=note.project,
        actor=note.actor,
        role=note.role,
        user=note.user.partition("/")[2],
        key=note.key,
        address=note.address,
        verb=note.verb,
        target=note.target,
        outcome=note.outcome.value,
        detail=note.detail,
        count=note.count,
        hash=record.hash,
    )


def check_view(check: AuditCheck, *, whole: bool) -> AuditCheckView:
    """A check's view, with the lengths where the caller may know the `whole` record."""
    return AuditCheckView(
        whole=not check.problem,
        records=check.records if whole else 0,
        first_seq=check.first_seq if whole else 0,
        head_seq=check.head_seq if whole else 0,
        head_hash=check.head_hash if whole else "",
        broken_seq=check.broken_seq if whole else 0,
        problem=check.problem if whole or not check.problem else "the record was changed",
    )
