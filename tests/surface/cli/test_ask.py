"""`gw ask`, for people and for programs."""

import json
from typing import Any

from tests.surface.cli.conftest import Gw
from tests.surface.cli.double import Answer, ApiDouble, problem

NOTHING: dict[str, Any] = {
    "starts": "now",
    "nodes": [],
    "domains": {},
    "position": None,
    "reason": None,
    "cheapest_change": None,
    "estimate": None,
}
BUSY = {
    "code": "resources_busy",
    "resource": "nodes",
    "need": 16,
    "have": 8,
    "detail": "",
    "message": "others use what it needs (it needs 16 nodes and can have 8 nodes)",
}
CHANGE = {"field": "gang.nodes", "from": "16", "to": "8", "start": "now"}


def answers(api: ApiDouble, **view: Any) -> None:
    api.on("POST", "/v1/ask", Answer(body={**NOTHING, **view}))


def test_a_question_is_sent_in_the_job_files_words(gw: Gw, api: ApiDouble) -> None:
    answers(api, nodes=["n-1"])
    words = "--nodes 2-4 --gpus 8 --gpu b200 --gpu h100 --cpus 2 --memory 4GiB --same rack"
    assert gw("ask", *words.split(), "--for", "6h", "--priority", "5").exit_code == 0
    (request,) = api.sent("POST", "/v1/ask")
    assert request.json == {
        "gang": {
            "nodes": {"min": 2, "max": 4},
            "gpus": 8,
            "gpu_kinds": ["b200", "h100"],
            "cpus": 2,
            "memory": "4GiB",
            "same": "rack",
        },
        "priority": 5,
        "timeout": 21_600,
    }


def test_a_start_is_told_with_where_it_would_be(gw: Gw, api: ApiDouble) -> None:
    nodes = [f"n-{place}" for place in range(16)]
    answers(api, nodes=nodes, domains={"hall": ["h1"], "rack": ["r1"]})
    said = gw("ask", "--nodes", "16")
    assert (said.exit_code, said.stdout.splitlines()) == (
        0,
        [
            "It would start now on 16 nodes in rack r1.",
            "nodes: n-0, n-1, n-2, n-3, n-4, n-5, n-6, n-7 and 8 more",
        ],
    )
    answers(api, nodes=nodes, domains={"hall": ["h1"], "leaf": ["l1", "l2"], "rack": ["r1", "r2"]})
    first, _ = gw("ask", "--nodes", "16").stdout.splitlines()
    assert first == "It would start now on 16 nodes in hall h1, in 2 leaves: l1, l2."
    answers(api, nodes=["n-1"])
    assert gw("ask").stdout == "It would start now on 1 node.\nnodes: n-1\n"


def test_a_wait_is_told_with_the_way_out(gw: Gw, api: ApiDouble) -> None:
    answers(api, starts="later", position=3, reason=BUSY, cheapest_change=CHANGE)
    said = gw("ask", "--nodes", "16")
    assert (said.exit_code, said.stdout.splitlines()) == (
        0,
        [
            f"It would wait at place 3: {BUSY['message']}.",
            "It would start now with gang.nodes 8 instead of 16.",
        ],
    )


def test_what_can_never_start_is_told_and_fails(gw: Gw, api: ApiDouble) -> None:
    never = {"starts": "never", "reason": BUSY}
    answers(api, **never)
    said = gw("ask", "--nodes", "16")
    assert (said.exit_code, said.stderr) == (1, "")
    assert said.stdout == f"It can never start here: {BUSY['message']}.\n"
    told = gw("ask", "--nodes", "16", "-o", "json")
    assert (told.exit_code, json.loads(told.stdout)) == (1, {**NOTHING, **never})


def test_what_was_written_wrong_is_said_before_and_after_it_is_sent(gw: Gw, api: ApiDouble) -> None:
    slips = (
        ("--for", "6moons"),
        ("--nodes", "-3"),
        ("--nodes", "four"),
        ("--segment", "rack"),
        ("--spread", "rack:few"),
        ("--apart", "search"),
    )
    for option, word in slips:
        said = gw("ask", option, word)
        assert said.exit_code == 2
        assert option in said.stderr
        assert word in said.stderr
    assert api.sent("POST", "/v1/ask") == []
    detail = "gang.gpu_kinds names 'b201', which no node has"
    unknown = problem(422, "invalid", detail, field="gang.gpu_kinds", hint="there is: b200")
    api.on("POST", "/v1/ask", unknown)
    assert gw("ask", "--gpus", "8", "--gpu", "b201").exit_code == 2
