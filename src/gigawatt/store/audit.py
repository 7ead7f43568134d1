"""The audit record: appended to, chained by hashes, and cut at its old end alone, where an anchor is kept."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from gigawatt.model.audit import AuditNote, AuditOutcome, AuditRecord
from gigawatt.store.base import AuditCheck, AuditQuery
from gigawatt.store.schema import audit, audit_chain

KEPT_MS = 400 * 86_400_000
READ_MAX = 1_000
VERIFIED_AT_ONCE = 5_000
PRUNED_AT_ONCE = 2_000
_COLUMNS = ("at_ms", "tenant", "project", "actor", "verb", "target", "outcome")
_FIELDS = ("role", "user", "key", "address", "detail", "count")


def append(connection: Connection, notes: Sequence[AuditNote]) -> None:
    """Add notes in their order, in the caller's transaction."""
    if not notes:
        return
    head = connection.execute(select(audit_chain.c.head_seq, audit_chain.c.head_hash)).one()
    seq, before = head.head_seq, head.head_hash
    rows: list[dict[str, Any]] = []
    for note in notes:
        seq += 1
        row = {"seq": seq, **_row(note)}
        before = row["hash"] = _chained(before, row)
        rows.append(row)
    connection.execute(insert(audit), rows)
    connection.execute(update(audit_chain).values(head_seq=seq, head_hash=before))


def read(connection: Connection, query: AuditQuery) -> tuple[AuditRecord, ...]:
    limit = max(1, min(query.limit, READ_MAX))
    statement = select(audit).where(*_conditions(query)).order_by(audit.c.seq.desc()).limit(limit)
    return tuple(_record(row) for row in connection.execute(statement).mappings())


def check(connection: Connection) -> AuditCheck:
    """Walk the whole chain."""
    ends = connection.execute(select(audit_chain)).one()
    seq, before, records = ends.anchor_seq, ends.anchor_hash, 0
    found = {"first_seq": seq + 1, "head_seq": ends.head_seq, "head_hash": ends.head_hash}
    for row in _walk(connection):
        if row["seq"] != seq + 1:
            problem = f"record {seq + 1} is missing"
            return AuditCheck(records=records, broken_seq=seq + 1, problem=problem, **found)
        if _chained(before, row) != row["hash"]:
            problem = f"record {row['seq']} is not what was written"
            return AuditCheck(records=records, broken_seq=row["seq"], problem=problem, **found)
        seq, before, records = row["seq"], row["hash"], records + 1
    if (seq, before) != (ends.head_seq, ends.head_hash):
        problem = f"the newest records, from {seq + 1} on, are missing"
        return AuditCheck(records=records, broken_seq=seq + 1, problem=problem, **found)
    return AuditCheck(records=records, **found)


def prune(connection: Connection, *, before_ms: int) -> int:
    """Drop the oldest records, at most so many at once; the last of them becomes the anchor."""
    oldest = select(audit.c.seq, audit.c.at_ms, audit.c.hash).order_by(audit.c.seq)
    doomed = None
    dropped = 0
    for row in connection.execute(oldest.limit(PRUNED_AT_ONCE)):
        if row.at_ms >= before_ms:
            break
        doomed, dropped = row, dropped + 1
    if doomed is not None:
        connection.execute(delete(audit).where(audit.c.seq <= doomed.seq))
        connection.execute(
            update(audit_chain).values(anchor_seq=doomed.seq, anchor_hash=doomed.hash)
        )
    return dropped


def _conditions(query: AuditQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [
        audit.c[name] == value
        for name in ("tenant", "project", "actor", "outcome")
        if (value := getattr(query, name))
    ]
    for name in ("verb", "target"):
        value = getattr(query, name)
        if value:
            column = audit.c[name]
            conditions.append(func.substr(column, 1, len(value)) == value)
    if query.since_ms:
        conditions.append(audit.c.at_ms >= query.since_ms)
    if query.until_ms:
        conditions.append(audit.c.at_ms < query.until_ms)
    if query.before_seq:
        conditions.append(audit.c.seq < query.before_seq)
    return conditions


def _walk(connection: Connection) -> Iterator[dict[str, Any]]:
    seq = 0
    while True:
        statement = select(audit).where(audit.c.seq > seq).order_by(audit.c.seq)
        rows = connection.execute(statement.limit(VERIFIED_AT_ONCE)).mappings().all()
        for row in rows:
            yield dict(row)
        if len(rows) < VERIFIED_AT_ONCE:
            return
        seq = rows[-1]["seq"]


def _row(note: AuditNote) -> dict[str, Any]:
    values = asdict(note)
    return {
        **{name: values[name] for name in _COLUMNS},
        "outcome": note.outcome.value,
        "body": json.dumps([values[name] for name in _FIELDS]),
    }


def _chained(before: str, row: dict[str, Any]) -> str:
    told = json.dumps([before, row["seq"], *(row[name] for name in (*_COLUMNS, "body"))])
    return hashlib.sha256(told.encode()).hexdigest()


def _record(row: Any) -> AuditRecord:
    rest = dict(zip(_FIELDS, json.loads(row["body"]), strict=True))
    columns = {name: row[name] for name in _COLUMNS}
    note = AuditNote(**{**columns, "outcome": AuditOutcome(row["outcome"])}, **rest)
    return AuditRecord(seq=row["seq"], note=note, hash=row["hash"])
