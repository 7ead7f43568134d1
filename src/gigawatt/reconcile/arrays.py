"""Job arrays as callers change them: submitted, cancelled, run again where they failed."""

from gigawatt.model.action import RecallTask
from gigawatt.model.array import JobArray, task_id
from gigawatt.model.command import CancelArray, RetryArray, SubmitArray
from gigawatt.model.job import JobPhase
from gigawatt.model.observation import TaskRecalled
from gigawatt.model.ranges import Ranges, contains, minus, numbers, size, union, without_one
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.values import replace
from gigawatt.reconcile import (
    budgets,
    checkpoints,
    ends,
    environments,
    models,
    removals,
    tasks,
    volumes,
    waiting,
)
from gigawatt.reconcile.projects import check_project
from gigawatt.reconcile.turn import Turn


def submit(turn: Turn, command: SubmitArray) -> JobArray:
    """Take an array. Refused when its project or something that it comes after is not there, or failed."""
    check_project(turn, command.tenant, command.project)
    budgets.check(turn, command.tenant, command.project)
    waiting.check_dependencies(turn, command.spec, command.after_done)
    checkpoints.check_origin(turn, command.spec)
    volumes.check_mounts(turn, command.tenant, command.project, command.spec.volumes)
    models.use_artifact(turn, command.tenant, command.spec.bundle)
    if command.environment is not None:
        environments.ensure(turn, command.environment)
    lost = _lost(turn, command)
    array = turn.put(
        JobArray(
            id=command.id,
            tenant=command.tenant,
            project=command.project,
            spec=command.spec,
            tasks=command.tasks,
            phase=JobPhase.BLOCKED,
            created_ms=turn.now_ms,
            submitted_by=command.by,
            pending=minus(command.tasks.indices, lost),
            failed=lost,
            cause=command.cause,
        )
    )
    turn.emit("array.submitted", array, f"{array.spec.name}: {array.count} tasks")
    return array if waiting.blocked(turn, array.spec) else ends.begin_array(turn, array)


def cancel(turn: Turn, command: CancelArray) -> JobArray:
    """Stop an array for good: the tasks that run, and all that wait. Asked again while it stops, nothing more is done."""
    array = turn.world.arrays.get(command.id)
    if array is None:
        raise RefusalError(
            RefusalCode.CONFLICT,
            f"array {command.id} has already ended",
            hint=f"gw jobs {command.id} shows how",
        )
    turn.emit("array.cancel_asked", array, f"by {command.by}")
    message = f"cancelled by {command.by}"
    if array.phase is JobPhase.BLOCKED:
        return ends.end_array(turn, array, JobPhase.CANCELLED, message)
    if array.ending is None:
        ends.stop_array(turn, array, JobPhase.CANCELLED, message)
    return array


def retry(turn: Turn, command: RetryArray) -> JobArray:
    """Run the tasks that failed or were cancelled again, each from its newest checkpoint."""
    array = command.array
    if turn.world.knows(array) or array.phase not in {JobPhase.FAILED, JobPhase.CANCELLED}:
        raise RefusalError(
            RefusalCode.CONFLICT,
            f"array {array.id} is {array.phase.value}; only failed and cancelled ones can be retried",
            hint=f"gw retry '{array.id}[N]' runs one of its tasks again",
        )
    removals.check_there(turn, array)
    wanted = union(array.failed, array.cancelled)
    again = replace(
        array.moved(JobPhase.BLOCKED if waiting.blocked(turn, array.spec) else JobPhase.RUNNING),
        pending=wanted,
        again=wanted,
        failed=(),
        cancelled=(),
        ended_ms=None,
        message="",
    )
    waiting.want_environment(turn, again.spec)
    turn.emit("array.retried", again, f"{size(wanted)} tasks run again")
    return tasks.refill(turn, turn.put(again))


def recalled(turn: Turn, seen: TaskRecalled) -> None:
    """The job of a task that runs again is there: back into the line with it. One that never was is made."""
    array = turn.world.arrays.get(seen.array)
    if array is None or not contains(array.again, seen.index):
        return
    if not contains(array.running, seen.index):
        return
    array = turn.put(replace(array, again=without_one(array.again, seen.index)))
    if seen.job is None:
        tasks.make(turn, array, seen.index)
        return
    waiting.requeue(turn, seen.job)


def resume(turn: Turn, array: JobArray) -> None:
    """After a restart: what was being recalled is asked for again."""
    for index in numbers(array.running):
        if contains(array.again, index) and task_id(array.id, index) not in turn.world.jobs:
            turn.act(RecallTask(array=array.id, index=index))


def _lost(turn: Turn, command: SubmitArray) -> Ranges:
    """Its tasks that can never run, since those that they come after had ended otherwise by now."""
    earlier = command.spec.after_each
    if not earlier or earlier in turn.world.arrays:
        return ()
    if command.each_done is not None:
        return minus(command.tasks.indices, command.each_done)
    if turn.world.recent_ended.get(earlier) is JobPhase.SUCCEEDED:
        return ()
    raise RefusalError(
        RefusalCode.CONFLICT,
        f"array {earlier} has ended while this was submitted",
        field="after_each",
        hint="submit it again",
    )
