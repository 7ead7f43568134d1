"""The window of an array: tasks become jobs as room is made for them, and numbers again when they have ended.

A job that ends and the ranges of its array change in the same turn, so no crash comes between them: at any commit,
the indices in `running` are those that have a live job, or one that is being recalled.
"""

from gigawatt.model.action import RecallTask
from gigawatt.model.array import JobArray, task_id, task_spec
from gigawatt.model.job import Job, JobPhase
from gigawatt.model.ranges import (
    both,
    contains,
    lowest,
    minus,
    numbers,
    size,
    union,
    with_one,
    without_one,
)
from gigawatt.model.values import replace
from gigawatt.reconcile import budgets, waiting
from gigawatt.reconcile.turn import Turn


def begin(turn: Turn, array: JobArray) -> JobArray:
    """Nothing is in its way any more: make the first tasks."""
    waiting.want_environment(turn, array.spec)
    begun = turn.put(array.moved(JobPhase.RUNNING))
    turn.emit("array.running", begun, f"{begun.count} tasks, {begun.tasks.parallel} at once")
    return refill(turn, begun)


def refill(turn: Turn, array: JobArray) -> JobArray:
    """As many tasks, lowest first, as the window has room for, of those that nothing is in the way of."""
    upstream = turn.world.arrays.get(array.spec.after_each)
    ready = array.pending if upstream is None else both(array.pending, upstream.succeeded)
    taken = lowest(ready, array.tasks.parallel - size(array.running))
    if not taken or array.phase is not JobPhase.RUNNING:
        return array
    filled = turn.put(
        replace(array, pending=minus(array.pending, taken), running=union(array.running, taken))
    )
    for index in numbers(taken):
        if contains(filled.again, index):
            turn.act(RecallTask(array=filled.id, index=index))
        else:
            make(turn, filled, index)
    return filled


def followed(turn: Turn, array: JobArray, upstream: JobArray) -> JobArray:
    """The tasks that can never run, because those that they come after have failed or were dropped, fail with them."""
    lost = union(upstream.failed, upstream.cancelled)
    lost = minus(array.pending, upstream.succeeded) if upstream.ended else both(array.pending, lost)
    if not lost:
        return array
    left, failed = minus(array.pending, lost), union(array.failed, lost)
    return turn.put(replace(array, pending=left, failed=failed, again=minus(array.again, lost)))


def make(turn: Turn, array: JobArray, index: int) -> Job:
    """The job of a task."""
    spec = task_spec(array, index)
    deadline = spec.deadline
    job = Job(
        id=task_id(array.id, index),
        tenant=array.tenant,
        project=array.project,
        spec=spec,
        phase=waiting.phase_of(turn, spec),
        created_ms=turn.now_ms,
        queued_ms=turn.now_ms,
        submitted_by=array.submitted_by,
        array=array.id,
        index=index,
        cause=array.cause,
        barred=budgets.bar(turn, array.tenant, array.project) is not None,
        deadline_ms=deadline.from_ms(array.created_ms) if deadline else 0,
    )
    turn.put(job)
    for at_ms in (job.deadline_ms, job.start_before_ms):
        if at_ms:
            turn.due(at_ms, job.id)
    turn.emit("job.submitted", job, f"{spec.name} is {job.phase.value}")
    return job


def fold(turn: Turn, job: Job) -> JobArray | None:
    """Its ended job leaves the array's window; the array, or None where it is the task of none that lives."""
    array = turn.world.arrays.get(job.array)
    if array is None or not contains(array.running, job.index):
        return None
    array = replace(array, running=without_one(array.running, job.index))
    match job.phase:
        case JobPhase.SUCCEEDED:
            array = replace(array, succeeded=with_one(array.succeeded, job.index))
        case JobPhase.FAILED:
            array = replace(array, failed=with_one(array.failed, job.index))
        case _:
            array = replace(array, cancelled=with_one(array.cancelled, job.index))
    return turn.put(array)


def unfold(turn: Turn, array: JobArray, index: int) -> JobArray:
    """A task that has ended is put back into the window, beside what is in it."""
    if array.ended:
        array = replace(array.moved(JobPhase.RUNNING), ended_ms=None, message="", ending=None)
    return turn.put(
        replace(
            array,
            running=with_one(array.running, index),
            failed=without_one(array.failed, index),
            cancelled=without_one(array.cancelled, index),
        )
    )


def too_many_failed(array: JobArray) -> bool:
    limit = array.tasks.max_failures
    return array.ending is None and limit is not None and size(array.failed) > limit


def outcome(array: JobArray) -> tuple[JobPhase, str]:
    """How an array ends of which nothing is left to run, and why."""
    if array.ending is not None:
        return array.ending, array.message
    failed, cancelled = size(array.failed), size(array.cancelled)
    if failed:
        return JobPhase.FAILED, f"{failed} of {array.count} tasks failed"
    if cancelled:
        return JobPhase.CANCELLED, f"{cancelled} of {array.count} tasks were cancelled"
    return JobPhase.SUCCEEDED, ""
