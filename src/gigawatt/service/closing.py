"""Closing months by itself, some days after their end: by the leader alone, as anybody who operates the site would."""

from gigawatt.ledger.calendar import month_after, month_before, month_end_ms, month_of
from gigawatt.ledger.calendar import month_start_ms as start_ms
from gigawatt.model.ledger import DAY_MS
from gigawatt.model.tenant import DEFAULT_TENANT, Caller, Role
from gigawatt.service import invoices
from gigawatt.service.billing import closings
from gigawatt.service.services import Services, Terms
from gigawatt.service.views.money import ClosingView

CLOSER = Caller(name="month-close", role=Role.OPERATOR, tenant=DEFAULT_TENANT, project="")


async def close_due(services: Services, *, days: int, at_ms: int) -> ClosingView | None:
    """Close the oldest month that has been over for so many days; None where none is due. Raises RefusalError.

    A closing that was cut short before all of its invoices were kept is finished first, whoever began it.
    """
    known = await services.read(lambda: closings(services.store))
    due = month_before(start_ms(month_of(at_ms - days * DAY_MS)))
    if not known:
        return await invoices.close(CLOSER, services, due, terms=Terms())
    last = known[-1].id
    month = month_after(last)
    if month_end_ms(month) + days * DAY_MS > at_ms:
        return None
    await invoices.close(CLOSER, services, last, terms=Terms())
    return await invoices.close(CLOSER, services, month, terms=Terms())
