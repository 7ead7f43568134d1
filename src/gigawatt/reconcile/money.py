"""Prices, agreements and postings as they are put on record, and months as they are closed: nothing here is ever changed."""

from gigawatt.ledger import account as ledger
from gigawatt.model.bill import Closing, Invoice, Posting
from gigawatt.model.change import Entity
from gigawatt.model.money import (
    Agree,
    CloseMonth,
    KeepInvoice,
    Post,
    SetPrices,
    SettleMonth,
)
from gigawatt.model.prices import Agreement, PriceVersion
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.values import replace
from gigawatt.reconcile import storage
from gigawatt.reconcile.turn import Turn

DAY_MS = 86_400_000

OfBilling = SetPrices | Agree | Post | SettleMonth | CloseMonth | KeepInvoice


def command(turn: Turn, asked: OfBilling) -> Entity:
    """Raises RefusalError, having changed nothing."""
    match asked:
        case SetPrices():
            return set_prices(turn, asked)
        case Agree():
            return agree(turn, asked.agreement)
        case Post():
            return post(turn, asked.posting)
        case SettleMonth():
            return settle(turn, asked)
        case CloseMonth():
            return close(turn, asked.closing)
        case KeepInvoice():
            return keep(turn, asked.invoice)


def set_prices(turn: Turn, asked: SetPrices) -> PriceVersion:
    """The next version. It begins at a midnight to come, but for the first, of which nothing was charged yet."""
    version, before = asked.version, asked.newest
    _check_midnight(version.from_ms)
    number = before.number + 1 if before else 1
    if before is not None and before.currency != version.currency:
        raise RefusalError(
            RefusalCode.INVALID,
            f"prices are in {before.currency}; invoices and balances cannot change to {version.currency}",
            field="currency",
        )
    if before is not None and version.from_ms < turn.now_ms:
        raise _past("from")
    _check_open(turn, version.from_ms)
    after = turn.put(replace(version, id=f"{number:08d}", number=number, made_ms=turn.now_ms))
    turn.emit("prices.set", after, f"version {number} by {version.by}")
    return after


def agree(turn: Turn, agreement: Agreement) -> Agreement:
    """Put on record what was agreed with a tenant; it may begin in a month that is still open."""
    if agreement.tenant not in turn.world.tenants:
        raise RefusalError(
            RefusalCode.NOT_FOUND, f"there is no tenant {agreement.tenant}", field="tenant"
        )
    _check_midnight(agreement.from_ms)
    _check_open(turn, agreement.from_ms)
    after = turn.put(replace(agreement, made_ms=turn.now_ms))
    turn.emit("prices.agreed", after, f"agreement {agreement.number} by {agreement.by}")
    return after


def post(turn: Turn, posting: Posting) -> Posting:
    """Money that goes on the tenant's next invoice, after the last closing whatever the clocks say."""
    if posting.tenant not in turn.world.tenants:
        raise RefusalError(
            RefusalCode.NOT_FOUND, f"there is no tenant {posting.tenant}", field="tenant"
        )
    last = newest_closing(turn)
    at_ms = max(turn.now_ms, last.created_ms + 1 if last else 0)
    after = turn.put(replace(posting, created_ms=at_ms))
    what = "prepaid" if posting.prepaid else "adjustment"
    turn.emit("bill.posted", after, f"{what} of {posting.amount} by {posting.by}: {posting.reason}")
    return after


def settle(turn: Turn, asked: SettleMonth) -> Closing:
    """Account for all time up to now. Refused for a month that is not over, or not the next to be closed."""
    _check_next(turn, asked.month, asked.start_ms, asked.end_ms)
    for account in tuple(turn.world.accounts.values()):
        turn.account(ledger.settle(account, now_ms=turn.now_ms))
    for each in tuple(turn.world.storage.values()):
        storage.settle(turn, each)
    return Closing(
        id=asked.month,
        number=len(turn.world.closings) + 1,
        created_ms=turn.now_ms,
        start_ms=asked.start_ms,
        end_ms=asked.end_ms,
        entry_row=0,
        meter_row=0,
        by=asked.by,
    )


def close(turn: Turn, closing: Closing) -> Closing:
    """From now on the month's invoices are what they are. Closed again it stays as it was."""
    before = turn.world.closings.get(closing.id)
    if before is not None:
        return before
    _check_next(turn, closing.id, closing.start_ms, closing.end_ms)
    last = newest_closing(turn)
    at_ms = max(turn.now_ms, last.created_ms + 1 if last else 0)
    after = turn.put(replace(closing, number=len(turn.world.closings) + 1, created_ms=at_ms))
    turn.emit("bill.closed", after, f"{closing.id} by {closing.by}")
    return after


def keep(turn: Turn, invoice: Invoice) -> Invoice:
    """An invoice of a closed month. It does not depend on when it was worked out, so keeping it again changes nothing."""
    if invoice.month not in turn.world.closings:
        detail = f"{invoice.month} is not closed"
        raise RefusalError(RefusalCode.CONFLICT, detail, field="month")
    turn.put(invoice)
    turn.emit("bill.invoiced", invoice, f"{invoice.total} {invoice.currency}")
    return invoice


def newest_closing(turn: Turn) -> Closing | None:
    """The last month that was closed."""
    return max(turn.world.closings.values(), key=lambda each: each.id, default=None)


def _check_next(turn: Turn, month: str, start_ms: int, end_ms: int) -> None:
    if month in turn.world.closings:
        detail = f"{month} is closed"
        raise RefusalError(RefusalCode.CONFLICT, detail, field="month")
    last = newest_closing(turn)
    if last is not None and start_ms != last.end_ms:
        order = "before" if start_ms < last.end_ms else "after others"
        detail = (
            f"months are closed in order: {month} comes {order}, the last one closed is {last.id}"
        )
        raise RefusalError(RefusalCode.CONFLICT, detail, field="month")
    if turn.now_ms < end_ms:
        detail = f"{month} is not over"
        raise RefusalError(RefusalCode.CONFLICT, detail, field="month")


def _check_midnight(at_ms: int) -> None:
    if at_ms % DAY_MS:
        raise RefusalError(
            RefusalCode.INVALID,
            "prices change at a midnight of UTC",
            field="from",
            hint="write a day, e.g. 2026-12-01",
        )


def _check_open(turn: Turn, from_ms: int) -> None:
    last = newest_closing(turn)
    if last is not None and from_ms < last.end_ms:
        detail = f"{last.id} is closed: nothing of it can be priced anew"
        hint = "correct it by an adjustment: gw bill adjust"
        raise RefusalError(RefusalCode.CONFLICT, detail, field="from", hint=hint)


def _past(field: str) -> RefusalError:
    return RefusalError(
        RefusalCode.INVALID,
        "prices that are in force do not change: a new version begins at a midnight to come",
        field=field,
    )
