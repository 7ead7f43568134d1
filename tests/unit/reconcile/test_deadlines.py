"""By when a job must have started, and by when it should be done."""

from dataclasses import replace
from typing import Any

import pytest

from gigawatt.model.attempt import AttemptPhase, Verdict
from gigawatt.model.command import RetryJob, SubmitJob
from gigawatt.model.deadline import AtDeadline, Chance, Deadline, chance
from gigawatt.model.gang import Window
from gigawatt.model.job import Job, JobPhase, JobSpec
from gigawatt.model.observation import DeadlineUnlikely
from gigawatt.model.tenant import Project, Tenant
from gigawatt.model.world import World
from gigawatt.reconcile import apply, jobs
from gigawatt.reconcile.turn import Site, Turn
from tests.scenario.build import NOW_MS, make_attempt, make_node, make_shape

SECOND_MS = 1_000


def a_turn(world: World | None = None, *, at_ms: int = NOW_MS) -> Turn:
    if world is None:
        world = World(epoch=1)
        world.put(Tenant(id="default", created_ms=0))
        world.put(Project(id="default/default", tenant="default", name="default", created_ms=0))
    return Turn(world=world, now_ms=at_ms, site=Site(work_dir="", api_url=""))


def submitted(turn: Turn, **terms: Any) -> Job:
    spec = JobSpec(name="a", command=("true",), shape=make_shape(), environment="host", **terms)
    return jobs.submit(
        turn, SubmitJob(id="job-1", tenant="default", project="default", by="ada", spec=spec)
    )


def running(turn: Turn, job: Job) -> Job:
    """The job with an attempt that runs."""
    node = make_node("n")
    turn.world.put(node)
    job = turn.put(job.moved(JobPhase.STARTING).moved(JobPhase.RUNNING))
    attempt = replace(make_attempt([node]), running_ms=turn.now_ms, phase=AttemptPhase.RUNNING)
    return turn.put(job.with_attempt(attempt))


def kinds(turn: Turn) -> list[str]:
    return [event.kind for event in turn.events]


def test_a_span_counts_from_the_submission_and_again_from_a_retry() -> None:
    turn = a_turn()
    job = submitted(turn, deadline=Deadline(within_s=60))
    assert job.deadline_ms == NOW_MS + 60 * SECOND_MS
    assert [due.at_ms for due in turn.dues] == [job.deadline_ms]
    failed = turn.put(replace(job, phase=JobPhase.FAILED, ended_ms=NOW_MS, deadline_told="missed"))
    turn.world.jobs.pop("job-1", None)
    later = a_turn(turn.world, at_ms=NOW_MS + 500 * SECOND_MS)
    again = jobs.retry(later, RetryJob(job=failed, by="ada"))
    assert (again.deadline_ms, again.deadline_told) == (later.now_ms + 60 * SECOND_MS, "")


def test_at_its_deadline_a_job_is_told_of_once_and_goes_on() -> None:
    turn = a_turn()
    job = running(turn, submitted(turn, deadline=Deadline(at_ms=NOW_MS + 9)))
    for at_ms in (NOW_MS + 8, NOW_MS + 9, NOW_MS + 10):
        late = a_turn(turn.world, at_ms=at_ms)
        apply.due(late, job.id)
        assert kinds(late) == (["job.deadline_missed"] if at_ms == NOW_MS + 9 else [])
        assert turn.world.jobs[job.id].phase is JobPhase.RUNNING
    assert turn.world.jobs[job.id].latest_ms == 0


@pytest.mark.parametrize("runs", [False, True])
def test_a_job_that_ends_at_its_deadline_is_stopped_or_fails(*, runs: bool) -> None:
    turn = a_turn()
    job = submitted(turn, deadline=Deadline(at_ms=NOW_MS + 9, then=AtDeadline.STOP))
    if runs:
        job = running(turn, job)
    late = a_turn(turn.world, at_ms=NOW_MS + 9)
    apply.due(late, job.id)
    if runs:
        job = turn.world.jobs[job.id]
        assert job.phase is JobPhase.STOPPING
        assert job.attempt
        jobs.attempt_ended(late, job, replace(job.attempt, verdict=Verdict.TIMEOUT))
    ended = late.puts["Job", "job-1"]
    assert isinstance(ended, Job)
    assert ended.phase is JobPhase.FAILED
    assert "deadline" in ended.message
    assert kinds(late)[0] == "job.deadline_missed"
    assert kinds(late)[-1] == "job.failed"


def test_what_was_stopped_for_another_does_not_go_back_into_the_line_after_its_deadline() -> None:
    turn = a_turn()
    job = submitted(turn, deadline=Deadline(at_ms=NOW_MS + 9, then=AtDeadline.STOP))
    job = turn.put(replace(running(turn, job), deadline_told="missed", phase=JobPhase.STOPPING))
    assert job.attempt
    jobs.attempt_ended(turn, job, replace(job.attempt, verdict=Verdict.PREEMPTION))
    ended = turn.puts["Job", "job-1"]
    assert isinstance(ended, Job)
    assert ended.phase is JobPhase.FAILED


def test_that_a_deadline_is_unlikely_is_said_once() -> None:
    turn = a_turn()
    job = submitted(turn, deadline=Deadline(at_ms=NOW_MS + 9_000))
    for _ in range(2):
        seen = DeadlineUnlikely(at_ms=NOW_MS, job=job.id, p50_ms=NOW_MS + 11_500)
        apply.observation(turn, seen)
    assert kinds(turn) == ["job.submitted", "job.deadline_unlikely"]
    assert turn.events[-1].message.endswith("by 3 s at the median")
    apply.observation(turn, DeadlineUnlikely(at_ms=NOW_MS, job="gone", p50_ms=1))
    assert len(turn.events) == 2


def test_what_has_not_started_in_its_window_fails_and_what_has_may_go_on() -> None:
    window = (Window(start_ms=0, end_ms=NOW_MS + 9),)
    turn = a_turn()
    job = submitted(turn, windows=window)
    assert [due.at_ms for due in turn.dues] == [NOW_MS + 9]
    apply.due(a_turn(turn.world, at_ms=NOW_MS + 8), job.id)
    assert turn.world.jobs[job.id].phase is JobPhase.QUEUED
    late = a_turn(turn.world, at_ms=NOW_MS + 9)
    apply.due(late, job.id)
    ended = late.puts["Job", "job-1"]
    assert isinstance(ended, Job)
    assert (ended.phase, ended.message) == (
        JobPhase.FAILED,
        "it had not started by its start_before",
    )
    turn = a_turn()
    job = running(turn, submitted(turn, windows=window))
    apply.due(a_turn(turn.world, at_ms=NOW_MS + 9), job.id)
    assert turn.world.jobs[job.id].phase is JobPhase.RUNNING
    assert job.gang().windows == (Window(start_ms=0),)


def test_a_chance_follows_from_both_ends() -> None:
    assert chance(5, p50_ms=1, p90_ms=5) is Chance.LIKELY
    assert chance(5, p50_ms=5, p90_ms=6) is Chance.UNCERTAIN
    assert chance(5, p50_ms=6, p90_ms=9) is Chance.UNLIKELY
