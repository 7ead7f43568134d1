"""What was agreed with tenants about prices: added, and never changed."""

from gigawatt import clock
from gigawatt.ledger.calendar import month_of, month_start_ms
from gigawatt.model.money import Agree
from gigawatt.model.prices import Agreement
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller
from gigawatt.service.billing import every
from gigawatt.service.lookup import Filters
from gigawatt.service.permissions import verb
from gigawatt.service.services import Services, Terms
from gigawatt.service.views.money import AgreementView, agreement_view
from gigawatt.service.views.text import PageView
from gigawatt.spec.money import AgreementForm
from gigawatt.store.base import Query


@verb
async def page(caller: Caller, services: Services, filters: Filters) -> PageView[AgreementView]:
    """What was agreed with the tenants that the caller can see, the newest first."""
    query = filters.query(caller)
    query = Query(tenant=query.tenant, cursor=query.cursor, limit=query.limit)
    found = await services.read(lambda: services.store.page(Agreement, query))
    return PageView(items=[agreement_view(each) for each in found.items], next=found.next)


@verb
async def make(
    caller: Caller, services: Services, form: AgreementForm, *, terms: Terms
) -> AgreementView:
    """Put an agreement on record; it takes the place of the tenant's last one from then on. Raises RefusalError."""
    query = Query(tenant=form.tenant)
    known = await services.read(lambda: list(every(services.store, Agreement, query)))
    number = max((each.number for each in known), default=0) + 1
    now_ms = clock.now_ms()
    from_ms = form.from_ or month_start_ms(month_of(now_ms))
    if form.until and form.until <= from_ms:
        raise RefusalError(RefusalCode.INVALID, "it ends before it begins", field="until")
    agreement = Agreement(
        id=f"{form.tenant}/{number:08d}",
        tenant=form.tenant,
        number=number,
        from_ms=from_ms,
        until_ms=form.until,
        made_ms=now_ms,
        by=caller.name,
        discount=form.discount,
        prices=form.prices(),
        commitment=form.commitment,
        note=form.note,
    )
    made = await services.leader.submit(
        Agree(agreement=agreement), receipt=terms.receipt(caller.tenant)
    )
    assert isinstance(made, Agreement)
    return agreement_view(made)
