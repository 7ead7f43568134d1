"""What is only appended: events, ledger entries, receipts, and the inbox with its replies."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, Select, func, literal, select

from gigawatt.model.change import Receipt
from gigawatt.model.event import Event
from gigawatt.model.ledger import LedgerEntry, TimeClass
from gigawatt.store.base import EventQuery, InboxRow, LedgerQuery, LedgerTotal
from gigawatt.store.codec import encode
from gigawatt.store.schema import entries, events, inbox, receipts
from gigawatt.store.terms import term

EVENTS_READ_MAX = 10_000  # events of one answer, whatever was asked for
KEYS_READ_MAX = 1_000  # idempotency keys of one statement; more take several
PART_BITS = 32


def numbered(news: Sequence[Event], *, after: int) -> tuple[Event, ...]:
    return tuple(replace(event, seq=seq) for seq, event in enumerate(news, start=after + 1))


def event_row(event: Event) -> dict[str, Any]:
    return {
        "seq": event.seq,
        "at_ms": event.at_ms,
        "kind": event.kind,
        "tenant": event.tenant,
        "project": event.project,
        "subject": event.subject,
        "body": encode((event.message, event.data)),
    }


def read_events(connection: Connection, query: EventQuery) -> tuple[Event, ...]:
    conditions: list[ColumnElement[bool]] = [events.c.seq > query.after_seq]
    for column in ("tenant", "project", "subject"):
        value = getattr(query, column)
        if value:
            conditions.append(events.c[column] == value)
    if query.kinds:
        conditions.append(events.c.kind.in_(query.kinds))
    limit = max(1, min(query.limit, EVENTS_READ_MAX))
    statement = select(events).where(*conditions).order_by(events.c.seq).limit(limit)
    return tuple(_event(row) for row in connection.execute(statement))


def entry_row(entry: LedgerEntry) -> dict[str, Any]:
    return {
        "at_ms": entry.at_ms,
        "node": entry.node,
        "unit": entry.unit,
        "time_class": entry.time_class.value,
        "unit_ms": entry.unit_ms,
        "tenant": entry.tenant,
        "project": entry.project,
        "gang": entry.gang,
        "attempt": entry.attempt,
        "sku": entry.sku,
        "plan": entry.plan,
        "reservation": entry.reservation,
    }


def read_totals(connection: Connection, query: LedgerQuery) -> tuple[LedgerTotal, ...]:
    """Sums by unit and class, sorted. High and low halves are added apart: a large site's sum exceeds 64 bits."""
    rows = connection.execute(_totals(query)).all()
    return tuple(
        LedgerTotal(
            unit=row.unit,
            time_class=TimeClass(row.time_class),
            unit_ms=(int(row.high) << PART_BITS) + int(row.low),
        )
        for row in rows
    )


def receipt_row(receipt: Receipt) -> dict[str, Any]:
    return {
        "key": receipt.key,
        "tenant": receipt.tenant,
        "request_sha256": receipt.request_sha256,
        "status": receipt.status,
        "body": receipt.body,
        "at_ms": receipt.at_ms,
    }


def read_receipts(
    connection: Connection, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], Receipt]:
    found: dict[tuple[str, str], Receipt] = {}
    wanted = set(keys)
    for start in range(0, len(keys), KEYS_READ_MAX):
        part = [term(key) for _tenant, key in keys[start : start + KEYS_READ_MAX]]
        rows = connection.execute(select(receipts).where(receipts.c.key.in_(part)))
        for row in rows.mappings():
            if (row["tenant"], row["key"]) in wanted:
                found[row["tenant"], row["key"]] = Receipt(**row)
    return found


def read_pending(connection: Connection, *, limit: int) -> tuple[InboxRow, ...]:
    statement = (
        select(inbox.c.row, inbox.c.command, inbox.c.reply)
        .where(inbox.c.reply.is_(None))
        .order_by(inbox.c.row)
        .limit(limit)
    )
    return tuple(InboxRow(**row) for row in connection.execute(statement).mappings())


def read_reply(connection: Connection, row: int) -> InboxRow | None:
    statement = select(inbox.c.row, inbox.c.command, inbox.c.reply).where(inbox.c.row == row)
    found = connection.execute(statement).mappings().one_or_none()
    return None if found is None else InboxRow(**found)


def _event(row: Any) -> Event:
    message, data = json.loads(row.body)
    return Event(
        seq=row.seq,
        at_ms=row.at_ms,
        kind=row.kind,
        tenant=row.tenant,
        project=row.project,
        subject=row.subject,
        message=message,
        data=tuple((name, value) for name, value in data),
    )


def _totals(query: LedgerQuery) -> Select[str, str, Any, Any]:
    conditions: list[ColumnElement[bool]] = []
    for column in ("unit", "tenant", "project", "gang", "node"):
        value = getattr(query, column)
        if value:
            conditions.append(entries.c[column] == value)
    if query.since_ms:
        conditions.append(entries.c.at_ms >= query.since_ms)
    if query.until_ms:
        conditions.append(entries.c.at_ms < query.until_ms)
    high = func.sum(entries.c.unit_ms.bitwise_rshift(literal(PART_BITS, Integer))).label("high")
    low = func.sum(entries.c.unit_ms.bitwise_and((1 << PART_BITS) - 1)).label("low")
    keys = (entries.c.unit, entries.c.time_class)
    return select(*keys, high, low).where(*conditions).group_by(*keys).order_by(*keys)
