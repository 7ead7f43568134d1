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


def test_keys_lead_to_pages_and_to_the_search_box(visitor: Visitor, work: Work) -> None:
    page = visitor.page
    visitor.go("/")
    page.keyboard.press("g")
    page.keyboard.press("j")
    page.wait_for_url("**/console/jobs")
    page.keyboard.press("?")
    page.get_by_role("heading", name="Keyboard").wait_for()
    assert visitor.violations() == []
    page.keyboard.press("Escape")
    page.get_by_role("heading", name="Keyboard").wait_for(state="hidden")
    page.keyboard.press("/")
    page.keyboard.type("gone")
    page.keyboard.press("Enter")
    page.get_by_text("Nothing is called").wait_for()
    visitor.check("search-none")


def test_what_is_searched_by_its_beginning_is_listed(visitor: Visitor, work: Work) -> None:
    visitor.go("/search?q=train")
    assert visitor.page.locator("tbody tr").count() == 2
    visitor.check("search")


def test_a_chosen_theme_stays_without_a_flash_of_the_other(visitor: Visitor) -> None:
    page = visitor.page
    visitor.go("/")
    page.get_by_role("button", name="Switch between light and dark").click()
    visitor.go("/")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    plain = page.request.get(f"{visitor.instance.api_url}/console/")
    assert 'data-theme="dark"' in plain.text()


def test_what_is_not_there_and_what_one_may_not_do_are_pages(visitor: Visitor) -> None:
    visitor.expected += ["status of 404", "status of 403"]
    reply = visitor.go("/nothing")
    assert reply is not None and reply.status == 404
    visitor.check("not-found")
    token = "() => fetch('/console/sign-out', {method: 'POST'}).then(reply => reply.status)"
    assert visitor.page.evaluate(token) == 403
    assert visitor.page.locator("nav").count() == 1


def test_a_page_changes_while_it_is_open(visitor: Visitor, api: Api) -> None:
    """What an event changes is seen without anyone asking for the page again, and one's own reading is not disturbed."""
    page = visitor.page
    visitor.go("/jobs")
    page.get_by_label("User").fill("half a w")
    job = submit(api, FOREVER, name="came-later")
    page.get_by_role("link", name="came-later").wait_for()
    row = page.get_by_role("row").filter(has_text="came-later")
    row.get_by_text("running", exact=True).wait_for()
    assert page.get_by_label("User").input_value() == "half a w"
    end(api, job)
    row.get_by_text("cancelled", exact=True).wait_for()
