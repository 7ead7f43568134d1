"""The queue: the line with its reasons, shares against quotas, and questions to the scheduler."""

from collections.abc import Iterator

import pytest
from benchmarks.http import Api

from tests.surface.console.browsing import Visitor, needs_chromium
from tests.surface.console.work import FOREVER, Work
from tests.surface.server.jobs import submit
from tests.waiting import until

pytestmark = [pytest.mark.slow, needs_chromium]

PATIENCE_S = 60.0


@pytest.fixture
def line(api: Api, work: Work) -> Iterator[list[str]]:
    """Two jobs in the line: one holds every node, and each of the others wants all of them, too."""
    _, nodes = api.call("GET", "/v1/nodes")
    count, cpus = len(nodes["items"]), min(each["total"]["cpus"] for each in nodes["items"])
    made = [
        submit(api, FOREVER, name=name, gang={"nodes": count, "cpus": cpus})["id"]
        for name in ("waits-first", "waits-second")
    ]
    until(
        lambda: len(api.call("GET", "/v1/queue")[1]["items"]) >= len(made),
        timeout_s=PATIENCE_S,
        what="both are in the line",
    )
    yield made
    for each in made:
        assert api.call("POST", f"/v1/jobs/{each}/cancel")[0] == 200


def test_the_line_has_a_reason_for_each(visitor: Visitor, line: list[str], api: Api) -> None:
    _, head = api.call("GET", "/v1/queue?limit=1")
    assert (len(head["items"]), head["total"] >= 2) == (1, True)
    bounds = {"quota": {"cpus": 1}, "limit": {"cpus": 64}}
    status, said = api.call("PUT", "/v1/projects/default/quota", bounds)
    assert status == 200, said
    visitor.go("/queue")
    for each in line:
        assert (visitor.page.locator(f"#{each} .reason").text_content() or "").strip()
    assert visitor.page.get_by_role("region", name="Shares and quotas").locator("tr").count() >= 2
    visitor.check("queue")


def test_a_question_is_answered_and_nothing_is_submitted(
    visitor: Visitor, work: Work, api: Api
) -> None:
    before = api.call("GET", "/v1/work/totals")
    visitor.go("/queue")
    page = visitor.page
    page.get_by_label("CPUs on each").fill("0.1")
    page.get_by_label("For hours").fill("6")
    page.get_by_role("button", name="Ask").click()
    page.get_by_text("It would start now").wait_for()
    visitor.check("queue-asked")
    page.get_by_role("spinbutton", name="Nodes").fill("1000")
    page.get_by_role("button", name="Ask").click()
    page.get_by_text("It would never start").wait_for()
    page.get_by_role("spinbutton", name="Nodes").fill("1")
    page.get_by_label("CPUs on each").fill("")
    page.get_by_label("Kind").fill("B900")
    page.get_by_role("button", name="Ask").click()
    page.locator(".answer").wait_for()
    assert api.call("GET", "/v1/work/totals") == before


def test_the_line_shows_who_comes_and_goes_by_itself(
    visitor: Visitor, work: Work, api: Api
) -> None:
    visitor.go("/queue")
    _, nodes = api.call("GET", "/v1/nodes")
    gang = {
        "nodes": len(nodes["items"]),
        "cpus": min(each["total"]["cpus"] for each in nodes["items"]),
    }
    job = submit(api, FOREVER, name="comes", gang=gang)
    visitor.page.locator(f"#{job['id']}").wait_for()
    assert api.call("POST", f"/v1/jobs/{job['id']}/cancel")[0] == 200
    visitor.page.locator(f"#{job['id']}").wait_for(state="detached")
