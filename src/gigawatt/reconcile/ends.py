"""Ends, and what follows from them: what comes after goes on or ends too, and arrays take in the ends of their tasks.

A chain of followers may be as long as there are jobs, so it is walked in a loop, not by recursion.
"""

from gigawatt.model.array import JobArray, task_id
from gigawatt.model.attempt import Verdict
from gigawatt.model.job import Job, JobPhase, follows
from gigawatt.model.ranges import numbers, size, union, with_one, without_one
from gigawatt.model.values import replace
from gigawatt.reconcile import attempts, environments, tasks, waiting
from gigawatt.reconcile.turn import Turn

Work = Job | JobArray


def end_job(turn: Turn, job: Job, phase: JobPhase, message: str) -> Job:
    """End a job, and whatever comes after it and now never can run."""
    ended = _put_job(turn, job, phase, message)
    _follow(turn, [ended])
    return ended


def end_array(turn: Turn, array: JobArray, phase: JobPhase, message: str) -> JobArray:
    """End an array of which nothing runs; what has not run never will."""
    ended = _put_array(turn, array, phase, message)
    _follow(turn, [ended])
    return ended


def stop_array(turn: Turn, array: JobArray, phase: JobPhase, message: str) -> None:
    """Stop the tasks that run and drop those that do not; when nothing is left, the array ends in `phase`."""
    _follow(turn, _stop(turn, array, phase, message))


def _follow(turn: Turn, ended: list[Work]) -> None:
    open_ends = ended
    while open_ends:
        earlier = open_ends.pop()
        if isinstance(earlier, Job) and earlier.array:
            open_ends += _folded(turn, earlier)
        for dependent in tuple(turn.world.dependents.pop(earlier.id, {})):
            open_ends += _earlier_ended(turn, dependent, earlier)


def _folded(turn: Turn, job: Job) -> list[Work]:
    """A task has ended: the next ones, or the end of its array; whatever else has ended by that."""
    array = tasks.fold(turn, job)
    if array is None:
        return []
    if tasks.too_many_failed(array):
        failed, limit = size(array.failed), array.tasks.max_failures
        message = f"{failed} tasks failed, and max_failures is {limit}"
        return _stop(turn, array, JobPhase.FAILED, message)
    array = tasks.refill(turn, array)
    if array.running or array.pending:
        return []
    return [_put_array(turn, array, *tasks.outcome(array))]


def _stop(turn: Turn, array: JobArray, phase: JobPhase, message: str) -> list[Work]:
    """What has ended by it at once. Those that are only recalled have no job yet, and are dropped."""
    if array.phase is JobPhase.RUNNING:
        array = array.moved(JobPhase.STOPPING)
    array = replace(
        array,
        ending=phase,
        message=message,
        pending=(),
        cancelled=union(array.cancelled, array.pending),
        again=(),
    )
    ended: list[Work] = []
    for index in numbers(array.running):
        job = turn.world.jobs.get(task_id(array.id, index))
        if job is None:
            array = replace(
                array,
                running=without_one(array.running, index),
                cancelled=with_one(array.cancelled, index),
            )
        elif job.attempt is not None and job.attempt.live:
            attempts.stop(turn, job, job.attempt, cause=Verdict.CANCELLED)
        elif job.phase is not JobPhase.SAVING:
            ended.append(_put_job(turn, job, JobPhase.CANCELLED, message))
    if not array.running:
        return [*ended, _put_array(turn, array, phase, message)]
    turn.put(array)
    return ended


def _earlier_ended(turn: Turn, dependent: str, earlier: Work) -> list[Work]:
    """What is blocked goes on, or ends because `earlier` did not end as it asks; what has ended."""
    work = turn.world.jobs.get(dependent) or turn.world.arrays.get(dependent)
    if work is None or work.phase is not JobPhase.BLOCKED:
        return []
    if not follows(work.spec, earlier.id, earlier.phase):
        message = f"{earlier.spec.name} ({earlier.id}), which it comes after, {earlier.phase.value}"
        if isinstance(work, JobArray):
            return [_put_array(turn, work, JobPhase.FAILED, message)]
        return [_put_job(turn, work, JobPhase.FAILED, message)]
    if not waiting.blocked(turn, work.spec):
        if isinstance(work, JobArray):
            tasks.begin(turn, work)
        else:
            waiting.queue(turn, work, kind="job.queued")
    return []


def _put_job(turn: Turn, job: Job, phase: JobPhase, message: str) -> Job:
    ended = turn.put(replace(job.moved(phase), ended_ms=turn.now_ms, message=message))
    turn.world.saved_ms.pop(job.id, None)
    turn.world.paces.pop(job.id, None)
    environments.used(turn, job.spec.environment)
    turn.emit(f"job.{phase.value}", ended, message)
    return ended


def _put_array(turn: Turn, array: JobArray, phase: JobPhase, message: str) -> JobArray:
    ended = turn.put(
        replace(
            array.moved(phase),
            pending=(),
            cancelled=union(array.cancelled, array.pending),
            again=(),
            ending=None,
            ended_ms=turn.now_ms,
            message=message,
        )
    )
    turn.emit(f"array.{phase.value}", ended, message)
    return ended
