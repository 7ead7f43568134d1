"""The fleet page: the map by mouse, keys and touch, what it finds, and the same in words without a script."""

from typing import Any

import pytest
from benchmarks.http import Api
from playwright.sync_api import Browser, expect

from tests.surface.console.browsing import Visitor, needs_chromium
from tests.surface.console.work import FOREVER, Work
from tests.surface.server.daily import end
from tests.surface.server.jobs import submit

pytestmark = [pytest.mark.slow, needs_chromium]

MAP = "document.querySelector('gw-fleet-map')"


def test_the_map_shows_the_fleet_in_every_colouring(visitor: Visitor, work: Work) -> None:
    _open(visitor)
    page = visitor.page
    expect(page.locator(".fm-key")).not_to_have_count(0)
    for name in ("Project", "Health", "Utilisation", "Power", "Phase"):
        button = page.get_by_role("button", name=name, exact=True)
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
    visitor.check("fleet")


def test_a_legend_shows_one_kind_alone(visitor: Visitor, work: Work) -> None:
    _open(visitor)
    before = _lit(visitor)
    key = visitor.page.locator(".fm-key").first
    key.click()
    expect(visitor.page.locator(".fm-key").first).to_have_attribute("aria-pressed", "true")
    assert _lit(visitor) != before
    visitor.page.locator(".fm-key").first.click()
    assert _lit(visitor) == before


def test_a_click_on_a_node_says_what_runs_there(visitor: Visitor, work: Work) -> None:
    _open(visitor)
    page = visitor.page
    place: Any = page.evaluate(
        f"() => {{ const m = {MAP}, g = m.geometry, v = m.view;"
        " return {x: (g.x[0] + 0.5 - v.x) * v.scale, y: (g.y[0] + 0.5 - v.y) * v.scale}; }"
    )
    page.locator("gw-fleet-map .fm-stage > canvas").click(position=place)
    inspector = page.get_by_role("region", name="What is chosen")
    inspector.get_by_role("link").first.wait_for()
    assert "/console/nodes/" in (inspector.get_by_role("link").first.get_attribute("href") or "")
    expect(inspector.get_by_text("Where")).to_be_visible()
    inspector.get_by_role("button", name="Close").click()
    expect(inspector).to_be_hidden()


def test_the_map_is_moved_by_keys_and_says_what_is_in_the_middle(
    visitor: Visitor, work: Work
) -> None:
    _open(visitor)
    page = visitor.page
    page.locator("gw-fleet-map .fm-stage > canvas").focus()
    start = _view(visitor)
    for _ in range(8):
        page.keyboard.press("+")
    closer = _view(visitor)
    assert closer["scale"] > start["scale"]
    page.keyboard.press("ArrowRight")
    assert _view(visitor)["x"] > closer["x"]
    page.keyboard.press("0")
    assert _view(visitor) == start
    expect(page.locator("gw-fleet-map [role=status]")).not_to_be_empty()


def test_a_job_is_found_and_lit_and_what_is_not_there_is_said(visitor: Visitor, api: Api) -> None:
    job = submit(api, FOREVER, name="seen-on-the-map")
    try:
        _open(visitor)
        page = visitor.page
        field = page.get_by_role("searchbox", name="Find a node, a job or a gang")
        page.wait_for_function(
            "async name => (await fetch(`/v1/fleet/places?what=${name}`)).ok", arg=job["id"]
        )
        field.fill("seen-on-the-map")
        field.press("Enter")
        expect(page.get_by_text("1 node in 1 rack")).to_be_visible()
        assert sum(page.evaluate(f"() => Array.from({MAP}.lit)")) == 1
        visitor.expected.append("status of 404")
        field.fill("nothing-like-that")
        field.press("Enter")
        expect(page.locator("gw-fleet-map [role=status]")).to_contain_text("nothing-like-that")
    finally:
        end(api, job)


def test_a_page_opens_at_what_its_address_names(visitor: Visitor, work: Work) -> None:
    visitor.expected.append("status of 404")  # a look at the fleet may be a moment old
    visitor.go("/")
    visitor.page.wait_for_function(
        "async name => (await fetch(`/v1/fleet/places?what=${name}`)).ok", arg=work.running
    )
    visitor.go(f"/fleet?what={work.running}")
    visitor.page.wait_for_selector("gw-fleet-map[ready]", state="attached")
    expect(visitor.page.get_by_role("button", name="Show all of it")).to_be_visible()


def test_the_same_is_told_in_words_down_to_a_node(visitor: Visitor, work: Work) -> None:
    visitor.go("/fleet")
    table = visitor.page.locator(".fleet-words")
    while not table.get_by_role("columnheader", name="Runs here").count():
        table.locator("td a").first.click()
        visitor.page.wait_for_load_state("load")
    expect(table.locator("tbody tr")).not_to_have_count(0)
    visitor.check("fleet-words")
    visitor.expected.append("status of 404")
    visitor.go("/fleet?at=nowhere")
    expect(visitor.page.get_by_text("called 'nowhere' there").first).to_be_visible()


def test_without_a_script_the_table_is_there(
    visitor: Visitor, browser: Browser, work: Work
) -> None:
    with browser.new_context(java_script_enabled=False) as plain:
        plain.add_cookies(visitor.page.context.cookies())  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - what one gives the other takes
        page = plain.new_page()
        page.goto(f"{visitor.instance.api_url}/console/fleet")
        assert page.get_by_text("The map needs JavaScript").is_visible()
        assert page.locator(".fleet-words tbody tr").count()


def _open(visitor: Visitor) -> None:
    visitor.go("/fleet")
    visitor.page.wait_for_selector("gw-fleet-map[ready]", state="attached")
    visitor.page.wait_for_function(f"() => Boolean({MAP}.state && {MAP}.counts)")


def _view(visitor: Visitor) -> dict[str, float]:
    found: dict[str, float] = visitor.page.evaluate(f"() => ({{...{MAP}.view}})")
    return found


def _lit(visitor: Visitor) -> int:
    """A sum over what is drawn, which differs where colours do."""
    found: int = visitor.page.evaluate(f"() => {MAP}.pixels.reduce((sum, each) => sum + each, 0)")
    return found
