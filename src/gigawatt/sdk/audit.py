"""The audit record."""

from collections.abc import Iterator
from typing import Any, TypedDict, cast

from gigawatt.sdk.transport import Transport
from gigawatt.sdk.views import Page

PAGE_LIMIT = 1_000


class AuditView(TypedDict):
    """`count` of the same shortly after each other."""

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


class AuditCheckView(TypedDict):
    """Counts are 0 but for operators."""

    whole: bool
    records: int
    first_seq: int
    head_seq: int
    head_hash: str
    broken_seq: int
    problem: str


class Audit:
    """`client.audit`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def page(self, **filters: Any) -> Page[AuditView]:
        """One page, newest first. Raises ApiError, UnreachableError."""
        return cast("Page[AuditView]", self._transport.read("/v1/audit", filters))

    def all(self, **filters: Any) -> Iterator[AuditView]:
        """Every record, newest first, page by page. Raises ApiError, UnreachableError."""
        cursor = ""
        while True:
            more = {"cursor": cursor} if cursor else {}
            page = self.page(limit=PAGE_LIMIT, **filters, **more)
            yield from page["items"]
            cursor = page["next"]
            if not cursor:
                return

    def check(self) -> AuditCheckView:
        """Whether the record is whole. Raises ApiError, UnreachableError."""
        return cast("AuditCheckView", self._transport.read("/v1/audit/check"))
