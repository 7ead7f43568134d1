"""Ends, and what follows from them: what comes after goes on or ends too, and arrays take in the ends of their tasks.

A chain of followers may be as long as there are jobs, so it is walked in a loop, not by recursion.
"""

from dataclasses import dataclass

from gigawatt.model.array import JobArray, task_id
from gigawatt.model.attempt import Verdict
from gigawatt.model.job import Job, JobPhase, follows
from gigawatt.model.ranges import numbers, size, union, with_one, without_one
from gigawatt.model.values import replace
from gigawatt.reconcile import attempts, environments, tasks, waiting
from gigawatt.reconcile.turn import Turn

Work = Job | JobArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """What others come after and has ended; a task that never ran has no phase of its own."""

    id: str
    name: str
    phase: JobPhase | None


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


def begin_array(turn: Turn, array: JobArray) -> JobArray:
    """Nothing is in the way of an array as a whole: its first tasks, or its end where none can ever run."""
    _follow(turn, _begun(turn, array))
    return turn.world.arrays.get(array.id, array)


def stop_array(turn: Turn, array: JobArray, phase: JobPhase, message: str) -> None:
    """Stop the tasks that run and drop those that do not; when nothing is left, the array ends in `phase`."""
    _follow(turn, _stop(turn, array, phase, message))


def _follow(turn: Turn, ended: list[Work]) -> None:
    """Until nothing more follows. An array that has not ended is one of which some tasks have."""
    open_ends = ended
    while open_ends:
        earlier = open_ends.pop()
        if isinstance(earlier, Job) and earlier.array:
            open_ends += _folded(turn, earlier)
        if isinstance(earlier, JobArray):
            for dependent in tuple(turn.world.dependents.get(earlier.id, {})):
                open_ends += _each(turn, dependent, earlier)
            if not earlier.ended:
                continue
            open_ends += _tasks_gone(turn, earlier)
        for dependent in tuple(turn.world.dependents.pop(earlier.id, {})):
            open_ends += _earlier_ended(turn, dependent, earlier)


def _folded(turn: Turn, job: Job) -> list[Work]:
    """A task has ended: the next ones, or the end of its array; whatever else has ended by that."""
    array = tasks.fold(turn, job)
    if array is None:
        return []
    return [array, *_went_on(turn, array)]


def _went_on(turn: Turn, array: JobArray) -> list[Work]:
    """After some of its tasks have ended: the next ones, or the end of the array."""
    if tasks.too_many_failed(array):
        failed, limit = size(array.failed), array.tasks.max_failures
        message = f"{failed} tasks failed, and max_failures is {limit}"
        return _stop(turn, array, JobPhase.FAILED, message)
    array = tasks.refill(turn, array)
    if array.running or array.pending:
        return []
    return [_put_array(turn, array, *tasks.outcome(array))]


def _each(turn: Turn, dependent: str, upstream: JobArray) -> list[Work]:
    """An array whose tasks come after those of `upstream` one by one, of which some have ended, goes on."""
    array = turn.world.arrays.get(dependent)
    if array is None or array.spec.after_each != upstream.id:
        return []
    if array.phase is JobPhase.RUNNING:
        after = tasks.followed(turn, array, upstream)
        lost = [] if after is array else [after]
        return [*lost, *_went_on(turn, after)]
    if upstream.ended:  # it will not be there to be asked when its turn comes
        tasks.followed(turn, array, upstream)
    return []


def _tasks_gone(turn: Turn, array: JobArray) -> list[Work]:
    """What comes after tasks of an ended array that never became jobs goes on, or ends; what has ended by that."""
    ended: list[Work] = []
    own = f"{array.id}."
    for name in [each for each in turn.world.dependents if each.startswith(own)]:
        index = int(name.removeprefix(own))
        gone = Gone(id=name, name=f"{array.spec.name}[{index}]", phase=array.phase_of(index))
        for dependent in tuple(turn.world.dependents.pop(name)):
            ended += _released(turn, dependent, gone)
    return ended


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
    gone = Gone(id=earlier.id, name=earlier.spec.name, phase=earlier.phase)
    return _released(turn, dependent, gone)


def _released(turn: Turn, dependent: str, earlier: Gone) -> list[Work]:
    work = turn.world.jobs.get(dependent) or turn.world.arrays.get(dependent)
    if work is None or work.phase is not JobPhase.BLOCKED:
        return []
    phase = earlier.phase or JobPhase.CANCELLED
    if earlier.id in work.spec.after and not follows(work.spec, earlier.id, phase):
        message = f"{earlier.name} ({earlier.id}), which it comes after, {phase.value}"
        if isinstance(work, JobArray):
            return [_put_array(turn, work, JobPhase.FAILED, message)]
        return [_put_job(turn, work, JobPhase.FAILED, message)]
    if not waiting.blocked(turn, work.spec):
        if isinstance(work, JobArray):
            return _begun(turn, work)
        waiting.queue(turn, work, kind="job.queued")
    return []


def _begun(turn: Turn, array: JobArray) -> list[Work]:
    array = tasks.begin(turn, array)
    upstream = turn.world.arrays.get(array.spec.after_each)
    if upstream is not None:
        array = tasks.followed(turn, array, upstream)
    return [array, *_went_on(turn, array)]


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
