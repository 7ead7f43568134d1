"""Invoices: drafts of the open month, months that are closed for good, and what goes on the next one."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from gigawatt import clock
from gigawatt.ledger.calendar import MONTH, month_end_ms, month_of, month_start_ms
from gigawatt.ledger.charges import conserved
from gigawatt.ledger.invoice import unpriced
from gigawatt.model.bill import Closing, Invoice
from gigawatt.model.money import CloseMonth, KeepInvoice, SettleMonth
from gigawatt.model.prices import Meter
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller
from gigawatt.model.values import replace
from gigawatt.service import billing
from gigawatt.service.billing import Books
from gigawatt.service.documents import Document, document
from gigawatt.service.lookup import Filters
from gigawatt.service.permissions import verb, within
from gigawatt.service.services import Services, Terms
from gigawatt.service.views.money import (
    ClosingView,
    InvoiceSummaryView,
    InvoiceView,
    StatementView,
    VerificationView,
    closing_view,
    invoice_view,
    summary_view,
)
from gigawatt.service.views.text import PageView
from gigawatt.store.base import Query

T = TypeVar("T")

KEPT_AT_ONCE = 50  # invoices on their way to the leader
UNPRICED_SHOWN = 5
CLOSED, DRAFT = "closed", "draft"


@verb
async def page(
    caller: Caller, services: Services, filters: Filters
) -> PageView[InvoiceSummaryView]:
    """Invoices of closed months, the newest first."""
    query = replace(filters.query(caller), project="")
    found = await services.read(lambda: services.store.page(Invoice, query))
    return PageView(
        items=[summary_view(each, status=CLOSED) for each in found.items], next=found.next
    )


@verb
async def show(caller: Caller, services: Services, month: str, *, tenant: str = "") -> InvoiceView:
    """One tenant's invoice for a month: as it was closed, or as it would be now. Raises RefusalError."""
    found, status = await _invoice(caller, services, month, tenant)
    return invoice_view(found, status=status)


@verb
async def content(
    caller: Caller, services: Services, month: str, *, tenant: str = "", form: str = "text"
) -> Document:
    """The invoice as a file: text, html, csv, focus (CSV) or parquet (FOCUS). Raises RefusalError."""
    found, _ = await _invoice(caller, services, month, tenant)
    issuer = services.instance.issuer
    return await services.read(lambda: document(found, form, issuer=issuer))


@verb
async def close(caller: Caller, services: Services, month: str, *, terms: Terms) -> ClosingView:
    """Close a month: its invoices are worked out, kept, and do not change any more. Asked again it goes on where it was.

    Raises RefusalError: for a month that is not over, out of order, or with use that has no price.
    """
    month = _month(month)
    found = await _compute(services, lambda: _closing(services, month))
    if found is None:
        found = await _close(caller, services, month, terms)
    made = await _compute(services, lambda: _worked_out(services, month))
    kept = {each.id for each in await _compute(services, lambda: _kept(services, month))}
    missing = [each for each in made if each.id not in kept]
    for start in range(0, len(missing), KEPT_AT_ONCE):
        part = missing[start : start + KEPT_AT_ONCE]
        await asyncio.gather(
            *(services.leader.submit(KeepInvoice(invoice=each), receipt=None) for each in part)
        )
    return closing_view(found, made)


@verb
async def verify(caller: Caller, services: Services, month: str) -> VerificationView:
    """Work the invoices of a closed month out anew, and tell those that are not what was kept. Raises RefusalError."""
    month = _month(month)
    if await _compute(services, lambda: _closing(services, month)) is None:
        raise RefusalError(RefusalCode.CONFLICT, f"{month} is not closed", field="month")
    made = {
        each.id: each for each in await _compute(services, lambda: _worked_out(services, month))
    }
    kept = {each.id: each for each in await _compute(services, lambda: _kept(services, month))}
    differing = sorted(each for each in {*made, *kept} if made.get(each) != kept.get(each))
    return VerificationView(
        month=month, invoices=len(kept), differing=tuple(differing), ok=not differing
    )


@verb
async def statement(
    caller: Caller, services: Services, month: str, *, unit: str = "gpu"
) -> StatementView:
    """Who answers for the device time of a month; the parts sum to what was installed. Raises RefusalError."""
    month = _month(month)
    if unit not in {Meter.GPU, Meter.CPU}:
        raise RefusalError(
            RefusalCode.INVALID, f"unit must be gpu or cpu, not {unit}", field="unit"
        )

    def read() -> StatementView:
        found = billing.books(services.store, month, now_ms=clock.now_ms())
        used = billing.month_quantities(services.store, found)
        sums = conserved(tuple(each for each in used if not each.late), Meter(unit))
        return StatementView(
            month=month,
            unit="milli_gpu_ms" if unit == Meter.GPU else "milli_core_ms",
            installed=sums.installed,
            charged=sums.charged,
            not_charged=sums.not_charged,
            idle=sums.idle,
            ours=sums.ours,
        )

    return await _compute(services, read)


async def _close(caller: Caller, services: Services, month: str, terms: Terms) -> Closing:
    """Settle every account, check that all has a price, and close the month at the rows that are there by then."""
    asked = SettleMonth(
        month=month, start_ms=month_start_ms(month), end_ms=month_end_ms(month), by=caller.name
    )
    settled = await services.leader.submit(asked, receipt=None)
    assert isinstance(settled, Closing)
    entry_row, meter_row = await services.read(services.store.metered_rows)
    closing = replace(settled, entry_row=entry_row, meter_row=meter_row)
    await _compute(services, lambda: _check_priced(services, month))
    made = await services.leader.submit(
        CloseMonth(closing=closing), receipt=terms.receipt(caller.tenant)
    )
    assert isinstance(made, Closing)
    return made


def _check_priced(services: Services, month: str) -> None:
    found = billing.books(services.store, month, now_ms=clock.now_ms())
    used = (each for each in billing.month_quantities(services.store, found) if each.tenant)
    missing = sorted(unpriced(used, found.rates))
    if missing:
        told = ", ".join(" ".join(each) for each in missing[:UNPRICED_SHOWN])
        more = f" and {len(missing) - UNPRICED_SHOWN} more" if len(missing) > UNPRICED_SHOWN else ""
        raise RefusalError(
            RefusalCode.CONFLICT,
            f"{month} has use without a price: {told}{more}",
            field="month",
            hint="give it a price, which may be 0: gw prices set FILE",
        )


async def _invoice(
    caller: Caller, services: Services, month: str, tenant: str
) -> tuple[Invoice, str]:
    month = _month(month)
    asked, project = within(caller, tenant, "")
    if project:
        raise RefusalError(
            RefusalCode.FORBIDDEN,
            "invoices are the tenant's; this key is for one project",
            hint="gw bill costs shows what the project used",
        )
    name = asked or caller.tenant

    def read() -> tuple[Invoice, str]:
        kept = services.store.read(Invoice, f"{month}/{name}")
        if kept is not None:
            return kept, CLOSED
        found = billing.books(services.store, month, now_ms=clock.now_ms())
        if found.period.start_ms > found.period.created_ms:
            raise RefusalError(RefusalCode.INVALID, f"{month} has not begun", field="month")
        made = billing.invoices(services.store, found, tenant=name)
        if not made:
            raise RefusalError(
                RefusalCode.NOT_FOUND, f"{name} has used nothing in {month}", field="month"
            )
        return made[0], DRAFT

    return await _compute(services, read)


def _closing(services: Services, month: str) -> Closing | None:
    return services.store.read(Closing, month)


def _worked_out(services: Services, month: str) -> tuple[Invoice, ...]:
    found: Books = billing.books(services.store, month, now_ms=clock.now_ms())
    return billing.invoices(services.store, found)


def _kept(services: Services, month: str) -> list[Invoice]:
    return list(billing.every(services.store, Invoice, Query(parent=month)))


def _month(text: str) -> str:
    """The month asked for: 2026-11, or `now`."""
    if text == "now":
        return month_of(clock.now_ms())
    if not MONTH.fullmatch(text):
        raise RefusalError(
            RefusalCode.INVALID, f"{text} is no month", field="month", hint="write it as 2026-11"
        )
    return text


async def _compute(services: Services, work: Callable[[], T]) -> T:
    """What takes a while for a large site has a thread of its own: other reads do not wait behind it."""
    return await asyncio.to_thread(work)
