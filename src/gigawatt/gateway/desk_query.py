"""What lists of files and batches are asked for: a page after an id, in an order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar
from urllib.parse import parse_qsl

from gigawatt.gateway.errors import ErrorReply, malformed

LIMIT, LIMIT_MAX = 20, 10_000


class Listed(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=Listed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    after: str
    limit: int
    newest_first: bool
    filters: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    items: Sequence[T]
    more: bool


def query_of(target: bytes, *, filters: tuple[str, ...]) -> Query | ErrorReply:
    """The query of a request's target."""
    _, _, text = target.partition(b"?")
    given = dict(parse_qsl(text.decode("ascii", "replace")))
    limit, order = given.get("limit", str(LIMIT)), given.get("order", "desc")
    if not limit.isdigit() or not 1 <= int(limit[:9]) <= LIMIT_MAX:
        told = f"`limit` must be from 1 to {LIMIT_MAX}."
        return malformed(told, code="invalid_value", param="limit")
    if order not in {"asc", "desc"}:
        return malformed("`order` must be asc or desc.", code="invalid_value", param="order")
    return Query(
        after=given.get("after", ""),
        limit=int(limit),
        newest_first=order == "desc",
        filters={name: given[name] for name in filters if name in given},
    )


def page_of(newest_first: Sequence[T], query: Query) -> Page[T]:
    """The part that is asked for; after an id that is not there, nothing."""
    there = list(newest_first if query.newest_first else reversed(newest_first))
    if query.after:
        places = [n for n, each in enumerate(there) if each.id == query.after]
        there = there[places[0] + 1 :] if places else []
    return Page(items=there[: query.limit], more=len(there) > query.limit)
