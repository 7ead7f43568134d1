"""Pages of workspaces: seen, prolonged, suspended, woken, opened and ended, as a person does it."""

from collections.abc import Iterator

import pytest
from benchmarks.instance import Instance
from playwright.sync_api import expect

from gigawatt.sdk.client import Client
from tests.surface.console.browsing import Visitor, needs_chromium
from tests.surface.server.test_workspaces import SMALL, runs

pytestmark = [pytest.mark.slow, needs_chromium]


@pytest.fixture(scope="module")
def bench(instance: Instance) -> Iterator[str]:
    """The id of a workspace with a shell."""
    with Client(instance.api_url, instance.token) as client:
        client.workspaces.make(name="bench", program="shell", idle="1h", **SMALL)
        yield runs(client, "bench")["id"]


def test_nobody_has_a_workspace(visitor: Visitor) -> None:
    visitor.go("/workspaces?name=nobodys")
    expect(visitor.page.get_by_text("No workspace is like that")).to_be_visible()
    visitor.check("workspaces-none")


def test_a_workspace_is_prolonged_suspended_woken_and_ended(visitor: Visitor, bench: str) -> None:
    page = visitor.page
    visitor.go("/workspaces")
    visitor.check("workspaces")
    page.get_by_role("link", name="bench").click()
    expect(page.get_by_role("button", name="Open")).to_be_visible()
    visitor.check("workspace")
    page.get_by_label("Hours more").fill("3")
    page.get_by_role("button", name="Prolong").click()
    expect(page.get_by_role("status")).to_have_text("bench was given 3 h more")
    page.get_by_role("button", name="Open").click()
    link = page.get_by_role("link", name="Go in")
    assert "gigawatt-code=" in (link.get_attribute("href") or "")
    visitor.check("workspace-open")
    page.get_by_role("link", name="Back").click()
    page.get_by_role("button", name="Suspend").click()
    page.get_by_role("dialog").get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Wake").click()
    expect(page.get_by_role("button", name="Open")).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Go on").click()
    page.wait_for_url("**/console/workspaces")
