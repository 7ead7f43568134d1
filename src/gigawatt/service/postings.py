"""Adjustments and payments in advance: money that goes on a tenant's next invoice."""

from decimal import Decimal
from fractions import Fraction

from gigawatt import clock
from gigawatt.ledger.rates import currency_of, rounded
from gigawatt.model.bill import Posting
from gigawatt.model.ids import RANDOM_BYTES, make_id
from gigawatt.model.money import Post
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller
from gigawatt.model.values import replace
from gigawatt.service import billing
from gigawatt.service.lookup import Filters
from gigawatt.service.permissions import verb
from gigawatt.service.services import Services, Terms
from gigawatt.service.views.money import PostingView, posting_view
from gigawatt.service.views.text import PageView
from gigawatt.spec.money import PostingForm


@verb
async def page(caller: Caller, services: Services, filters: Filters) -> PageView[PostingView]:
    """Adjustments and payments, the newest first."""
    query = replace(filters.query(caller), project="")
    found = await services.read(lambda: services.store.page(Posting, query))
    return PageView(items=[posting_view(each) for each in found.items], next=found.next)


@verb
async def make(
    caller: Caller, services: Services, form: PostingForm, *, terms: Terms
) -> PostingView:
    """Put an adjustment, or a payment in advance, on a tenant's next invoice. Raises RefusalError."""
    await services.read(lambda: _check_coins(services, form.amount))
    posting = Posting(
        id=make_id("post", now_ms=clock.now_ms(), entropy=clock.entropy(RANDOM_BYTES)),
        tenant=form.tenant,
        created_ms=clock.now_ms(),
        amount=form.amount,
        reason=form.reason,
        by=caller.name,
        month=form.month,
        prepaid=form.prepaid,
    )
    made = await services.leader.submit(Post(posting=posting), receipt=terms.receipt(caller.tenant))
    assert isinstance(made, Posting)
    return posting_view(made)


def _check_coins(services: Services, amount: Decimal) -> None:
    """What is posted can be paid: it has no more places than the currency's smallest coin."""
    currency = currency_of(billing.read_rates(services.store), clock.now_ms())
    if not currency:
        raise RefusalError(
            RefusalCode.CONFLICT,
            "nothing has a price yet, so there is no currency",
            hint="gw prices set FILE",
        )
    if rounded(Fraction(amount), currency) != amount:
        detail = f"{amount} is less than the smallest coin of {currency} tells"
        raise RefusalError(RefusalCode.INVALID, detail, field="amount")
