"""A job's checkpoints as callers see them."""

from collections.abc import Mapping
from dataclasses import dataclass

from gigawatt.model.checkpoint import Checkpoint, Finding
from gigawatt.model.job import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointRecordView:
    """One checkpoint on record. `newest` is the one that the next attempt resumes from, if it is still valid then.

    `digest` is empty until the contents have been read. `why` says why it is invalid, or why it could not be deleted.
    """

    step: int
    path: str
    at_ms: int
    attempt: int
    rank: int
    size_bytes: int
    files: int
    state: str
    why: str
    newest: bool
    manifest: str
    digest: str
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedView:
    """What reading a checkpoint again came to."""

    step: int
    path: str
    size_bytes: int
    valid: bool
    fault: str
    digest: str


def record_view(checkpoint: Checkpoint, job: Job) -> CheckpointRecordView:
    """One of a job's."""
    return CheckpointRecordView(
        step=checkpoint.step,
        path=checkpoint.path,
        at_ms=checkpoint.at_ms,
        attempt=checkpoint.attempt,
        rank=checkpoint.rank,
        size_bytes=checkpoint.size_bytes,
        files=checkpoint.files,
        state=checkpoint.state.value,
        why=checkpoint.why or checkpoint.why_stays,
        newest=checkpoint == job.checkpoint,
        manifest=checkpoint.manifest,
        digest=checkpoint.digest,
        metrics=dict(checkpoint.metrics),
    )


def verified_view(checkpoint: Checkpoint, finding: Finding) -> VerifiedView:
    """One that was read."""
    return VerifiedView(
        step=checkpoint.step,
        path=checkpoint.path,
        size_bytes=checkpoint.size_bytes,
        valid=not finding.fault,
        fault=finding.fault,
        digest=finding.digest or checkpoint.digest,
    )
