"""The overview: of a site at work, and of one where nothing has run yet."""

from pathlib import Path

import pytest
from benchmarks.http import Api
from benchmarks.instance import start, stop
from playwright.sync_api import Browser

from tests.surface.console.browsing import Visitor, needs_chromium, visiting
from tests.surface.console.work import Work

pytestmark = [pytest.mark.slow, needs_chromium]


def test_the_overview_shows_what_runs_who_waits_and_what_is_broken(
    visitor: Visitor, work: Work, api: Api
) -> None:
    assert (
        api.call("PUT", "/v1/nodes/node-2/state", {"state": "cordoned", "reason": "fan"})[0] == 200
    )
    visitor.go("/")
    page = visitor.page
    page.get_by_role("img", name="Device time by class").wait_for()
    waits = page.locator(".panel", has_text="Who waits").text_content() or ""
    assert "train-large" in waits
    broken = page.locator(".panel", has_text="What is broken").text_content() or ""
    assert ("evaluate" in broken, "node-2" in broken, "fan" in broken) == (True, True, True)
    visitor.check("overview")
    assert api.call("PUT", "/v1/nodes/node-2/state", {"state": "ready"})[0] == 200
    page.get_by_role("link", name="node-2").wait_for(state="detached")


def test_where_nothing_has_run_it_shows_how_to_begin(browser: Browser, tmp_path: Path) -> None:
    data = tmp_path / "data"
    try:
        instance = start(data)
        with visiting(browser, instance) as visitor:
            assert visitor.page.get_by_text("Nothing has run here yet").count() == 1
            assert visitor.page.locator("[data-copy]").count() == 3
            visitor.check("overview-empty")
    finally:
        stop(data)
