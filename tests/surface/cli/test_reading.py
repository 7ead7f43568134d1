"""What the commands that ask print, for people and for programs."""

import json
from typing import Any

import pytest

from gigawatt.model.ledger import TimeClass
from tests.surface.cli.conftest import Gw
from tests.surface.cli.double import NOW_MS, Answer, ApiDouble, a_job, ended

REASON = {
    "code": "resources_busy",
    "resource": "nodes",
    "need": 4,
    "have": 2,
    "detail": "",
    "message": "others use what it needs (it needs 4 nodes and can have 2 nodes)",
}


def put(api: ApiDouble, *jobs: dict[str, Any]) -> None:
    api.jobs.update({job["id"]: job for job in jobs})


def three_jobs() -> list[dict[str, Any]]:
    waiting = a_job(
        id="job-1mfsxp001zzzzzzzz",
        name="big",
        phase="queued",
        progress=None,
        attempts=[],
        reason=REASON,
        position=1,
    )
    failed = a_job(id="job-1mfsxp002yyyyyyyy", name="bad", progress=None)
    return [a_job(), waiting, ended(failed, "failed", message="rank 1 exited with code 1")]


def test_jobs_are_listed_with_what_they_do_and_why_they_wait(gw: Gw, api: ApiDouble) -> None:
    put(api, *three_jobs())
    lines = [line.split("  ") for line in gw("jobs").stdout.splitlines()]
    cells = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    for row in cells[1:]:
        row.pop(7)  # the age
    assert cells == [
        ["NAME", "ID", "PHASE", "NODES", "STEP", "LOSS", "TOK/S", "AGE", "REASON"],
        ["tiny-gpt", "job-1mfsxp000abcdefgh", "running", "2", "120", "2.312", "8.12k"],
        ["big", "job-1mfsxp001zzzzzzzz", "queued", "2", "–", "–", "–", REASON["message"]],
        ["bad", "job-1mfsxp002yyyyyyyy", "failed", "2", "–", "–", "–", "rank 1 exited with code 1"],
    ]


def test_json_is_what_the_api_said_and_nothing_else(gw: Gw, api: ApiDouble) -> None:
    jobs = three_jobs()
    put(api, *jobs)
    listed, one = gw("jobs", "-o", "json"), gw("jobs", "big", "-o", "json")
    assert json.loads(listed.stdout) == {"items": jobs, "next": ""}
    assert json.loads(one.stdout) == jobs[1]
    assert listed.stderr + one.stderr == ""


def test_all_jobs_are_every_page_and_otherwise_more_are_mentioned(gw: Gw, api: ApiDouble) -> None:
    put(api, *three_jobs())
    some = gw("jobs", "--limit", "2")
    assert "the newest 2; --all for every one" in some.stderr
    every = gw("jobs", "--all", "--limit", "2", "-o", "json")
    assert json.loads(every.stdout) == {"items": three_jobs(), "next": ""}


def test_filters_are_the_apis(gw: Gw, api: ApiDouble) -> None:
    gw("jobs", "--phase", "queued", "--phase", "running", "--project", "nlp", "--name", "big")
    assert api.requests[-1].query == {
        "phase": ["queued", "running"],
        "project": ["nlp"],
        "name": ["big"],
        "limit": ["30"],
    }


def test_a_job_is_shown_with_its_attempts_and_ranks(gw: Gw, api: ApiDouble) -> None:
    put(api, *three_jobs())
    shown = gw("jobs", "bad").stdout
    for part in (
        "phase        failed\n",
        "why          rank 1 exited with code 1\n",
        "volumes      corpus:3 at data/corpus\n",
        "gang         2 nodes × 1 rank, each node 0.5 CPU, 1 GiB\n",
        "1  ended  user     local-0 local-1  59s\n",
        "   1  local-1  4001  1\n",
    ):
        assert part in shown


def test_the_beginning_of_an_id_is_enough_where_it_is_one_jobs(gw: Gw, api: ApiDouble) -> None:
    put(api, *three_jobs())
    one = gw("jobs", "job-1mfsxp002", "-o", "json")
    several = gw("jobs", "job-1mfsxp00")
    assert json.loads(one.stdout)["name"] == "bad"
    assert several.exit_code == 2
    assert "error: more than one job begins with 'job-1mfsxp00'" in several.stderr
    assert several.stderr.endswith("hint: write more of the id\n")


def test_a_wait_is_explained_with_the_way_out(gw: Gw, api: ApiDouble) -> None:
    put(api, *three_jobs())
    explanation: dict[str, Any] = {
        "job": "job-1mfsxp001zzzzzzzz",
        "phase": "queued",
        "reason": REASON,
        "position": 1,
        "estimate": None,
        "deadline": None,
        "cheapest_change": {"field": "gang.nodes", "from": "4", "to": "2", "start": "now"},
        "attempt": None,
        "verdict": None,
        "charged_to": "",
        "checkpoint_advice": None,
        "evidence": [],
        "message": "",
    }
    api.on("GET", "/v1/jobs/[^/]+/explain", Answer(body=explanation))
    assert gw("explain", "big").stdout.splitlines() == [
        "job       big (job-1mfsxp001zzzzzzzz)",
        "phase     queued",
        "because   others use what it needs (it needs 4 nodes and can have 2 nodes)",
        "reason    resources_busy",
        "position  1 in the line",
        "change    gang.nodes from 4 to 2: starts now",
    ]
    assert json.loads(gw("explain", "big", "-o", "json").stdout) == explanation


def test_a_failure_is_explained_with_its_evidence(gw: Gw, api: ApiDouble) -> None:
    put(api, *three_jobs())
    api.jobs["job-1mfsxp002yyyyyyyy"]["attempts"][-1]["ranks"][1]["last_lines"] = ["Boom", "at x"]
    explanation: dict[str, Any] = {
        "job": "job-1mfsxp002yyyyyyyy",
        "phase": "failed",
        "reason": None,
        "position": None,
        "estimate": None,
        "deadline": None,
        "cheapest_change": None,
        "attempt": 1,
        "checkpoint_advice": None,
        "verdict": "user",
        "charged_to": "user",
        "evidence": [
            {"at_ms": NOW_MS, "what": "exit", "detail": "exit code 1", "rank": 1, "node": "n-1"}
        ],
        "message": "rank 1 exited with code 1",
    }
    api.on("GET", "/v1/jobs/[^/]+/explain", Answer(body=explanation))
    said = gw("explain", "bad").stdout
    assert "verdict     user (attempt 1)\n" in said
    assert "exit     1  n-1   exit code 1\n" in said
    assert said.endswith("last lines of rank 1\n  Boom\n  at x\n")


def classes(**amounts: int) -> dict[str, int]:
    return {each.value: 0 for each in TimeClass} | amounts


def test_the_ledger_is_told_by_class_and_its_sum(gw: Gw, api: ApiDouble) -> None:
    view: dict[str, Any] = {
        "unit": "milli_core_ms",
        "installed": 1_000_000_000,
        "classes": classes(useful=700_000_000, idle=250_000_000, user_fault=50_000_000),
        "since_ms": 0,
        "until_ms": NOW_MS,
    }
    api.on("GET", "/v1/ledger", Answer(body=view))
    assert gw("ledger").stdout.splitlines() == [
        "installed  16m40s of core time",
        "",
        "where core time went",
        "CLASS         TIME    SHARE",
        "useful      11m40s   70.0 %  ████████████████▊",
        "idle         4m10s   25.0 %  ██████",
        "user fault     50s    5.0 %  █▎",
        "sum         16m40s  100.0 %",
    ]
    assert json.loads(gw("ledger", "-o", "json").stdout) == view


def test_goodput_is_a_share_and_where_the_rest_went(gw: Gw, api: ApiDouble) -> None:
    put(api, a_job())
    view: dict[str, Any] = {
        "job": "job-1mfsxp000abcdefgh",
        "unit": "milli_gpu_ms",
        "total": 100_000_000,
        "classes": classes(useful=80_000_000, redone=20_000_000),
        "goodput": 0.8,
        "ettr": None,
        "attempts": [],
    }
    api.on("GET", "/v1/jobs/[^/]+/goodput", Answer(body=view))
    said = gw("goodput", "tiny-gpt").stdout
    assert "goodput    80.0 %\n" in said
    assert "ettr       –\n" in said
    assert "where GPU time went\n" in said


def test_nodes_say_what_is_free_and_how_limits_hold(gw: Gw, api: ApiDouble) -> None:
    node: dict[str, Any] = {
        "id": "local-0",
        "state": "cordoned",
        "reason": "bad fan",
        "address": "127.0.0.1",
        "topology": {"site": "local", "rack": "r0"},
        "total": {"gpus": 0.0, "cpus": 1.0, "memory_bytes": 4 << 30},
        "free": {"gpus": 0.0, "cpus": 0.5, "memory_bytes": 3 << 30},
        "gpus": [],
        "limits": "cgroup-v2",
        "system": "Linux 6.1 x86_64",
        "pythons": ["3.11"],
        "gangs": ["job-1.1"],
        "changed_ms": NOW_MS,
        "version": 1,
    }
    api.on("GET", "/v1/nodes", Answer(body={"items": [node], "next": ""}))
    assert gw("nodes").stdout.splitlines() == [
        "NODE     STATE     GPUS FREE  CPUS FREE     MEMORY FREE  GANGS  LIMITS     REASON",
        "local-0  cordoned          0   0.5 of 1  3 GiB of 4 GiB      1  cgroup-v2  bad fan",
    ]


@pytest.mark.parametrize("command", ["endpoints", "models", "env", "nodes", "jobs"])
def test_an_empty_list_says_so_on_stderr_and_prints_nothing(
    gw: Gw, api: ApiDouble, command: str
) -> None:
    api.on("GET", "/v1/[a-z]+", Answer(body={"items": [], "next": ""}))
    result = gw(command)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.startswith("no ")


def test_the_newest_events_are_found_though_the_api_pages_forward(gw: Gw, api: ApiDouble) -> None:
    def page(request: Any) -> Answer:
        after = int(request.query.get("after", ["0"])[0])
        limit = int(request.query["limit"][0])
        seqs = [seq for seq in range(1, 1_001, 3) if seq > after][:limit]
        items: list[dict[str, Any]] = [
            {
                "seq": seq,
                "at_ms": NOW_MS + seq,
                "kind": "job.running",
                "tenant": "default",
                "project": "default",
                "subject": "job-1",
                "message": "",
                "data": {},
            }
            for seq in seqs
        ]
        return Answer(body={"items": items, "next": str(seqs[-1]) if len(seqs) == limit else ""})

    api.on("GET", "/v1/events", page)
    events = json.loads(gw("events", "--limit", "4", "-o", "json").stdout)
    assert [event["seq"] for event in events["items"]] == [991, 994, 997, 1000]
    assert len(gw("events", "--limit", "4").stdout.splitlines()) == 4
    assert len(api.requests) < 50


def test_colour_is_for_terminals_alone(gw: Gw, api: ApiDouble) -> None:
    put(api, *three_jobs())
    for result in (gw("jobs"), gw("jobs", "bad"), gw("jobs", "nope"), gw("logs", "tiny-gpt")):
        assert "\x1b" not in result.stdout + result.stderr
