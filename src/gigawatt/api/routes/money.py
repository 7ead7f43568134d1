"""Prices, invoices, costs and budgets: /v1/prices, /v1/agreements, /v1/invoices, /v1/closings, /v1/postings, /v1/costs, /v1/budgets."""

from starlette.responses import Response

from gigawatt.api.call import Call
from gigawatt.api.money_queries import Checking, Costs, Download, OfBudget, OfTenant, OfUnit
from gigawatt.api.operations import Operation, Routes
from gigawatt.api.queries import Listing, Nothing
from gigawatt.api.replies import nothing, page_reply, reply
from gigawatt.service import agreements, budgets, costs, invoices, postings, prices
from gigawatt.service.views.money import (
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
from gigawatt.service.views.text import PageView
from gigawatt.spec.money import AgreementForm, BookForm, BudgetForm, ClosingForm, PostingForm
from gigawatt.spec.requests import parse_request

ROUTES = Routes()


@ROUTES.add(
    "GET",
    "/v1/prices",
    Operation(
        verb="prices.page",
        summary="List the versions of the price book, newest first",
        responds=PageView[PriceVersionView],
    ),
)
async def list_prices(call: Call, query: Listing) -> Response:
    return page_reply(await prices.page(call.caller, call.services, query.filters()))


@ROUTES.add(
    "POST",
    "/v1/prices",
    Operation(
        verb="prices.put",
        summary="Add a version of the price book",
        responds=PriceVersionView,
        status=201,
        also={200: PriceCheckView},
        accepts=BookForm,
        dry_run="prices.check",
        writes=True,
    ),
)
async def set_prices(call: Call, query: Checking) -> Response:
    form = parse_request(BookForm, await call.body())
    if query.dry_run:
        return reply(await prices.check(call.caller, call.services, form))
    terms = await call.terms()
    return reply(await prices.put(call.caller, call.services, form, terms=terms), status=201)


@ROUTES.add(
    "GET",
    "/v1/agreements",
    Operation(
        verb="agreements.page",
        summary="List what was agreed with tenants, newest first",
        responds=PageView[AgreementView],
    ),
)
async def list_agreements(call: Call, query: Listing) -> Response:
    return page_reply(await agreements.page(call.caller, call.services, query.filters()))


@ROUTES.add(
    "POST",
    "/v1/agreements",
    Operation(
        verb="agreements.make",
        summary="Put on record what was agreed with a tenant",
        responds=AgreementView,
        status=201,
        accepts=AgreementForm,
        writes=True,
    ),
)
async def agree(call: Call, query: Nothing) -> Response:
    form = parse_request(AgreementForm, await call.body())
    terms = await call.terms()
    return reply(await agreements.make(call.caller, call.services, form, terms=terms), status=201)


@ROUTES.add(
    "GET",
    "/v1/invoices",
    Operation(
        verb="invoices.page",
        summary="List invoices of closed months, newest first",
        responds=PageView[InvoiceSummaryView],
    ),
)
async def list_invoices(call: Call, query: Listing) -> Response:
    return page_reply(await invoices.page(call.caller, call.services, query.filters()))


@ROUTES.add(
    "GET",
    "/v1/invoices/{month}",
    Operation(
        verb="invoices.show",
        summary="Show a tenant's invoice for a month; of an open month, what it would be now",
        responds=InvoiceView,
    ),
)
async def show_invoice(call: Call, month: str, query: OfTenant) -> Response:
    return reply(await invoices.show(call.caller, call.services, month, tenant=query.tenant))


@ROUTES.add(
    "GET",
    "/v1/invoices/{month}/document",
    Operation(
        verb="invoices.content",
        summary="Read an invoice as text, HTML, CSV, or FOCUS as CSV or Parquet",
        media_type="application/octet-stream",
    ),
)
async def download_invoice(call: Call, month: str, query: Download) -> Response:
    found = await invoices.content(
        call.caller, call.services, month, tenant=query.tenant, form=query.format
    )
    headers = {"Content-Disposition": f'attachment; filename="{found.file_name}"'}
    return Response(found.content, media_type="application/octet-stream", headers=headers)


@ROUTES.add(
    "POST",
    "/v1/closings",
    Operation(
        verb="invoices.close",
        summary="Close a month: its invoices do not change any more",
        responds=ClosingView,
        status=201,
        accepts=ClosingForm,
        writes=True,
    ),
)
async def close_month(call: Call, query: Nothing) -> Response:
    form = parse_request(ClosingForm, await call.body())
    terms = await call.terms()
    view = await invoices.close(call.caller, call.services, form.month, terms=terms)
    return reply(view, status=201)


@ROUTES.add(
    "GET",
    "/v1/closings/{month}/verification",
    Operation(
        verb="invoices.verify",
        summary="Work the invoices of a closed month out anew, and compare",
        responds=VerificationView,
    ),
)
async def verify_month(call: Call, month: str, query: Nothing) -> Response:
    return reply(await invoices.verify(call.caller, call.services, month))


@ROUTES.add(
    "GET",
    "/v1/statements/{month}",
    Operation(
        verb="invoices.statement",
        summary="Show who answers for the device time of a month",
        responds=StatementView,
    ),
)
async def show_statement(call: Call, month: str, query: OfUnit) -> Response:
    return reply(await invoices.statement(call.caller, call.services, month, unit=query.unit))


@ROUTES.add(
    "GET",
    "/v1/postings",
    Operation(
        verb="postings.page",
        summary="List adjustments and payments in advance, newest first",
        responds=PageView[PostingView],
    ),
)
async def list_postings(call: Call, query: Listing) -> Response:
    return page_reply(await postings.page(call.caller, call.services, query.filters()))


@ROUTES.add(
    "POST",
    "/v1/postings",
    Operation(
        verb="postings.make",
        summary="Put an adjustment or a payment in advance on a tenant's next invoice",
        responds=PostingView,
        status=201,
        accepts=PostingForm,
        writes=True,
    ),
)
async def post(call: Call, query: Nothing) -> Response:
    form = parse_request(PostingForm, await call.body())
    terms = await call.terms()
    return reply(await postings.make(call.caller, call.services, form, terms=terms), status=201)


@ROUTES.add(
    "GET",
    "/v1/costs",
    Operation(
        verb="costs.totals",
        summary="Sum what was used and what it cost, by subjects",
        responds=CostsView,
    ),
)
async def show_costs(call: Call, query: Costs) -> Response:
    return reply(await costs.totals(call.caller, call.services, query.filter()))


@ROUTES.add(
    "GET",
    "/v1/budgets",
    Operation(
        verb="budgets.page",
        summary="List budgets and what is spent of them",
        responds=PageView[BudgetView],
    ),
)
async def list_budgets(call: Call, query: Listing) -> Response:
    return page_reply(await budgets.page(call.caller, call.services, query.filters()))


@ROUTES.add(
    "PUT",
    "/v1/budgets",
    Operation(
        verb="budgets.put",
        summary="Make or change the budget of a project or a tenant",
        responds=BudgetView,
        accepts=BudgetForm,
        writes=True,
        versioned=True,
    ),
)
async def set_budget(call: Call, query: Nothing) -> Response:
    form = parse_request(BudgetForm, await call.body())
    terms = await call.terms()
    view = await budgets.put(call.caller, call.services, form, terms=terms)
    return reply(view, version=view.version)


@ROUTES.add(
    "DELETE",
    "/v1/budgets",
    Operation(
        verb="budgets.remove",
        summary="Take a budget away",
        status=204,
        writes=True,
        versioned=True,
    ),
)
async def remove_budget(call: Call, query: OfBudget) -> Response:
    terms = await call.terms()
    await budgets.remove(
        call.caller, call.services, tenant=query.tenant, project=query.project, terms=terms
    )
    return nothing()
