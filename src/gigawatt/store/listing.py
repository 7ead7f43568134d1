"""The queries on objects: one by id or name, pages of many, counts by phase."""

from sqlalchemy import ColumnElement, Select, func, select, true, tuple_

from gigawatt.store.base import Query
from gigawatt.store.cursor import read_cursor
from gigawatt.store.schema import objects

PAGE_MAX = 1000  # objects of one page, whatever was asked for
IDS_MAX = 500  # in one statement

Body = Select[str]
Place = Select[str, int, str]


def one(kind: str, id: str) -> Body:
    return select(objects.c.body).where(objects.c.kind == kind, objects.c.id == id)


def some(kind: str, ids: tuple[str, ...]) -> Select[str, str]:
    return select(objects.c.id, objects.c.body).where(objects.c.kind == kind, objects.c.id.in_(ids))


def newest_named(kind: str, *, tenant: str, project: str, name: str) -> Body:
    return (
        select(objects.c.body)
        .where(
            objects.c.kind == kind,
            objects.c.tenant == tenant,
            objects.c.project == project,
            objects.c.name == name,
        )
        .order_by(objects.c.created_ms.desc(), objects.c.id.desc())
        .limit(1)
    )


def page_size(query: Query) -> int:
    return max(1, min(query.limit, PAGE_MAX))


def page(kind: str, query: Query) -> Place:
    """One row more than the page holds, to tell whether another page follows. Raises RefusalError for a bad cursor."""
    conditions = _conditions(kind, query)
    if query.cursor:
        place = read_cursor(kind, query)
        conditions.append(tuple_(objects.c.created_ms, objects.c.id) < place)
    return (
        select(objects.c.body, objects.c.created_ms, objects.c.id)
        .where(*conditions)
        .order_by(objects.c.created_ms.desc(), objects.c.id.desc())
        .limit(page_size(query) + 1)
    )


def counts(kind: str, query: Query) -> Select[str, int]:
    return (
        select(objects.c.phase, func.count().label("objects"))
        .where(*_conditions(kind, query))
        .group_by(objects.c.phase)
        .order_by(objects.c.phase)
    )


def live(kinds: tuple[str, ...]) -> Select[str, str]:
    """Every live object of these kinds, oldest first."""
    return (
        select(objects.c.kind, objects.c.body)
        .where(objects.c.live.is_(true()), objects.c.kind.in_(kinds))
        .order_by(objects.c.kind, objects.c.created_ms, objects.c.id)
    )


def _conditions(kind: str, query: Query) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [objects.c.kind == kind]
    for column in ("tenant", "project", "name", "parent"):
        value = getattr(query, column)
        if value:
            conditions.append(objects.c[column] == value)
    if query.phases:
        conditions.append(objects.c.phase.in_(query.phases))
    conditions += _of_names(query)
    if query.since_ms:
        conditions.append(objects.c.created_ms >= query.since_ms)
    if query.until_ms:
        conditions.append(objects.c.created_ms < query.until_ms)
    if query.orphans:
        conditions.append(objects.c.parent.is_(None))
    if query.live_only:
        conditions.append(objects.c.live.is_(true()))
    return conditions


def _of_names(query: Query) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    for column, prefix in (("name", query.name_prefix), ("id", query.id_prefix)):
        if prefix:
            conditions.append(objects.c[column] >= prefix)
            conditions.append(objects.c[column] < prefix + "\U0010ffff")
    if query.name_part:
        conditions.append(objects.c.name.contains(query.name_part, autoescape=True))
    return conditions
