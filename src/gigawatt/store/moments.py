"""The ledger by moments: what was written when, so that it can be laid out over time."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, literal, select, true

from gigawatt.model.ledger import TimeClass
from gigawatt.store.base import LedgerMoment, LedgerQuery
from gigawatt.store.schema import entries


def read(
    connection: Connection, query: LedgerQuery, *, step_ms: int, limit: int
) -> tuple[LedgerMoment, ...]:
    """By node and moment; by steps of all nodes where that would be more than `limit`."""
    rows = connection.execute(_by_node(query).limit(limit + 1)).all()
    if len(rows) > limit:
        rows = connection.execute(_by_step(query, step_ms)).all()
    return tuple(
        LedgerMoment(
            node=row.node,
            at_ms=int(row.at_ms),
            unit=row.unit,
            time_class=TimeClass(row.time_class),
            unit_ms=int(row.unit_ms),
            asked_unit_ms=int(row.asked_unit_ms),
        )
        for row in rows
    )


def _by_node(query: LedgerQuery) -> Select[*tuple[Any, ...]]:
    keys = (entries.c.node, entries.c.at_ms, entries.c.unit, entries.c.time_class)
    return (
        select(*keys, *_sums(query))
        .where(entries.c.at_ms >= query.since_ms)
        .group_by(*keys)
        .order_by(entries.c.at_ms, entries.c.node, entries.c.unit, entries.c.time_class)
    )


def _by_step(query: LedgerQuery, step_ms: int) -> Select[*tuple[Any, ...]]:
    past_ms = entries.c.at_ms - query.since_ms
    end_ms = (query.since_ms + past_ms - past_ms % step_ms + step_ms).label("at_ms")
    keys = (end_ms, entries.c.unit, entries.c.time_class)
    return (
        select(literal("").label("node"), *keys, *_sums(query))
        .where(entries.c.at_ms >= query.since_ms)
        .group_by(*keys)
        .order_by(*keys)
    )


def _sums(query: LedgerQuery) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    asked: ColumnElement[bool] = true()
    for column in ("tenant", "project"):
        value = getattr(query, column)
        if value:
            asked = and_(asked, entries.c[column] == value)
    everything = func.sum(entries.c.unit_ms)
    mine = func.sum(case((asked, entries.c.unit_ms), else_=0))
    return everything.label("unit_ms"), mine.label("asked_unit_ms")
