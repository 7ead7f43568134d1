"""Every page, a line for each. What is not listed here is not served, and its entry in the navigation not shown."""

from gigawatt.console.page import Page
from gigawatt.console.pages import job, jobs, overview, queue, search, sign_in

PAGES: tuple[Page, ...] = (
    sign_in.PAGE,
    search.PAGE,
    overview.PAGE,
    jobs.PAGE,
    job.PAGE,
    queue.PAGE,
)
