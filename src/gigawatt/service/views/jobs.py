"""A job as callers see it: its attempts, why it waits, how far it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gigawatt.model.attempt import Attempt, Evidence, Progress, RankStatus
from gigawatt.model.cause import Cause
from gigawatt.model.checkpoint import Checkpoint
from gigawatt.model.gang import Shape
from gigawatt.model.job import Job, JobPhase
from gigawatt.model.launch import Placement
from gigawatt.model.reason import Reason, ReasonCode
from gigawatt.scheduler.scores import Estimate
from gigawatt.service.views.deadlines import DeadlineView
from gigawatt.service.views.estimates import EstimateView, estimate_view
from gigawatt.service.views.text import sentence
from gigawatt.service.views.volumes import MountView, mount_view


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonView:
    """Why something waits; `need` and `have` are amounts of `resource`. `message` says it in a sentence."""

    code: str
    resource: str
    need: int
    have: int
    detail: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressView:
    """The newest that a rank reported."""

    at_ms: int
    step: int | None
    loss: float | None
    tokens: int | None
    tokens_per_s: float | None
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointView:
    """The last valid checkpoint."""

    step: int
    path: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceView:
    """One fact that a verdict stands on."""

    at_ms: int
    what: str
    detail: str
    rank: int | None
    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RankView:
    """One process."""

    rank: int
    node: str
    pid: int | None
    exit_code: int | None
    signal: int | None
    started_ms: int | None
    ended_ms: int | None
    last_lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptView:
    """One launch of the gang. `stopped_for` is the gang that a plan stopped it for, its own where that grew, empty for most."""

    n: int
    phase: str
    verdict: str | None
    charged_to: str
    evidence: tuple[EvidenceView, ...]
    nodes: tuple[str, ...]
    spares: tuple[str, ...]
    placed_ms: int
    starting_ms: int | None
    running_ms: int | None
    stopping_ms: int | None
    ended_ms: int | None
    stopped_for: str
    ranks: tuple[RankView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GangView:
    """`nodes` at most, `nodes_min` at least; amounts are for each node."""

    nodes: int
    nodes_min: int
    ranks_per_node: int
    gpus: float
    cpus: float
    memory_bytes: int
    gpu_kinds: tuple[str, ...]
    same: str
    spares: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseView:
    """What a job came from: the schedule and its due time, the template with its version and values; empty for none."""

    schedule: str
    due_ms: int
    template: str
    template_number: int
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A job. `reason`, `position` and `estimate` while it waits; `array` and `index` if it is the task of one."""

    id: str
    name: str
    tenant: str
    project: str
    phase: str
    created_ms: int
    queued_ms: int
    ended_ms: int | None
    submitted_by: str
    priority: int
    message: str
    reason: ReasonView | None
    position: int | None
    estimate: EstimateView | None
    deadline: DeadlineView | None
    progress: ProgressView | None
    checkpoint: CheckpointView | None
    model_version: str
    environment: str
    bundle: str
    volumes: tuple[MountView, ...]
    secrets: Mapping[str, str]  # their names, by variable
    labels: Mapping[str, str]
    command: tuple[str, ...]
    gang: GangView
    after: tuple[str, ...]
    cause: CauseView | None
    version: int
    array: str
    index: int | None
    attempts: tuple[AttemptView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpecView:
    """A job's spec in the job file's words, defaults filled in: what can be submitted again."""

    job: str
    spec: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementView:
    """Where one rank would go."""

    rank: int
    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRunView:
    """What would happen if it were submitted now. `spec` is what was understood, defaults filled in."""

    feasible: bool
    starts_now: bool
    placements: tuple[PlacementView, ...]
    reason: ReasonView | None
    spec: Mapping[str, Any]


def job_view(
    job: Job,
    *,
    waiting: tuple[int, Reason] | None = None,
    estimate: Estimate | None = None,
    progress: Progress | None = None,
    deadline: DeadlineView | None = None,
) -> JobView:
    """`waiting`, `estimate` and `progress` are the leader's live ones, where it has any."""
    spec = job.spec
    position, reason = _waiting(job, waiting)
    newest = progress or job.progress
    return JobView(
        id=job.id,
        name=spec.name,
        tenant=job.tenant,
        project=job.project,
        phase=job.phase.value,
        created_ms=job.created_ms,
        queued_ms=job.queued_ms,
        ended_ms=job.ended_ms,
        submitted_by=job.submitted_by,
        priority=spec.priority,
        message=job.message,
        reason=reason_view(reason) if reason else None,
        position=position,
        estimate=estimate_view(estimate if job.phase is JobPhase.QUEUED else None),
        deadline=deadline,
        progress=_progress_view(newest) if newest else None,
        checkpoint=_checkpoint_view(job.checkpoint) if job.checkpoint else None,
        model_version=job.model_version,
        environment=spec.environment,
        bundle=spec.bundle,
        volumes=tuple(mount_view(mount) for mount in spec.volumes),
        secrets={each.variable: each.secret for each in spec.secrets},
        labels=dict(spec.labels),
        command=spec.command,
        gang=gang_view(spec.shape),
        after=spec.after,
        cause=cause_view(job.cause) if job.cause else None,
        version=job.version,
        array=job.array,
        index=job.index if job.array else None,
        attempts=tuple(attempt_view(attempt) for attempt in job.attempts),
    )


def reason_view(reason: Reason) -> ReasonView:
    """A reason with its sentence."""
    return ReasonView(
        code=reason.code.value,
        resource=reason.resource,
        need=reason.need,
        have=reason.have,
        detail=reason.detail,
        message=sentence(reason),
    )


def gang_view(shape: Shape) -> GangView:
    """A shape in people's units."""
    return GangView(
        nodes=shape.nodes_max,
        nodes_min=shape.nodes_min,
        ranks_per_node=shape.ranks_per_node,
        gpus=shape.per_node.milli_gpu / 1_000,
        cpus=shape.per_node.milli_cpu / 1_000,
        memory_bytes=shape.per_node.memory_bytes,
        gpu_kinds=shape.gpu_kinds,
        same=shape.same,
        spares=shape.spares,
    )


def attempt_view(attempt: Attempt) -> AttemptView:
    """An attempt with its evidence and its ranks."""
    return AttemptView(
        n=attempt.n,
        phase=attempt.phase.value,
        verdict=attempt.verdict.value if attempt.verdict else None,
        charged_to=attempt.charged_to,
        evidence=tuple(evidence_view(fact) for fact in attempt.evidence),
        nodes=attempt.nodes,
        spares=tuple(spare.node for spare in attempt.spares),
        placed_ms=attempt.placed_ms,
        starting_ms=attempt.starting_ms,
        running_ms=attempt.running_ms,
        stopping_ms=attempt.stopping_ms,
        ended_ms=attempt.ended_ms,
        stopped_for=attempt.stopped_for,
        ranks=tuple(_rank_view(rank) for rank in attempt.ranks),
    )


def evidence_view(fact: Evidence) -> EvidenceView:
    """One fact."""
    return EvidenceView(
        at_ms=fact.at_ms, what=fact.what, detail=fact.detail, rank=fact.rank, node=fact.node
    )


def cause_view(cause: Cause) -> CauseView:
    """Where it came from, as it was called then."""
    return CauseView(
        schedule=cause.schedule,
        due_ms=cause.due_ms,
        template=cause.template,
        template_number=cause.template_number,
        parameters=dict(cause.parameters),
    )


def placement_views(placements: tuple[Placement, ...]) -> tuple[PlacementView, ...]:
    """Where each rank would go, without its devices."""
    return tuple(PlacementView(rank=each.rank, node=each.node) for each in placements)


def _waiting(job: Job, waiting: tuple[int, Reason] | None) -> tuple[int | None, Reason | None]:
    """Position and reason by phase: only queued jobs are in the scheduler's line."""
    match job.phase:
        case JobPhase.QUEUED if job.barred:
            return None, Reason(code=ReasonCode.BUDGET, detail=f"{job.tenant}/{job.project}")
        case JobPhase.QUEUED:
            return waiting or (None, None)
        case JobPhase.BLOCKED:
            names = ", ".join(job.spec.after)
            return None, Reason(code=ReasonCode.DEPENDENCY, detail=f"after {names}")
        case JobPhase.PREPARING:
            return None, Reason(code=ReasonCode.ENVIRONMENT, detail=job.spec.environment)
        case _:
            return None, None


def _progress_view(progress: Progress) -> ProgressView:
    return ProgressView(
        at_ms=progress.at_ms,
        step=progress.step,
        loss=progress.loss,
        tokens=progress.tokens,
        tokens_per_s=progress.tokens_per_s,
        metrics=dict(progress.metrics),
    )


def _checkpoint_view(checkpoint: Checkpoint) -> CheckpointView:
    return CheckpointView(step=checkpoint.step, path=checkpoint.path, at_ms=checkpoint.at_ms)


def _rank_view(rank: RankStatus) -> RankView:
    return RankView(
        rank=rank.rank,
        node=rank.node,
        pid=rank.pid,
        exit_code=rank.exit_code,
        signal=rank.signal,
        started_ms=rank.started_ms,
        ended_ms=rank.ended_ms,
        last_lines=rank.last_lines,
    )
