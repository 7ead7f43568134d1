"""Every page, a line for each. What is not listed here is not served, and its entry in the navigation not shown."""

from gigawatt.console.page import Page
from gigawatt.console.pages import fleet, jobs, nodes, overview, search, sign_in, twin

PAGES: tuple[Page, ...] = (
    sign_in.PAGE,
    search.PAGE,
    overview.PAGE,
    jobs.PAGE,
    fleet.PAGE,
    nodes.PAGE,
    twin.PAGE,
)
