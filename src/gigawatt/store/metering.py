"""Sums of what is charged by: the ledger's entries and the meters beside it, by day, price and whose they are.

High and low halves are added apart: a large site's sum exceeds 64 bits.
"""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Select,
    Table,
    func,
    literal,
    literal_column,
    select,
)

from gigawatt.ledger.charges import Quantity, device_sku
from gigawatt.model.bill import MeterEntry
from gigawatt.model.ledger import DAY_MS
from gigawatt.model.prices import DEVICE_METERS, Meter
from gigawatt.store.base import MeterQuery
from gigawatt.store.history import PART_BITS
from gigawatt.store.schema import entries, meters
from gigawatt.store.terms import askable

_OF_ENTRIES = ("tenant", "project", "unit", "sku", "plan", "time_class", "reservation")
_OF_METERS = ("tenant", "project", "meter", "sku")
_SUBJECTS = {"gang": "gang", "node": "node"}  # columns of entries by what is asked for
_METER_SUBJECTS = {"gang": "subject", "key": "key"}


def meter_row(entry: MeterEntry) -> dict[str, Any]:
    return {
        "at_ms": entry.at_ms,
        "meter": entry.meter,
        "quantity": entry.quantity,
        "tenant": entry.tenant,
        "project": entry.project,
        "subject": entry.subject,
        "sku": entry.sku,
        "key": entry.key,
    }


def newest_rows(connection: Connection) -> tuple[int, int]:
    """The newest row of each table, 0 where it is empty."""
    newest = (
        connection.execute(select(func.coalesce(func.max(table.c.row), 0))).scalar_one()
        for table in (entries, meters)
    )
    first, second = newest
    return int(first), int(second)


def read_quantities(connection: Connection, query: MeterQuery) -> tuple[Quantity, ...]:
    query = askable(query)
    found = [_of_entry(row) for row in connection.execute(_entry_sums(query)).mappings()]
    if not (query.classes or query.reserved):
        found += [_of_meter(row) for row in connection.execute(_meter_sums(query)).mappings()]
    return tuple(found)


def _entry_sums(query: MeterQuery) -> Select[Any]:
    subjects = {name: _SUBJECTS[name] for name in query.by if name in _SUBJECTS}
    conditions = _conditions(entries, query, query.entries_after, query.entries_through)
    if query.classes:
        conditions.append(entries.c.time_class.in_([str(each) for each in query.classes]))
    if query.reserved:
        conditions.append(entries.c.reservation != "")
    return _sums(entries, entries.c.unit_ms, (*_OF_ENTRIES, *subjects.values()), conditions)


def _meter_sums(query: MeterQuery) -> Select[Any]:
    subjects = [_METER_SUBJECTS[name] for name in query.by if name in _METER_SUBJECTS]
    conditions = _conditions(meters, query, query.meters_after, query.meters_through)
    return _sums(meters, meters.c.quantity, (*_OF_METERS, *subjects), conditions)


def _conditions(
    table: Table, query: MeterQuery, after: int, through: int
) -> list[ColumnElement[bool]]:
    conditions = [
        table.c[column] == getattr(query, column)
        for column in ("tenant", "project")
        if getattr(query, column)
    ]
    if query.since_ms:
        conditions.append(table.c.at_ms > query.since_ms)
    if query.until_ms:
        conditions.append(table.c.at_ms <= query.until_ms)
    if after:
        conditions.append(table.c.row > after)
    if through:
        conditions.append(table.c.row <= through)
    return conditions


def _sums(
    table: Table,
    amount: ColumnElement[int],
    names: tuple[str, ...],
    conditions: list[ColumnElement[bool]],
) -> Select[Any]:
    day = ((table.c.at_ms - 1) // literal_column(str(DAY_MS), Integer)).label("day")
    high = func.sum(amount.bitwise_rshift(literal(PART_BITS, Integer))).label("high")
    low = func.sum(amount.bitwise_and((1 << PART_BITS) - 1)).label("low")
    keys = (*(table.c[name] for name in names), day)
    return select(*keys, high, low).where(*conditions).group_by(*keys).order_by(*keys)


def _of_entry(row: Any) -> Quantity:
    return Quantity(
        meter=DEVICE_METERS[row["unit"]],
        sku=device_sku(row["unit"], row["sku"]),
        quantity=_whole(row),
        day=int(row["day"]),
        tenant=row["tenant"],
        project=row["project"],
        plan=row["plan"],
        use=row["time_class"],
        reservation=row["reservation"],
        node=row.get("node", ""),
        gang=row.get("gang", ""),
    )


def _of_meter(row: Any) -> Quantity:
    return Quantity(
        meter=Meter(row["meter"]),
        sku=row["sku"],
        quantity=_whole(row),
        day=int(row["day"]),
        tenant=row["tenant"],
        project=row["project"],
        gang=row.get("subject", ""),
        key=row.get("key", ""),
    )


def _whole(row: Any) -> int:
    return (int(row["high"]) << PART_BITS) + int(row["low"])
