"""Where a page ended: opaque to callers, and good only for the query that it came from."""

import base64
import binascii
import hashlib
import json
from dataclasses import asdict

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.store.base import Query
from gigawatt.store.terms import INT64_MAX, term


def write_cursor(kind: str, query: Query, *, created_ms: int, id: str) -> str:
    text = json.dumps([_digest(kind, query), created_ms, id], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(kind: str, query: Query) -> tuple[int, str]:
    """`created_ms` and `id` of the last object of the page before. Raises RefusalError with the field `cursor`."""
    try:
        padding = "=" * (-len(query.cursor) % 4)
        fields = json.loads(base64.urlsafe_b64decode(query.cursor + padding))
    except (binascii.Error, ValueError):
        raise _refused("is not one that a list gave") from None
    match fields:
        case [str() as digest, int() as created_ms, str() as id] if abs(created_ms) <= INT64_MAX:
            if digest != _digest(kind, query):
                raise _refused("belongs to a list with other filters")
            return created_ms, term(id)
        case _:
            raise _refused("is not one that a list gave")


def _digest(kind: str, query: Query) -> str:
    filters = {**asdict(query), "cursor": "", "limit": 0, "kind": kind}
    return hashlib.sha256(json.dumps(filters, sort_keys=True).encode()).hexdigest()[:16]


def _refused(problem: str) -> RefusalError:
    return RefusalError(
        RefusalCode.INVALID,
        f"the cursor {problem}",
        field="cursor",
        hint="ask for the first page again, without a cursor",
    )
