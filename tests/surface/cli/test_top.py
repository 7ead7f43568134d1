"""`gw top` against a double: what it prints, what programs get, and what keys do."""

import json
from typing import Any

from gigawatt.cli.commands.top import typed
from gigawatt.cli.top_look import Rate, goodput, matches, rates
from gigawatt.cli.top_picture import Wish
from tests.surface.cli.conftest import Gw
from tests.surface.cli.double import NOW_MS, Answer, ApiDouble, Request, a_job, an_attempt

COUNT = {
    "nodes": 12,
    "gpus": 96,
    "busy": 80,
    "idle": 8,
    "unavailable": 8,
    "down": 1,
    "unwell": 2,
    "watts": 64_000,
}
ENDPOINT: dict[str, Any] = {
    "id": "endpoint-1",
    "name": "chat",
    "phase": "running",
    "project": "default",
    "tenant": "default",
    "replicas": {"wanted": 2, "ready": 1, "min": 1, "max": 4, "why": "by load"},
    "queued": 3,
    "in_flight": 5,
    "requests": 100,
    "completion_tokens": 1_000,
    "message": "",
}
NODE = {
    "id": "node-7",
    "state": "draining",
    "changed_ms": NOW_MS,
    "gangs": ["job-1"],
    "by": "ops",
    "reason": "fan",
}
REASON = {
    "code": "resources_busy",
    "resource": "",
    "need": 0,
    "have": 0,
    "detail": "others use what it needs",
    "message": "others use what it needs",
}


def a_site(api: ApiDouble) -> None:
    running = a_job(id="job-1", name="train", phase="running", attempts=[an_attempt()])
    waiting = [
        a_job(id="job-2", name="later", phase="queued", position=2, reason=REASON),
        a_job(id="job-3", name="sooner", phase="queued", position=1, reason=REASON),
    ]

    def jobs(request: Request) -> Answer:
        items = [running] if "running" in request.query["phase"] else waiting
        return Answer(body={"items": items, "next": ""})

    part: dict[str, Any] = {"at": [], "level": "", "count": COUNT, "domains": [], "nodes": []}
    classes = {"useful": 60, "serving": 20, "starting": 20, "idle": 100}
    ledger = {"unit": "milli_gpu_ms", "installed": 200, "classes": classes}
    api.on("GET", "/v1/jobs", jobs)
    api.on("GET", "/v1/fleet", Answer(body=part))
    api.on("GET", "/v1/endpoints", Answer(body={"items": [ENDPOINT], "next": ""}))
    api.on("GET", "/v1/nodes", Answer(body={"items": [NODE], "next": ""}))
    api.on("GET", "/v1/ledger", Answer(body={**ledger, "since_ms": 0, "until_ms": NOW_MS}))


def test_it_is_printed_once_where_there_is_no_terminal(gw: Gw, api: ApiDouble) -> None:
    a_site(api)
    result = gw("top")
    assert result.exit_code == 0, result.output
    text = result.output
    assert "80 busy, 8 idle, 8 take no gangs of 96" in text
    assert "80.0% of what gangs held in the last hour" in text
    assert text.index("train") < text.index("sooner") < text.index("later")
    assert "others use what it needs" in text
    assert "1 of 2" in text
    assert "draining" in text


def test_a_filter_and_an_order_hold_for_what_is_printed(gw: Gw, api: ApiDouble) -> None:
    a_site(api)
    text = gw("top", "--once", "--filter", "later").output
    assert "later" in text
    assert "sooner" not in text
    assert "nothing that runs is like that" in text
    by_name = gw("top", "--once", "--sort", "name").output
    assert by_name.index("later") < by_name.index("sooner")
    assert gw("top", "--sort", "size").exit_code == 2


def test_programs_get_one_object(gw: Gw, api: ApiDouble) -> None:
    a_site(api)
    found = json.loads(gw("top", "-o", "json").output)
    assert found["fleet"] == COUNT
    assert found["goodput"] == 0.8
    assert [job["id"] for job in found["waiting"]] == ["job-3", "job-2"]
    assert [node["id"] for node in found["nodes"]] == ["node-7"]


def test_a_site_that_is_not_there_is_said(gw: Gw, api: ApiDouble) -> None:
    result = gw("top", env={"GIGAWATT_TOKEN": "wrong"})
    assert result.exit_code != 0
    assert "not known" in result.output


def test_keys_sort_turn_filter_scroll_and_leave() -> None:
    wish = Wish()
    assert typed(wish, "s")
    assert wish.sort == "age"
    assert typed(wish, "r")
    assert wish.reverse
    assert typed(wish, "/")
    assert typed(wish, "qwen")  # a letter of a filter does not leave
    assert typed(wish, "x\x7f\r")
    assert (wish.words, wish.typing) == ("qwen", False)
    assert typed(wish, "\x1b[B")
    assert wish.first == 5
    assert typed(wish, "\x1b")
    assert (wish.words, wish.first) == ("", 0)
    assert not typed(wish, "q")


def test_rates_are_between_two_looks_and_none_where_counters_began_anew() -> None:
    before: Any = {"at_ms": 0, "endpoints": [ENDPOINT]}
    later = {**ENDPOINT, "requests": 120, "completion_tokens": 2_000}
    now: Any = {"at_ms": 2_000, "endpoints": [later]}
    assert rates(before, now) == {"endpoint-1": Rate(requests=10.0, tokens=500.0)}
    assert rates(None, now) == {}
    now["at_ms"], before["at_ms"] = 0, 9
    assert rates(now, before) == {}


def test_goodput_is_kept_work_over_what_gangs_held() -> None:
    assert goodput({"useful": 3, "redone": 1, "idle": 100}) == 0.75
    assert goodput({"idle": 5}) is None


def test_words_are_looked_for_in_names() -> None:
    view = {"name": "Train", "project": "vision", "phase": "running"}
    assert matches("vis train", view)
    assert not matches("vis eval", view)
