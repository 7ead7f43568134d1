"""Schedules in the loop: what each due time comes to, by overlap, lateness and whom it runs for."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gigawatt.model.array import ArraySpec, task_id
from gigawatt.model.cause import Cause
from gigawatt.model.command import CreateKey, RevokeKey
from gigawatt.model.job import JobPhase
from gigawatt.model.launch import AttemptKey
from gigawatt.model.order import ChangeSchedule, CreateSchedule, RunSchedule
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.schedule import (
    CatchUp,
    Fire,
    FireOutcome,
    Overlap,
    Schedule,
    SchedulePhase,
    Timing,
)
from gigawatt.model.tenant import ApiKey, Role
from gigawatt.reconcile.schedules import CATCH_UP_MAX, LABEL, job_id, starts
from tests.loop import Loop, a_spec
from tests.machines import a_report

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
START_MS = int(datetime(2026, 1, 5, 2, 30, tzinfo=UTC).timestamp()) * 1_000
THREE_MS = START_MS + 30 * MINUTE_MS
KEY = ApiKey(
    id="key-1",
    tenant="default",
    project="",
    name="ada",
    role=Role.DEVELOPER,
    prefix="gw_",
    sha256="0" * 64,
    created_ms=START_MS,
    created_by="test",
)
HOURLY = Timing(cron="0 * * * *", timezone="UTC")


def a_loop(timing: Timing = HOURLY, *, key: ApiKey = KEY) -> Loop:
    """At half past two, with a schedule by the hour."""
    loop = Loop.of(a_report("node-0"))
    loop.machines.now_ms = START_MS
    loop.restart()
    loop.ask(CreateKey(key=key))
    loop.ask(a_schedule(timing))
    return loop


def a_schedule(timing: Timing = HOURLY, *, name: str = "nightly") -> CreateSchedule:
    return CreateSchedule(
        id=f"sched-{name}",
        tenant="default",
        project="default",
        name=name,
        owner="ada",
        key=KEY.id,
        timing=timing,
        spec=a_spec("train", milli_cpu=100),
        environment=None,
        cause=Cause(template="train", template_number=3),
    )


def schedule(loop: Loop) -> Schedule:
    found = loop.kept["Schedule", "sched-nightly"]
    assert isinstance(found, Schedule)
    return found


def fires(loop: Loop) -> list[tuple[int, FireOutcome, str]]:
    found = [each for each in loop.kept.values() if isinstance(each, Fire)]
    return [(each.due_ms, each.outcome, each.job) for each in sorted(found, key=lambda f: f.due_ms)]


def to(loop: Loop, at_ms: int) -> None:
    loop.later(at_ms - loop.now_ms)
    loop.step()


def finish(loop: Loop, id: str) -> None:
    loop.machines.exit(AttemptKey(gang=id, attempt=1), 0)
    loop.step()


def change(phase: SchedulePhase, *, key: str = KEY.id) -> ChangeSchedule:
    return ChangeSchedule(id="sched-nightly", phase=phase, by="ada", key=key)


def test_a_schedule_waits_for_its_time_with_a_timer_alone() -> None:
    loop = a_loop()
    assert schedule(loop).next_ms == THREE_MS
    assert loop.state.timers.next_ms == THREE_MS
    to(loop, THREE_MS - 1)
    assert fires(loop) == []


def test_at_its_time_it_submits_a_job_that_says_where_it_came_from() -> None:
    loop = a_loop()
    to(loop, THREE_MS)
    name = job_id("sched-nightly", THREE_MS)
    job = loop.job(name)
    assert job.phase is JobPhase.RUNNING
    assert (job.submitted_by, job.spec.name) == ("ada", "train")
    assert dict(job.spec.labels) == {LABEL: "nightly"}
    assert job.cause == Cause(
        schedule="nightly",
        schedule_id="sched-nightly",
        due_ms=THREE_MS,
        template="train",
        template_number=3,
    )
    assert fires(loop) == [(THREE_MS, FireOutcome.STARTED, name)]
    assert schedule(loop).next_ms == THREE_MS + HOUR_MS
    assert [each.kind for each in loop.events if each.kind.startswith("schedule.")] == [
        "schedule.created",
        "schedule.started",
    ]


def test_a_restart_around_a_fire_neither_loses_nor_repeats_it() -> None:
    loop = a_loop()
    loop.later(THREE_MS - loop.now_ms)
    loop.restart()  # before anything was decided
    loop.restart()  # after
    assert [outcome for _, outcome, _ in fires(loop)] == [FireOutcome.STARTED]
    assert [each.kind for each in loop.events].count("job.submitted") == 1


def test_while_a_job_runs_the_next_fire_is_skipped_allowed_or_replaces_it() -> None:
    found: dict[Overlap, list[FireOutcome]] = {}
    live: dict[Overlap, list[str]] = {}
    for overlap in Overlap:
        loop = a_loop(replace(HOURLY, overlap=overlap))
        to(loop, THREE_MS)
        to(loop, THREE_MS + HOUR_MS)
        found[overlap] = [outcome for _, outcome, _ in fires(loop)]
        live[overlap] = sorted(loop.world.jobs)
    first, second = (job_id("sched-nightly", THREE_MS + n * HOUR_MS) for n in (0, 1))
    started = FireOutcome.STARTED
    assert found[Overlap.SKIP] == [started, FireOutcome.SKIPPED]
    assert live[Overlap.SKIP] == [first]
    assert (found[Overlap.ALLOW], live[Overlap.ALLOW]) == ([started, started], [first, second])
    assert (found[Overlap.REPLACE], live[Overlap.REPLACE]) == ([started, started], [second])


def test_an_array_starts_whole_and_is_an_overlap_until_its_last_task_has_ended() -> None:
    found: dict[Overlap, list[FireOutcome]] = {}
    live: dict[Overlap, list[str]] = {}
    first = job_id("sched-nightly", THREE_MS, noun="array")
    for overlap in Overlap:
        loop = array_loop(overlap)
        to(loop, THREE_MS)
        assert sorted(loop.world.jobs) == [task_id(first, index) for index in (0, 1)]
        finish(loop, task_id(first, 0))
        to(loop, THREE_MS + HOUR_MS)
        found[overlap] = [outcome for _, outcome, _ in fires(loop)]
        loop.step()
        live[overlap] = sorted(loop.world.arrays)
    second = job_id("sched-nightly", THREE_MS + HOUR_MS, noun="array")
    started = FireOutcome.STARTED
    assert (found[Overlap.SKIP], live[Overlap.SKIP]) == ([started, FireOutcome.SKIPPED], [first])
    assert (found[Overlap.ALLOW], live[Overlap.ALLOW]) == ([started, started], [first, second])
    assert (found[Overlap.REPLACE], live[Overlap.REPLACE]) == ([started, started], [second])


def array_loop(overlap: Overlap) -> Loop:
    """As `a_loop`, with a schedule of an array of two tasks."""
    loop = Loop.of(a_report("node-0"))
    loop.machines.now_ms = START_MS
    loop.restart()
    loop.ask(CreateKey(key=KEY))
    tasks = ArraySpec(indices=((0, 1),))
    loop.ask(replace(a_schedule(replace(HOURLY, overlap=overlap)), tasks=tasks))
    return loop


def test_an_array_is_fired_once_however_often_the_control_plane_dies() -> None:
    loop = array_loop(Overlap.SKIP)
    loop.later(THREE_MS - loop.now_ms)
    loop.restart()
    loop.restart()
    assert [each.kind for each in loop.events].count("array.submitted") == 1
    (array,) = loop.world.arrays.values()
    assert array.cause is not None
    assert array.cause.due_ms == THREE_MS


def test_a_job_that_has_ended_is_no_overlap() -> None:
    loop = a_loop()
    to(loop, THREE_MS)
    finish(loop, job_id("sched-nightly", THREE_MS))
    to(loop, THREE_MS + HOUR_MS)
    assert [outcome for _, outcome, _ in fires(loop)] == [FireOutcome.STARTED] * 2


def down_for_hours(timing: Timing) -> list[tuple[int, FireOutcome, str]]:
    """Five due times pass while nothing runs; the last was half an hour ago."""
    loop = a_loop(timing)
    loop.later(5 * HOUR_MS)
    loop.restart()
    return fires(loop)


def test_after_a_downtime_none_the_last_or_all_fires_are_made_up_for() -> None:
    allow = replace(HOURLY, overlap=Overlap.ALLOW)
    last_ms = THREE_MS + 4 * HOUR_MS
    none = down_for_hours(replace(allow, catch_up=CatchUp.NONE))
    assert none == [(last_ms, FireOutcome.MISSED, "")]
    last = down_for_hours(replace(allow, catch_up=CatchUp.LAST))
    assert last == [
        (last_ms - HOUR_MS, FireOutcome.MISSED, ""),
        (last_ms, FireOutcome.STARTED, job_id("sched-nightly", last_ms)),
    ]
    every = down_for_hours(replace(allow, catch_up=CatchUp.ALL))
    assert [outcome for _, outcome, _ in every] == [FireOutcome.STARTED] * 5


def test_what_is_made_up_for_is_bounded_and_the_rest_is_counted() -> None:
    timing = Timing(cron="* * * * *", timezone="UTC", catch_up=CatchUp.ALL, overlap=Overlap.ALLOW)
    loop = a_loop(timing)
    loop.later(50 * MINUTE_MS)
    loop.restart()
    found = [each for each in loop.kept.values() if isinstance(each, Fire)]
    assert sum(each.count for each in found) == 50
    assert sum(each.outcome is FireOutcome.STARTED for each in found) == CATCH_UP_MAX


def test_nothing_starts_later_than_its_deadline() -> None:
    late = replace(HOURLY, overlap=Overlap.ALLOW, catch_up=CatchUp.ALL, deadline_s=2 * 3_600)
    outcomes = [outcome for _, outcome, _ in down_for_hours(late)]
    assert outcomes == [FireOutcome.MISSED, FireOutcome.STARTED, FireOutcome.STARTED]
    assert starts(replace(HOURLY, deadline_s=10), (THREE_MS,), now_ms=THREE_MS + 10_000) != ()
    assert starts(replace(HOURLY, deadline_s=10), (THREE_MS,), now_ms=THREE_MS + 10_001) == ()


def test_what_was_due_while_it_was_paused_is_not_made_up_for() -> None:
    loop = a_loop()
    loop.ask(change(SchedulePhase.PAUSED))
    to(loop, THREE_MS + HOUR_MS + MINUTE_MS)
    assert (fires(loop), schedule(loop).next_ms) == ([], None)
    loop.ask(change(SchedulePhase.ACTIVE))
    assert schedule(loop).next_ms == THREE_MS + 2 * HOUR_MS
    to(loop, THREE_MS + 2 * HOUR_MS)
    assert [outcome for _, outcome, _ in fires(loop)] == [FireOutcome.STARTED]


def test_a_deleted_schedule_is_gone_and_its_name_is_free() -> None:
    loop = a_loop()
    with pytest.raises(RefusalError) as caught:
        loop.ask(replace(a_schedule(), id="sched-other"))
    assert caught.value.code is RefusalCode.CONFLICT
    loop.ask(change(SchedulePhase.DELETED))
    to(loop, THREE_MS)
    assert fires(loop) == []
    loop.ask(replace(a_schedule(), id="sched-other"))
    assert sorted(loop.world.schedules) == ["sched-other"]


def test_a_revoked_key_stops_what_runs_for_it_and_another_takes_it_over() -> None:
    loop = a_loop()
    loop.ask(RevokeKey(id=KEY.id, tenant="default", by="root"))
    stopped = schedule(loop)
    assert (stopped.phase, stopped.next_ms) == (SchedulePhase.STOPPED, None)
    assert stopped.message == "the key of ada, for whom it runs, was revoked"
    loop.ask(CreateKey(key=replace(KEY, id="key-2", name="bob")))
    loop.ask(replace(change(SchedulePhase.ACTIVE, key="key-2"), by="bob"))
    to(loop, THREE_MS)
    assert loop.job(job_id("sched-nightly", THREE_MS)).submitted_by == "bob"


def test_a_key_that_has_expired_stops_it_at_the_next_fire() -> None:
    loop = a_loop(key=replace(KEY, expires_ms=THREE_MS))
    to(loop, THREE_MS)
    assert schedule(loop).message == "the key of ada, for whom it runs, has expired"
    assert fires(loop) == []


def test_a_project_that_is_gone_stops_it() -> None:
    loop = a_loop()
    loop.world.projects.clear()
    to(loop, THREE_MS)
    assert schedule(loop).phase is SchedulePhase.STOPPED
    assert schedule(loop).message == "its project default is not there any more"


def test_it_can_be_run_now_whatever_it_is() -> None:
    loop = a_loop()
    loop.ask(change(SchedulePhase.PAUSED))
    for number in (1, 2):
        loop.ask(RunSchedule(id="sched-nightly", job=f"job-{number}", by="bob"))
    assert [outcome for _, outcome, _ in fires(loop)] == [FireOutcome.STARTED] * 2
    cause = loop.job("job-2").cause
    assert cause is not None
    assert (cause.schedule, cause.due_ms, loop.job("job-2").submitted_by) == ("nightly", 0, "bob")
    assert schedule(loop).jobs == ("job-1", "job-2")
