"""The overview: what the site does now, who waits, what is broken."""

from starlette.responses import Response

from gigawatt.console.page import Page
from gigawatt.console.visit import Shell, Visiting
from gigawatt.service import ledger
from gigawatt.service.ledger import LedgerFilter

PAGE = Page(name="overview")
LIVE = ("job.", "array.", "endpoint.", "node.")


@PAGE.shows("/")
async def overview(visit: Visiting) -> Response:
    """Everything at a glance."""
    totals = await ledger.totals(visit.caller, visit.services, LedgerFilter())
    shell = Shell(title="Overview", entry="overview", live=LIVE)
    return visit.page("overview/index.html", shell=shell, totals=totals)
