"""What callers look for, made such that both databases can be asked: then what cannot exist is simply not found."""

import re
from dataclasses import fields, replace
from typing import Any, TypeVar

from gigawatt.store.base import EventQuery, LedgerQuery, MeterQuery, Query

Q = TypeVar("Q", Query, EventQuery, LedgerQuery, MeterQuery)

INT64_MAX = (1 << 63) - 1

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def askable(query: Q) -> Q:
    """The query with every field `term` or `number`."""
    return replace(
        query, **{field.name: _askable(getattr(query, field.name)) for field in fields(query)}
    )


def term(value: str) -> str:
    """NUL, which PostgreSQL's text cannot hold, and lone surrogates, which UTF-8 cannot, as a mark that names nothing."""
    return _UNSTORABLE.sub("\ufffd", value)


def number(value: int) -> int:
    """The nearest that fits into 64 bits."""
    return max(-INT64_MAX, min(value, INT64_MAX))


def _askable(value: Any) -> Any:
    match value:
        case str():
            return term(value)
        case bool():
            return value
        case int():
            return number(value)
        case _:
            return tuple(term(each) for each in value)
