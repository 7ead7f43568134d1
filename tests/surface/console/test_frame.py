"""What every page has: signing in and out, keys, theme, search, refusals; and that nothing runs that should not."""

import pytest
from benchmarks.http import Api

from tests.surface.console.browsing import Visitor, needs_chromium
from tests.surface.console.work import FOREVER, Work
from tests.surface.server.daily import end
from tests.surface.server.jobs import submit

pytestmark = [pytest.mark.slow, needs_chromium]


def test_a_browser_signs_in_by_a_key_and_out_again(stranger: Visitor) -> None:
    page = stranger.page
    stranger.go("/")
    assert "/console/sign-in" in page.url
    stranger.check("sign-in")
    page.get_by_label("API key").fill("gw_wrong")
    stranger.expected.append("the server responded with a status of 401")
    page.get_by_role("button", name="Sign in").click()
    assert "not known" in (page.get_by_role("alert").text_content() or "")
    page.get_by_label("API key").fill(stranger.instance.token)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/console/")
    page.locator(".me summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/console/sign-in")
    assert "signed out" in (page.get_by_role("status").text_content() or "")
    stranger.go("/")
    assert "/console/sign-in" in page.url


def test_an_overview(visitor: Visitor, work: Work) -> None:
    visitor.go("/")
    visitor.check("overview")


def test_a_page_changes_while_it_is_open(visitor: Visitor, api: Api) -> None:
    """What an event changes is seen without anyone asking for the page again, and one's own reading is not disturbed."""
    page = visitor.page
    visitor.go("/jobs")
    page.get_by_label("Name").fill("half a w")
    job = submit(api, FOREVER, name="came-later")
    page.get_by_role("link", name="came-later").wait_for()
    row = page.get_by_role("row").filter(has_text="came-later")
    row.get_by_text("running").wait_for()
    assert page.get_by_label("Name").input_value() == "half a w"
    end(api, job)
    row.get_by_text("cancelled").wait_for()
