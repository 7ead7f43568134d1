"""A job array as callers see it: how many of its tasks are where, and which."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gigawatt.model import ranges
from gigawatt.model.array import ArraySpec, JobArray
from gigawatt.model.reason import Reason, ReasonCode
from gigawatt.service.views.jobs import (
    CauseView,
    GangView,
    ReasonView,
    cause_view,
    gang_view,
    reason_view,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountsView:
    """How many tasks are pending (numbers yet), running (jobs that have not ended), and ended in each way."""

    pending: int
    running: int
    succeeded: int
    failed: int
    cancelled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IndicesView:
    """Which tasks those are, as `0-9,12`."""

    pending: str
    running: str
    succeeded: str
    failed: str
    cancelled: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayView:
    """An array. `reason` is why it, or the first of its tasks in the line, waits."""

    id: str
    name: str
    tenant: str
    project: str
    phase: str
    created_ms: int
    ended_ms: int | None
    submitted_by: str
    message: str
    tasks: int
    counts: CountsView
    indices: IndicesView
    parallel: int
    max_failures: int | None
    sweep: Mapping[str, tuple[str, ...]]
    reason: ReasonView | None
    priority: int
    environment: str
    bundle: str
    labels: Mapping[str, str]
    command: tuple[str, ...]
    gang: GangView
    after: tuple[str, ...]
    after_each: str
    cause: CauseView | None
    version: int


def array_view(array: JobArray, *, waiting: Reason | None = None) -> ArrayView:
    """`waiting` is why the first of its tasks in the line waits, where one does."""
    spec = array.spec
    if array.phase.value == "blocked":
        waiting = Reason(code=ReasonCode.DEPENDENCY, detail=f"after {', '.join(spec.after)}")
    elif spec.after_each and array.pending and not array.running:
        detail = f"each task after the one of {spec.after_each} with its index"
        waiting = Reason(code=ReasonCode.DEPENDENCY, detail=detail)
    return ArrayView(
        id=array.id,
        name=spec.name,
        tenant=array.tenant,
        project=array.project,
        phase=array.phase.value,
        created_ms=array.created_ms,
        ended_ms=array.ended_ms,
        submitted_by=array.submitted_by,
        message=array.message,
        tasks=array.count,
        counts=CountsView(
            pending=ranges.size(array.pending),
            running=ranges.size(array.running),
            succeeded=ranges.size(array.succeeded),
            failed=ranges.size(array.failed),
            cancelled=ranges.size(array.cancelled),
        ),
        indices=IndicesView(
            pending=ranges.text(array.pending),
            running=ranges.text(array.running),
            succeeded=ranges.text(array.succeeded),
            failed=ranges.text(array.failed),
            cancelled=ranges.text(array.cancelled),
        ),
        parallel=array.tasks.parallel,
        max_failures=array.tasks.max_failures,
        sweep=dict(array.tasks.sweep),
        reason=reason_view(waiting) if waiting else None,
        priority=spec.priority,
        environment=spec.environment,
        bundle=spec.bundle,
        labels=dict(spec.labels),
        command=spec.command,
        gang=gang_view(spec.shape),
        after=spec.after,
        after_each=spec.after_each,
        cause=cause_view(array.cause) if array.cause else None,
        version=array.version,
    )


def tasks_fields(tasks: ArraySpec) -> dict[str, Any]:
    """Which tasks, in the job file's words."""
    return {
        "array": {
            "indices": ranges.text(tasks.indices),
            "parallel": tasks.parallel,
            "max_failures": tasks.max_failures,
        },
        "sweep": {name: list(values) for name, values in tasks.sweep},
    }
