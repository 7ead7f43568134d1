"""What callers see, made of whole values."""

import json
from typing import Any

from gigawatt.model.attempt import Attempt, AttemptPhase, Evidence, Progress, RankStatus, Verdict
from gigawatt.model.checkpoint import Checkpoint
from gigawatt.model.gang import Shape
from gigawatt.model.job import Job, JobPhase, JobSpec
from gigawatt.model.reason import Reason, ReasonCode
from gigawatt.model.resources import Resources
from gigawatt.service.views.jobs import job_view
from gigawatt.service.views.text import PageView, amount, page_json, sentence, to_json

BUSY = Reason(
    code=ReasonCode.RESOURCES_BUSY, resource="milli_gpu", need=2_500, have=500, detail="node-1"
)
SPEC = JobSpec(
    name="train",
    command=("python", "train.py"),
    shape=Shape(nodes_min=1, nodes_max=2, per_node=Resources(milli_gpu=500, milli_cpu=1_500)),
    environment="host",
    after=("job-0",),
    labels=(("team", "nlp"),),
)


def job(phase: JobPhase, **fields: object) -> Job:
    whole = {
        "id": "job-1",
        "tenant": "t",
        "project": "p",
        "spec": SPEC,
        "phase": phase,
        "created_ms": 1,
        "queued_ms": 2,
        "submitted_by": "ci",
        **fields,
    }
    return Job(**whole)  # pyright: ignore[reportArgumentType] - the fields are those of Job


def an_ended_job() -> Job:
    attempt = Attempt(
        n=1,
        phase=AttemptPhase.ENDED,
        nodes=("node-1",),
        ranks=(RankStatus(rank=0, node="node-1", pid=7, ended_ms=9, signal=9),),
        epoch=1,
        placed_ms=3,
        ended_ms=9,
        verdict=Verdict.INFRASTRUCTURE,
        charged_to="infrastructure",
        evidence=(Evidence(at_ms=9, what="signal", detail="signal 9", rank=0, node="node-1"),),
    )
    return job(
        JobPhase.FAILED,
        attempts=(attempt,),
        ended_ms=9,
        message="no more retries",
        checkpoint=Checkpoint(step=4, path="/c", at_ms=8),
        progress=Progress(at_ms=8, step=5, loss=float("inf"), metrics=(("lr", 0.1),)),
    )


ENDED_AS_JSON: dict[str, Any] = {
    "id": "job-1",
    "name": "train",
    "tenant": "t",
    "project": "p",
    "phase": "failed",
    "created_ms": 1,
    "queued_ms": 2,
    "ended_ms": 9,
    "submitted_by": "ci",
    "priority": 0,
    "message": "no more retries",
    "reason": None,
    "position": None,
    "estimate": None,
    "deadline": None,
    "progress": {
        "at_ms": 8,
        "step": 5,
        "loss": None,
        "tokens": None,
        "tokens_per_s": None,
        "metrics": {"lr": 0.1},
    },
    "checkpoint": {"step": 4, "path": "/c", "at_ms": 8},
    "model_version": "",
    "environment": "host",
    "bundle": "",
    "volumes": [],
    "secrets": {},
    "labels": {"team": "nlp"},
    "command": ["python", "train.py"],
    "gang": {
        "nodes": 2,
        "nodes_min": 1,
        "ranks_per_node": 1,
        "gpus": 0.5,
        "cpus": 1.5,
        "memory_bytes": 0,
        "gpu_kinds": [],
        "same": "",
        "spares": 0,
    },
    "cause": None,
    "after": ["job-0"],
    "version": 1,
    "array": "",
    "index": None,
    "attempts": [
        {
            "n": 1,
            "phase": "ended",
            "verdict": "infrastructure",
            "charged_to": "infrastructure",
            "stopped_for": "",
            "evidence": [
                {
                    "at_ms": 9,
                    "what": "signal",
                    "detail": "signal 9",
                    "rank": 0,
                    "node": "node-1",
                }
            ],
            "nodes": ["node-1"],
            "spares": [],
            "placed_ms": 3,
            "starting_ms": None,
            "running_ms": None,
            "stopping_ms": None,
            "ended_ms": 9,
            "ranks": [
                {
                    "rank": 0,
                    "node": "node-1",
                    "pid": 7,
                    "exit_code": None,
                    "signal": 9,
                    "started_ms": None,
                    "ended_ms": 9,
                    "last_lines": [],
                }
            ],
        }
    ],
}


def test_a_whole_job_as_json() -> None:
    assert json.loads(to_json(job_view(an_ended_job()))) == ENDED_AS_JSON


def test_only_a_queued_job_has_a_place_in_the_line() -> None:
    queued = job_view(job(JobPhase.QUEUED), waiting=(3, BUSY))
    assert queued.reason is not None
    assert (queued.position, queued.reason.code) == (3, "resources_busy")
    running = job_view(job(JobPhase.RUNNING), waiting=(3, BUSY))
    assert (running.position, running.reason) == (None, None)


def test_a_blocked_and_a_preparing_job_say_what_for() -> None:
    blocked = job_view(job(JobPhase.BLOCKED)).reason
    preparing = job_view(job(JobPhase.PREPARING)).reason
    assert blocked is not None
    assert preparing is not None
    assert (blocked.code, blocked.detail) == ("dependency", "after job-0")
    assert (preparing.code, preparing.detail) == ("environment", "host")


def test_live_progress_goes_before_what_was_stored() -> None:
    stored, live = Progress(at_ms=1, step=1), Progress(at_ms=2, step=2)
    view = job_view(job(JobPhase.RUNNING, progress=stored), progress=live).progress
    assert view is not None
    assert view.step == 2


def test_a_reason_is_a_sentence_with_both_numbers() -> None:
    numbers = "(it needs 2.5 GPU and can have 0.5 GPU)"
    assert sentence(BUSY) == f"others use what it needs: node-1 {numbers}"
    for code in ReasonCode:
        assert sentence(Reason(code=code))


def test_amounts_are_told_in_peoples_units() -> None:
    assert [
        amount(2_500, "milli_cpu"),
        amount(3 << 30, "memory_bytes"),
        amount(1_536 << 10, "memory_bytes"),
        amount(12, "memory_bytes"),
        amount(4, "nodes"),
    ] == ["2.5 CPU", "3 GiB", "1.5 MiB", "12 bytes", "4 nodes"]


def test_a_page_is_its_items_and_where_to_go_on() -> None:
    page = PageView(items=[{"a": 1}, {"b": 2}], next="cursor")
    assert json.loads(page_json(page)) == {"items": [{"a": 1}, {"b": 2}], "next": "cursor"}
    assert json.loads(page_json(PageView(items=[], next=""))) == {"items": [], "next": ""}
