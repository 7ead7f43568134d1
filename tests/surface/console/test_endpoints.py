"""Pages of endpoints: what is served, talking to it, and steering a rollout, as a person does it."""

from collections.abc import Iterator

import pytest
from benchmarks.http import Api
from benchmarks.instance import Instance
from playwright.sync_api import expect

from tests.surface.console.browsing import PATIENCE_MS, Visitor, needs_chromium
from tests.surface.server.jobs import View, submit, wait_phase
from tests.surface.server.test_endpoints import SERVER
from tests.waiting import until

pytestmark = [pytest.mark.slow, needs_chromium]
WORDS = "mkdir $GIGAWATT_CHECKPOINT_DIR/final && echo to be or not > $GIGAWATT_CHECKPOINT_DIR/final/words.txt"


@pytest.fixture(scope="module")
def served(instance: Instance, tmp_path_factory: pytest.TempPathFactory) -> Iterator[View]:
    """An endpoint with one replica, of a model that a job has made; and its second revision waits to be promoted."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "serve.py").write_text(SERVER)
    api = Api(instance)
    job = submit(api, ["sh", "-c", WORDS], model={"name": "parrot", "path": "final"})
    assert wait_phase(api, job, "succeeded", "failed")["phase"] == "succeeded"
    body = {
        "name": "parrot",
        "model": "parrot",
        "command": ["python3", str(folder / "serve.py")],
        "gang": {"cpus": 0.1},
        "replicas": {"min": 1, "max": 2},
    }
    status, endpoint = api.call("POST", "/v1/endpoints", body)
    assert status in {200, 201}, endpoint
    until(lambda: _is(api, "ready"), timeout_s=60.0, what="the endpoint ready")
    yield {**body, "id": endpoint["id"]}
    api.call("DELETE", "/v1/endpoints/parrot")
    api.close()


def _is(api: Api, phase: str) -> bool:
    _, view = api.call("GET", "/v1/endpoints/parrot")
    return view["phase"] == phase


def test_endpoints_are_listed_and_shown(visitor: Visitor, served: View) -> None:
    page = visitor.page
    visitor.go("/endpoints")
    expect(page.get_by_role("link", name="parrot")).to_be_visible()
    visitor.check("endpoints")
    page.get_by_role("link", name="parrot").click()
    expect(page.get_by_role("heading", name="parrot")).to_be_visible()
    expect(page.get_by_role("region", name="Replicas").get_by_text("ready")).to_be_visible()
    visitor.check("endpoint")


def test_an_answer_comes_word_by_word_and_the_page_has_no_key(
    visitor: Visitor, served: View
) -> None:
    page = visitor.page
    visitor.go(f"/endpoints/{served['id']}?tab=chat")
    visitor.check("endpoint-chat-before")
    page.get_by_label("Your question").fill("To be?")
    page.get_by_role("button", name="Send").click()
    answer = page.locator("#said .assistant")
    expect(answer).to_have_text("to be or not ", timeout=PATIENCE_MS)
    expect(page.locator("#pace")).to_contain_text("first word after")
    visitor.check("endpoint-chat")
    assert "gw_" not in page.content()
    page.get_by_role("button", name="Begin anew").click()
    expect(page.locator("#said li")).to_have_count(0)


def test_a_rollout_is_paused_and_taken_back(visitor: Visitor, served: View, api: Api) -> None:
    page = visitor.page
    fields = {name: each for name, each in served.items() if name != "id"}
    again = {
        **fields,
        "env": {"REVISION": "2"},
        "rollout": {"strategy": "canary", "steps": [10, 50], "start": "10m", "pause": "10m"},
    }
    status, view = api.call("POST", "/v1/endpoints", again)
    assert status in {200, 201}, view
    visitor.go(f"/endpoints/{served['id']}")
    expect(page.get_by_role("heading", name="Rollout of revision 2")).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Go on")).to_be_visible()
    visitor.check("endpoint-rollout")
    page.get_by_role("button", name="Take back").click()
    page.get_by_role("dialog").get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", name="Rollout of revision 2")).to_have_count(0)
    page.get_by_role("link", name="Revisions").click()
    expect(page.get_by_role("region", name="Revisions")).to_be_visible()
    visitor.check("endpoint-revisions")


def test_an_endpoint_that_is_not_there_is_said(visitor: Visitor) -> None:
    visitor.expected.append("the server responded with a status of 404")
    visitor.go("/endpoints/nothing-of-the-kind")
    expect(visitor.page.get_by_text("nothing-of-the-kind").first).to_be_visible()
