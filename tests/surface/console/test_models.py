"""Pages of models and environments: versions, aliases and their moves, lineage, locks."""

from collections.abc import Iterator
from typing import Any

import pytest
from benchmarks.http import Api
from benchmarks.instance import Instance
from playwright.sync_api import expect

from tests.surface.console.browsing import Visitor, needs_chromium
from tests.surface.server.jobs import submit, wait_phase

pytestmark = [pytest.mark.slow, needs_chromium]
MAKES = "mkdir $GIGAWATT_CHECKPOINT_DIR/final && echo {} > $GIGAWATT_CHECKPOINT_DIR/final/words.txt"


@pytest.fixture(scope="module")
def registered(instance: Instance) -> Iterator[list[str]]:
    """The jobs that made two versions of one model."""
    api = Api(instance)
    made: list[str] = []
    for words in ("once", "twice"):
        model: dict[str, Any] = {"name": "poet", "path": "final"}
        job = submit(api, ["sh", "-c", MAKES.format(words)], name=f"poet-{words}", model=model)
        assert wait_phase(api, job, "succeeded", "failed")["phase"] == "succeeded"
        made.append(job["id"])
    yield made
    api.close()


def test_a_model_is_listed_with_where_it_came_from(visitor: Visitor, registered: list[str]) -> None:
    page = visitor.page
    visitor.go("/models")
    visitor.check("models")
    page.get_by_role("link", name="poet").click()
    expect(page.get_by_role("heading", name="poet:2")).to_be_visible()
    drawn = page.get_by_role("region", name="Lineage, drawn")
    expect(drawn.locator(f"a[href$='/jobs/{registered[1]}']")).to_be_visible()
    visitor.check("model")
    page.get_by_role("region", name="Versions").get_by_role("link", name="1", exact=True).click()
    expect(page.get_by_role("heading", name="poet:1")).to_be_visible()


def test_an_alias_moves_and_tells_why(visitor: Visitor, registered: list[str]) -> None:
    page = visitor.page
    visitor.go("/models/poet")
    page.get_by_role("textbox", name="Alias").fill("prod")
    page.get_by_label("Why").fill("reads better")
    page.get_by_role("button", name="Move alias").click()
    expect(page.get_by_role("status")).to_have_text("poet@prod is version 2")
    moves = page.get_by_role("list", name="What aliases meant")
    expect(moves).to_contain_text("reads better")


def test_a_wrong_alias_is_refused_with_a_hint(visitor: Visitor, registered: list[str]) -> None:
    visitor.expected.append("the server responded with a status of 422")
    page = visitor.page
    visitor.go("/models/poet")
    page.get_by_role("textbox", name="Alias").fill("not a name!")
    page.get_by_role("button", name="Move alias").click()
    expect(page.get_by_text("alias").first).to_be_visible()
    assert "not a name!" in page.locator("#content").inner_text()


def test_environments_are_shown_with_their_locks(visitor: Visitor, api: Api) -> None:
    page = visitor.page
    visitor.go("/environments")
    expect(page.get_by_text("No environment was built yet")).to_be_visible()
    visitor.check("environments-none")
    made: list[str] = []
    for requirement in ("six", "six>=1.16"):
        body = {"kind": "uv", "requirements": [requirement]}
        status, view = api.call("POST", "/v1/environments", body)
        assert status in {200, 201, 202}, view
        made.append(view["id"])
    visitor.go("/environments")
    row = page.get_by_role("row").filter(has_text=made[0])
    expect(row.get_by_text("ready", exact=True)).to_be_visible(timeout=300_000)
    visitor.check("environments")
    row.get_by_role("link").first.click()
    expect(page.get_by_role("heading", name="Lock")).to_be_visible()
    other = page.get_by_label("With")
    if made[1] != made[0]:
        other.select_option(made[1])
        expect(page.get_by_text("packages are the same")).to_be_visible(timeout=300_000)
    visitor.check("environment")
