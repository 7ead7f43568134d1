"""Prices, invoices, costs and budgets."""

from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import quote

from gigawatt.sdk.money_views import (
    AgreementView,
    BudgetView,
    ClosingView,
    CostsView,
    InvoiceSummaryView,
    InvoiceView,
    PostingView,
    PriceCheckView,
    PriceVersionView,
    StatementView,
    VerificationView,
)
from gigawatt.sdk.transport import Transport
from gigawatt.sdk.views import Page

CLOSING_S = 600.0  # that a large site may take over a month


class Prices:
    """`client.prices`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def page(self, **filters: Any) -> Page[PriceVersionView]:
        """Versions of the price book, the newest first. Raises ApiError, UnreachableError."""
        return cast("Page[PriceVersionView]", self._transport.read("/v1/prices", filters))

    def set(self, book: dict[str, Any]) -> PriceVersionView:
        """Add a version. Raises ApiError, UnreachableError."""
        return cast("PriceVersionView", self._transport.write("POST", "/v1/prices", book))

    def check(self, book: dict[str, Any]) -> PriceCheckView:
        """What a version would be, and what of the last weeks' use would have no price. Raises ApiError, UnreachableError."""
        params = {"dry_run": "true"}
        found = self._transport.write("POST", "/v1/prices", book, params=params)
        return cast("PriceCheckView", found)

    def agreements(self, **filters: Any) -> Page[AgreementView]:
        """What was agreed with tenants, the newest first. Raises ApiError, UnreachableError."""
        return cast("Page[AgreementView]", self._transport.read("/v1/agreements", filters))

    def agree(self, agreement: dict[str, Any]) -> AgreementView:
        """Put on record what was agreed with a tenant. Raises ApiError, UnreachableError."""
        return cast("AgreementView", self._transport.write("POST", "/v1/agreements", agreement))


class Bills:
    """`client.bills`. A month is written as 2026-11; `now` is the present one."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def page(self, **filters: Any) -> Page[InvoiceSummaryView]:
        """Invoices of closed months, the newest first. Raises ApiError, UnreachableError."""
        return cast("Page[InvoiceSummaryView]", self._transport.read("/v1/invoices", filters))

    def find(self, month: str, *, tenant: str = "") -> InvoiceView:
        """An invoice, or of an open month what it would be now. Raises ApiError, UnreachableError."""
        params = {"tenant": tenant} if tenant else {}
        path = f"/v1/invoices/{quote(month, safe='')}"
        return cast("InvoiceView", self._transport.read(path, params, answer_s=CLOSING_S))

    def download(self, month: str, *, tenant: str = "", format: str = "text") -> bytes:
        """An invoice as text, csv, focus or parquet. Raises ApiError, UnreachableError."""
        params = {"format": format, **({"tenant": tenant} if tenant else {})}
        path = f"/v1/invoices/{quote(month, safe='')}/document"
        return self._transport.read_bytes(path, params)

    def close(self, month: str) -> ClosingView:
        """Close a month for good. Raises ApiError, UnreachableError."""
        return cast("ClosingView", self._transport.write("POST", "/v1/closings", {"month": month}))

    def verify(self, month: str) -> VerificationView:
        """Work a closed month out anew, and compare. Raises ApiError, UnreachableError."""
        path = f"/v1/closings/{quote(month, safe='')}/verification"
        return cast("VerificationView", self._transport.read(path, answer_s=CLOSING_S))

    def statement(self, month: str, *, unit: str = "gpu") -> StatementView:
        """Who answers for the device time of a month. Raises ApiError, UnreachableError."""
        path = f"/v1/statements/{quote(month, safe='')}"
        return cast("StatementView", self._transport.read(path, {"unit": unit}, answer_s=CLOSING_S))

    def post(self, tenant: str, amount: str, reason: str, **terms: Any) -> PostingView:
        """Put money on a tenant's next invoice; `month`, `prepaid`. Raises ApiError, UnreachableError."""
        body = {"tenant": tenant, "amount": amount, "reason": reason, **terms}
        return cast("PostingView", self._transport.write("POST", "/v1/postings", body))

    def postings(self, **filters: Any) -> Page[PostingView]:
        """Adjustments and payments, the newest first. Raises ApiError, UnreachableError."""
        return cast("Page[PostingView]", self._transport.read("/v1/postings", filters))

    def costs(self, *, by: Sequence[str] = (), **filters: Any) -> CostsView:
        """What was used and what it cost, summed by subjects; `since`, `until`, `tenant`, `project`. Raises ApiError,
        UnreachableError.
        """
        params = {**self._transport.place, **filters, "by": list(by)}
        return cast("CostsView", self._transport.read("/v1/costs", params, answer_s=CLOSING_S))


class Budgets:
    """`client.budgets`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def page(self, **filters: Any) -> Page[BudgetView]:
        """Budgets and what is spent of them. Raises ApiError, UnreachableError."""
        params = {**self._transport.place, **filters}
        return cast("Page[BudgetView]", self._transport.read("/v1/budgets", params))

    def set(self, **terms: Any) -> BudgetView:
        """Make or change a budget, as a whole: project, tenant, amount, tokens, thresholds, refuses, stops, grace.
        Raises ApiError, UnreachableError.
        """
        return cast("BudgetView", self._transport.write("PUT", "/v1/budgets", terms))

    def remove(self, *, project: str = "", tenant: str = "") -> None:
        """Take a budget away. Raises ApiError, UnreachableError."""
        params = {name: each for name, each in (("project", project), ("tenant", tenant)) if each}
        self._transport.write("DELETE", "/v1/budgets", params=params)
