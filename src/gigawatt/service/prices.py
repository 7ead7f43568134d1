"""The price book and what was agreed with tenants: versions that are added and never changed."""

from collections.abc import Iterable

from gigawatt import clock
from gigawatt.ledger.calendar import month_of, month_start_ms
from gigawatt.ledger.invoice import unpriced
from gigawatt.ledger.rates import Rates
from gigawatt.model.ledger import DAY_MS
from gigawatt.model.money import SetPrices
from gigawatt.model.prices import PriceVersion
from gigawatt.model.tenant import Caller
from gigawatt.model.values import replace
from gigawatt.service.billing import every, quantities
from gigawatt.service.lookup import Filters
from gigawatt.service.permissions import verb
from gigawatt.service.services import Services, Terms
from gigawatt.service.views.money import (
    PriceCheckView,
    PriceVersionView,
    UnpricedView,
    version_view,
)
from gigawatt.service.views.text import PageView
from gigawatt.spec.money import BookForm
from gigawatt.store.base import MeterQuery, Query

CHECKED_MS = 31 * DAY_MS  # of use that a book is held against


@verb
async def page(caller: Caller, services: Services, filters: Filters) -> PageView[PriceVersionView]:
    """Every version of the price book, the newest first; prices of the book are no secret from tenants."""
    query = Query(cursor=filters.cursor, limit=filters.limit)
    found = await services.read(lambda: services.store.page(PriceVersion, query))
    return PageView(items=[version_view(each) for each in found.items], next=found.next)


@verb
async def put(
    caller: Caller, services: Services, form: BookForm, *, terms: Terms
) -> PriceVersionView:
    """Add a version. Raises RefusalError."""
    newest = await services.read(lambda: _newest(services))
    version = _version(caller, form, newest)
    command = SetPrices(version=version, newest=newest)
    made = await services.leader.submit(command, receipt=terms.receipt(caller.tenant))
    assert isinstance(made, PriceVersion)
    return version_view(made)


@verb
async def check(caller: Caller, services: Services, form: BookForm) -> PriceCheckView:
    """What a version would be, and what was used of late and would have no price."""
    newest = await services.read(lambda: _newest(services))
    version = _version(caller, form, newest)
    now_ms = clock.now_ms()

    def read() -> tuple[UnpricedView, ...]:
        used = quantities(
            services.store, MeterQuery(since_ms=max(now_ms - CHECKED_MS, 0)), now_ms=now_ms
        )
        rates = Rates([_since_ever(version)], ())
        return unpriced_views(unpriced(used, rates))

    return PriceCheckView(version=version_view(version), unpriced=await services.read(read))


def unpriced_views(keys: Iterable[tuple[str, ...]]) -> tuple[UnpricedView, ...]:
    """Things without a price, sorted."""
    return tuple(UnpricedView(meter=meter, sku=sku, plan=plan) for meter, sku, plan in sorted(keys))


def _newest(services: Services) -> PriceVersion | None:
    return max(every(services.store, PriceVersion), key=lambda each: each.number, default=None)


def _version(caller: Caller, form: BookForm, newest: PriceVersion | None) -> PriceVersion:
    now_ms = clock.now_ms()
    next_day_ms = (now_ms // DAY_MS + 1) * DAY_MS
    from_ms = form.from_ or (next_day_ms if newest else month_start_ms(month_of(now_ms)))
    number = newest.number + 1 if newest else 1
    return PriceVersion(
        id=f"{number:08d}",
        number=number,
        currency=form.currency,
        from_ms=from_ms,
        prices=form.prices(),
        made_ms=now_ms,
        by=caller.name,
        tiers=form.tiers(),
        note=form.note,
    )


def _since_ever(version: PriceVersion) -> PriceVersion:
    """The version as if it had always held."""
    return replace(version, from_ms=0)
