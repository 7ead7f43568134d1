"""Every page, a line for each. What is not listed here is not served, and its entry in the navigation not shown."""

from gigawatt.console.page import Page
from gigawatt.console.pages import (
    endpoints,
    jobs,
    models,
    overview,
    search,
    sign_in,
    tenants,
    workspaces,
)

PAGES: tuple[Page, ...] = (
    sign_in.PAGE,
    search.PAGE,
    overview.PAGE,
    jobs.PAGE,
    endpoints.PAGE,
    models.PAGE,
    workspaces.PAGE,
    tenants.PAGE,
)
