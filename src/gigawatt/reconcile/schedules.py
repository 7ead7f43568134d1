"""Schedules: made, paused, resumed, and what each due time comes to.

Which fires start is decided from the world and the time alone. The job, the record of the fire and the next due time
are of one commit, and the job's id is made of the schedule and the due time: a fire happens once, however often the
control plane dies around it.
"""

import hashlib

from gigawatt.model.array import JobArray
from gigawatt.model.command import CancelArray, CancelJob, SubmitArray, SubmitJob
from gigawatt.model.ids import RANDOM_BYTES, make_id
from gigawatt.model.job import Job, JobPhase
from gigawatt.model.order import ChangeSchedule, CreateSchedule, RunSchedule
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.roles import standing
from gigawatt.model.schedule import (
    CatchUp,
    Fire,
    FireOutcome,
    Overlap,
    Schedule,
    SchedulePhase,
    Timing,
)
from gigawatt.model.values import replace
from gigawatt.reconcile import arrays, jobs
from gigawatt.reconcile.projects import check_project, project_id
from gigawatt.reconcile.turn import Turn
from gigawatt.spec.cron import due_times, next_ms

ON_TIME_MS = 60_000  # a fire that is later than this was missed, and is made up for or not
CATCH_UP_MAX = 24  # fires that are made up for at once
MISSED_COUNTED_MAX = 1_000
JOBS_MAX = 100  # jobs and arrays of one schedule that have not ended
SCHEDULES_MAX = 1_000  # of one project
FIRES_KEPT = 1_000  # of one schedule
LABEL = "gigawatt/schedule"


def create(turn: Turn, command: CreateSchedule) -> Schedule:
    """A schedule, due for the first time from now on. Refused where its name is taken."""
    check_project(turn, command.tenant, command.project)
    siblings = [
        each
        for each in turn.world.schedules.values()
        if (each.tenant, each.project) == (command.tenant, command.project)
    ]
    if any(each.name == command.name for each in siblings):
        detail = f"schedule {command.name} is already there"
        hint = f"gw schedules delete {command.name}, or choose another name"
        raise RefusalError(RefusalCode.CONFLICT, detail, field="name", hint=hint)
    if len(siblings) >= SCHEDULES_MAX:
        detail = f"project {command.project} has {SCHEDULES_MAX} schedules, which is the limit"
        raise RefusalError(RefusalCode.LIMIT, detail)
    schedule = Schedule(
        id=command.id,
        tenant=command.tenant,
        project=command.project,
        name=command.name,
        timing=command.timing,
        spec=command.spec,
        environment=command.environment,
        tasks=command.tasks,
        cause=command.cause,
        phase=SchedulePhase.ACTIVE,
        created_ms=turn.now_ms,
        owner=command.owner,
        key=command.key,
        next_ms=_next(command.timing, turn.now_ms),
    )
    schedule = turn.put(schedule)
    turn.emit("schedule.created", schedule, f"{schedule.name} by {command.owner}")
    arm(turn, schedule)
    return schedule


def change(turn: Turn, command: ChangeSchedule) -> Schedule:
    """Pause it, have it go on for whoever asks, or delete it. What was due while it was paused is not made up for."""
    schedule = _found(turn, command.id)
    phase = command.phase
    if phase is schedule.phase:
        return schedule
    after = replace(schedule, phase=phase, next_ms=None, message="")
    kind = {SchedulePhase.PAUSED: "paused", SchedulePhase.DELETED: "deleted"}.get(phase, "resumed")
    if phase is SchedulePhase.ACTIVE:
        next_due = _next(schedule.timing, turn.now_ms)
        after = replace(after, next_ms=next_due, owner=command.by, key=command.key)
    after = turn.put(after)
    turn.emit(f"schedule.{kind}", after, f"{after.name} by {command.by}")
    arm(turn, after)
    return after


def run(turn: Turn, command: RunSchedule) -> Job | JobArray:
    """Its job or array, now. It counts as one of the schedule's, and its other fires stay as they are."""
    schedule = _found(turn, command.id)
    job = _submitted(turn, schedule, command.job, due_ms=0, by=command.by)
    schedule = _with_job(turn, schedule, job.id)
    detail = f"asked for by {command.by}"
    fire = replace(_fire(turn, schedule, turn.now_ms), job=job.id, detail=detail)
    schedule = turn.put(_recorded(turn, schedule, fire))
    turn.emit("schedule.started", schedule, f"{schedule.name}: {job.id}, by {command.by}")
    return job


def due(turn: Turn, schedule: Schedule) -> None:
    """Decide every fire that is due by now, and when the next one is."""
    if schedule.next_ms is None or turn.now_ms < schedule.next_ms:
        arm(turn, schedule)
        return
    barred = _barred(turn, schedule)
    if barred:
        _stop(turn, schedule, barred)
        return
    times = due_times(
        schedule.timing.cron,
        schedule.timing.timezone,
        first_ms=schedule.next_ms,
        until_ms=turn.now_ms,
        limit=MISSED_COUNTED_MAX,
    )
    wanted = starts(schedule.timing, times, now_ms=turn.now_ms)
    missed = [each for each in times if each not in wanted]
    if missed:
        schedule = _miss(turn, schedule, missed)
    for due_ms in wanted:
        schedule = _start(turn, schedule, due_ms)
    schedule = turn.put(replace(schedule, next_ms=_next(schedule.timing, turn.now_ms)))
    arm(turn, schedule)


def starts(timing: Timing, times: tuple[int, ...], *, now_ms: int) -> tuple[int, ...]:
    """Which of the due times start a job now: the newest if it is on time, and those that are made up for."""
    on_time = tuple(each for each in times[-1:] if now_ms - each <= ON_TIME_MS)
    chosen = {
        CatchUp.NONE: on_time,
        CatchUp.LAST: times[-1:],
        CatchUp.ALL: times[-CATCH_UP_MAX:],
    }[timing.catch_up]
    if not timing.deadline_s:
        return chosen
    return tuple(each for each in chosen if now_ms - each <= timing.deadline_s * 1_000)


def key_rotated(turn: Turn, before: str, after: str) -> None:
    """Schedules that ran for a key run for its successor."""
    for schedule in list(turn.world.schedules.values()):
        if schedule.key == before:
            turn.put(replace(schedule, key=after))


def key_revoked(turn: Turn, key: str) -> None:
    """Schedules that run for this key stop at once."""
    for schedule in tuple(turn.world.schedules.values()):
        if schedule.phase is SchedulePhase.ACTIVE and schedule.key == key:
            _stop(turn, schedule, _barred(turn, schedule))


def arm(turn: Turn, schedule: Schedule) -> None:
    """Have it looked at when it is due."""
    if schedule.next_ms is not None:
        turn.due(schedule.next_ms, schedule.id)


def job_id(schedule: str, due_ms: int, *, noun: str = "job") -> str:
    """The id of the job or array of one fire: the same whoever works it out."""
    digest = hashlib.sha256(f"{schedule}/{due_ms}".encode()).digest()
    return make_id(noun, now_ms=due_ms, entropy=digest[:RANDOM_BYTES])


def noun_of(schedule: Schedule) -> str:
    """What one fire of it is."""
    return "job" if schedule.tasks is None else "array"


def _found(turn: Turn, id: str) -> Schedule:
    schedule = turn.world.schedules.get(id)
    if schedule is None:
        raise RefusalError(RefusalCode.NOT_FOUND, f"there is no schedule {id}")
    return schedule


def _next(timing: Timing, now_ms: int) -> int | None:
    return next_ms(timing.cron, timing.timezone, after_ms=now_ms)


def _barred(turn: Turn, schedule: Schedule) -> str:
    """Why it may not submit any more; empty where it may."""
    if project_id(schedule.tenant, schedule.project) not in turn.world.projects:
        return f"its project {schedule.project} is not there any more"
    key = turn.world.keys.get(schedule.key)
    if key is None or key.revoked_ms is not None:
        return f"the key of {schedule.owner}, for whom it runs, was revoked"
    if key.expires_ms and key.expires_ms <= turn.now_ms:
        return f"the key of {schedule.owner}, for whom it runs, has expired"
    if standing(key, turn.world.users.get(key.user)) is None:
        return f"{schedule.owner}, for whom it runs, is disabled or holds no role there any more"
    return ""


def _stop(turn: Turn, schedule: Schedule, why: str) -> None:
    stopped = replace(schedule, phase=SchedulePhase.STOPPED, next_ms=None, message=why)
    stopped = turn.put(stopped)
    turn.emit("schedule.stopped", stopped, f"{stopped.name}: {why}")


def _start(turn: Turn, schedule: Schedule, due_ms: int) -> Schedule:
    open_jobs = _open_jobs(turn, schedule)
    if schedule.timing.overlap is Overlap.REPLACE:
        for job in open_jobs:
            _cancel(turn, job, by=f"schedule {schedule.name}")
    elif open_jobs and schedule.timing.overlap is Overlap.SKIP:
        return _skip(turn, schedule, due_ms, f"{open_jobs[0]} has not ended")
    if len(open_jobs) >= JOBS_MAX:
        return _skip(turn, schedule, due_ms, f"{JOBS_MAX} jobs of it have not ended")
    fire = _fire(turn, schedule, due_ms)
    new_id = job_id(schedule.id, due_ms, noun=noun_of(schedule))
    try:
        job = _submitted(turn, schedule, new_id, due_ms=due_ms, by=schedule.owner)
    except RefusalError as refusal:
        turn.emit("schedule.refused", schedule, f"{schedule.name}: {refusal.detail}")
        refused = replace(fire, outcome=FireOutcome.REFUSED, detail=refusal.detail)
        return _recorded(turn, schedule, refused)
    turn.emit("schedule.started", schedule, f"{schedule.name}: {job.id}")
    return _recorded(turn, _with_job(turn, schedule, job.id), replace(fire, job=job.id))


def _submitted(turn: Turn, schedule: Schedule, id: str, *, due_ms: int, by: str) -> Job | JobArray:
    """Raises RefusalError, having changed nothing."""
    labels = {**dict(schedule.spec.labels), LABEL: schedule.name}
    one = SubmitJob(
        id=id,
        tenant=schedule.tenant,
        project=schedule.project,
        by=by,
        spec=replace(schedule.spec, labels=tuple(sorted(labels.items()))),
        environment=schedule.environment,
        cause=replace(
            schedule.cause, schedule=schedule.name, schedule_id=schedule.id, due_ms=due_ms
        ),
    )
    if schedule.tasks is None:
        return jobs.submit(turn, one)
    many = SubmitArray(
        id=id,
        tenant=one.tenant,
        project=one.project,
        by=by,
        spec=one.spec,
        tasks=schedule.tasks,
        environment=one.environment,
        cause=one.cause,
    )
    return arrays.submit(turn, many)


def _open_jobs(turn: Turn, schedule: Schedule) -> tuple[str, ...]:
    there = (turn.world.jobs, turn.world.arrays)
    return tuple(each for each in schedule.jobs if any(each in held for held in there))


def _with_job(turn: Turn, schedule: Schedule, job: str) -> Schedule:
    return replace(schedule, jobs=(*_open_jobs(turn, schedule), job), last_job=job)


def _cancel(turn: Turn, id: str, *, by: str) -> None:
    """One whose model is being stored is let to its end."""
    if id in turn.world.arrays:
        arrays.cancel(turn, CancelArray(id=id, by=by))
        return
    if turn.world.jobs[id].phase is not JobPhase.SAVING:
        jobs.cancel(turn, CancelJob(id=id, by=by))


def _skip(turn: Turn, schedule: Schedule, due_ms: int, why: str) -> Schedule:
    turn.emit("schedule.skipped", schedule, f"{schedule.name}: {why}")
    fire = _fire(turn, schedule, due_ms)
    return _recorded(turn, schedule, replace(fire, outcome=FireOutcome.SKIPPED, detail=why))


def _miss(turn: Turn, schedule: Schedule, missed: list[int]) -> Schedule:
    count, late_s = len(missed), (turn.now_ms - missed[-1]) // 1_000
    detail = f"looked at {late_s} s late"
    turn.emit("schedule.missed", schedule, f"{schedule.name}: {count} due times, {detail}")
    fire = _fire(turn, schedule, missed[-1])
    fire = replace(fire, outcome=FireOutcome.MISSED, count=count, detail=detail)
    return _recorded(turn, schedule, fire)


def _fire(turn: Turn, schedule: Schedule, due_ms: int) -> Fire:
    """One that starts its job; whoever finds that it does not says so."""
    return Fire(
        id=f"{schedule.id}/{schedule.fires % FIRES_KEPT}",
        tenant=schedule.tenant,
        project=schedule.project,
        schedule=schedule.id,
        due_ms=due_ms,
        at_ms=turn.now_ms,
        outcome=FireOutcome.STARTED,
    )


def _recorded(turn: Turn, schedule: Schedule, fire: Fire) -> Schedule:
    turn.put(fire)
    return replace(schedule, fires=schedule.fires + 1)
