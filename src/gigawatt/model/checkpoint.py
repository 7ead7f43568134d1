"""A checkpoint of a job: where it is, what it was when it was reported, and what is known of it since."""

from dataclasses import dataclass
from enum import StrEnum

CHECKPOINTS_MAX = 100  # on a job's record; the oldest leave it first, and their files stay


class CheckpointState(StrEnum):
    VALID = "valid"  # it was there when it was reported, and nothing else has been seen since
    INVALID = "invalid"  # it was looked at again and is missing, cut short or changed
    REMOVING = "removing"  # its job's policy lets it go; its files are being deleted


class MetricMode(StrEnum):
    MIN = "min"
    MAX = "max"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """`ms` of attempt `attempt` on each of its nodes count as useful because a checkpoint holds their work."""

    attempt: int
    ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A checkpoint that a rank reported and that was found on disk.

    `manifest` is the digest of its files' names, sizes and times when it was reported; `digest` that of their
    contents, once it is known. Both are empty for what was reported before there were any.
    """

    step: int
    path: str
    at_ms: int
    attempt: int = 0
    rank: int = 0
    cost_ms: int = 0  # from its rank's last step until it was there; 0 where no steps are reported
    size_bytes: int = 0
    files: int = 0
    manifest: str = ""
    digest: str = ""
    metrics: tuple[tuple[str, float], ...] = ()
    state: CheckpointState = CheckpointState.VALID
    why: str = ""  # why it is invalid
    why_stays: str = ""  # why its files could not be deleted, though its job's policy lets it go
    kept: tuple[Kept, ...] = ()  # the work that only it and later ones hold

    def metric(self, name: str) -> float | None:
        """What was said of it under that name."""
        return dict(self.metrics).get(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepBest:
    """Also keep the `count` steps whose `metric` is best."""

    metric: str
    mode: MetricMode = MetricMode.MIN
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepPolicy:
    """Which checkpoints stay. `keep_last` counts steps; 0 with a `keep_best` keeps the newest all the same."""

    keep_last: int = 0
    keep_best: KeepBest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A checkpoint of another job that a job starts from."""

    job: str
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A checkpoint that an attempt may resume from, below the checkpoint directory `within`."""

    checkpoint: Checkpoint
    within: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What looking at a checkpoint again came to: `fault` is "" where it is as it was reported.

    `digest` is that of its contents, where they were read.
    """

    path: str
    fault: str = ""
    digest: str = ""
