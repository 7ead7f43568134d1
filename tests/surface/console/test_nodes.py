"""Nodes: the list and its filters, one node with what runs there, and changes that first say what they will move."""

from collections.abc import Iterator

import pytest
from benchmarks.http import Api
from playwright.sync_api import expect

from tests.surface.console.browsing import Visitor, needs_chromium
from tests.surface.console.work import FOREVER, Work
from tests.surface.server.daily import end
from tests.surface.server.jobs import submit, wait_phase
from tests.waiting import until

pytestmark = [pytest.mark.slow, needs_chromium]

PATIENCE_S = 60.0


@pytest.fixture
def opened(api: Api) -> Iterator[None]:
    """Nodes are open again afterwards, whatever a test did."""
    yield
    for node in api.call("GET", "/v1/nodes")[1]["items"]:
        if node["state"] != "ready":
            api.call("PUT", f"/v1/nodes/{node['id']}/state", {"state": "ready"})


def test_nodes_are_listed_and_narrowed_by_state(visitor: Visitor, work: Work) -> None:
    visitor.go("/nodes")
    rows = visitor.page.locator("tbody tr")
    expect(rows).to_have_count(3)
    visitor.check("nodes")
    visitor.page.get_by_role("link", name="down", exact=True).click()
    expect(visitor.page.get_by_text("No node is like that")).to_be_visible()
    visitor.expected.append("status of 422")
    visitor.go("/nodes?state=broken")
    expect(visitor.page.get_by_text("broken").first).to_be_visible()


def test_a_node_is_shown_with_what_runs_there_and_what_happened(
    visitor: Visitor, api: Api, work: Work
) -> None:
    node = api.call("GET", f"/v1/jobs/{work.running}")[1]["attempts"][-1]["nodes"][0]
    visitor.go(f"/nodes/{node}")
    page = visitor.page
    expect(page.get_by_role("link", name="train-small")).to_be_visible()
    expect(page.get_by_role("region", name=f"History of {node}")).to_contain_text("joined")
    visitor.check("node")
    visitor.expected.append("status of 404")
    visitor.go("/nodes/no-such-node")
    expect(page.get_by_text("no-such-node").first).to_be_visible()


def test_a_drain_says_what_it_will_move_and_moves_it(
    visitor: Visitor, api: Api, opened: None
) -> None:
    job = submit(api, FOREVER, name="to-be-moved")
    try:
        view = wait_phase(api, job, "running", timeout_s=PATIENCE_S)
        node = view["attempts"][-1]["nodes"][0]
        page = visitor.page
        visitor.go(f"/nodes/{node}")
        page.get_by_role("link", name="Drain…").click()
        moved = page.get_by_role("region", name="What it will move")
        expect(moved).to_contain_text("to-be-moved")
        visitor.check("node-drain")
        page.get_by_label("Reason, for those who look").fill("a fan is loud")
        page.get_by_label("Empty within").fill("0")
        page.get_by_role("button", name="Drain").click()
        expect(page.get_by_role("status").first).to_contain_text(f"{node} is draining")
        until(lambda: _left(api, job["id"], node), timeout_s=PATIENCE_S, what=f"{node} is left")
        visitor.go(f"/nodes/{node}")
        page.get_by_role("link", name="Open…").click()
        page.get_by_role("button", name="Open").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("ready")
    finally:
        end(api, job)


def test_a_cordon_moves_nothing_and_what_is_wrong_is_said(
    visitor: Visitor, api: Api, opened: None
) -> None:
    page = visitor.page
    visitor.go("/nodes/node-2/change?state=cordoned")
    page.get_by_role("button", name="Cordon").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("cordoned")
    visitor.expected.append("status of 422")
    visitor.go("/nodes/node-2/change?state=melted")
    expect(page.get_by_role("heading", level=1)).not_to_contain_text("melted node-2?")
    visitor.go("/nodes/node-2/change?state=draining")
    page.get_by_label("Empty within").fill("soon")
    page.get_by_role("button", name="Drain").click()
    expect(page.get_by_text("within").first).to_be_visible()


def test_checks_are_asked_for_by_a_button(visitor: Visitor, api: Api, opened: None) -> None:
    visitor.go("/nodes/node-1")
    visitor.page.get_by_label("Which checks").select_option("watch")
    visitor.page.get_by_role("button", name="Check now").click()
    expect(visitor.page.get_by_role("status").first).to_contain_text("is being checked: watch")


def _left(api: Api, job: str, node: str) -> bool:
    """Whether the newest attempt of a job is not on that node, or there is none that lives."""
    attempt = api.call("GET", f"/v1/jobs/{job}")[1]["attempts"][-1]
    return attempt["ended_ms"] is not None or node not in attempt["nodes"]
