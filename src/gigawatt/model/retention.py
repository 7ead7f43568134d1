"""How long things are kept: kinds, a project's policy, and what stays on record of a job that was removed."""

from dataclasses import dataclass
from enum import StrEnum

FOR_EVER = 0


class Kind(StrEnum):
    """What may be removed, each by its own policy but for the last two, which are only files."""

    JOBS = "jobs"  # the record of an ended job, with all that is left of it on disk
    LOGS = "logs"  # what an ended job's or replica's ranks wrote
    CHECKPOINTS = "checkpoints"  # an ended job's whole directory of them
    ENVIRONMENTS = "environments"
    ARTIFACTS = "artifacts"  # a tenant's claim to a bundle, a file or a tree
    CONTENTS = "contents"  # the bytes, once no artifact and no tree names them
    CACHES = "caches"  # unpacked bundles and trees: made again when they are needed


POLICED = (Kind.JOBS, Kind.LOGS, Kind.CHECKPOINTS, Kind.ENVIRONMENTS, Kind.ARTIFACTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long each kind is kept after its last use, in milliseconds. None is as the instance says; 0 is for ever."""

    jobs_ms: int | None = None
    logs_ms: int | None = None
    checkpoints_ms: int | None = None
    environments_ms: int | None = None
    artifacts_ms: int | None = None

    def of(self, kind: Kind) -> int | None:
        """The policy of one kind; contents and caches have none."""
        return {
            Kind.JOBS: self.jobs_ms,
            Kind.LOGS: self.logs_ms,
            Kind.CHECKPOINTS: self.checkpoints_ms,
            Kind.ENVIRONMENTS: self.environments_ms,
            Kind.ARTIFACTS: self.artifacts_ms,
        }.get(kind)


NO_POLICY = Retention()


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovedJob:
    """That there was a job, so that whoever asks for it is told when it went. What it used stays in the ledger."""

    id: str
    tenant: str
    project: str
    name: str
    phase: str  # in which it ended
    created_ms: int
    removed_ms: int
    by: str
    version: int = 1
    submitted_by: str = ""
    labels: tuple[tuple[str, str], ...] = ()
