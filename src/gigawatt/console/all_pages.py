"""Every page, a line for each. What is not listed here is not served, and its entry in the navigation not shown."""

from gigawatt.console.page import Page
from gigawatt.console.pages import (
    endpoints,
    fleet,
    job,
    jobs,
    models,
    nodes,
    overview,
    queue,
    search,
    sign_in,
    tenants,
    twin,
    workspaces,
)

PAGES: tuple[Page, ...] = (
    sign_in.PAGE,
    search.PAGE,
    overview.PAGE,
    jobs.PAGE,
    job.PAGE,
    queue.PAGE,
    endpoints.PAGE,
    models.PAGE,
    workspaces.PAGE,
    fleet.PAGE,
    nodes.PAGE,
    twin.PAGE,
    tenants.PAGE,
)
