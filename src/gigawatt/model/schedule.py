"""A schedule: a job or an array that is submitted again and again, at the times of a cron expression in a time zone."""

from dataclasses import dataclass
from enum import StrEnum

from gigawatt.model.array import ArraySpec
from gigawatt.model.cause import Cause
from gigawatt.model.environment import Environment
from gigawatt.model.job import JobSpec


class SchedulePhase(StrEnum):
    ACTIVE = "active"
    PAUSED = "paused"  # by a person
    STOPPED = "stopped"  # by itself: whoever it ran for may not submit any more
    DELETED = "deleted"


class Overlap(StrEnum):
    """What a fire does while a job of an earlier one has not ended."""

    ALLOW = "allow"
    SKIP = "skip"
    REPLACE = "replace"


class CatchUp(StrEnum):
    """Which of the fires that nobody was there for are made up for."""

    NONE = "none"
    LAST = "last"
    ALL = "all"


class FireOutcome(StrEnum):
    STARTED = "started"
    SKIPPED = "skipped"  # an earlier job had not ended
    MISSED = "missed"  # it was too late
    REFUSED = "refused"  # its job was not taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When it fires, and what becomes of fires that overlap or are late."""

    cron: str
    timezone: str
    overlap: Overlap = Overlap.SKIP
    catch_up: CatchUp = CatchUp.LAST
    deadline_s: int = 0  # how late a start may be; 0 is without limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """`next_ms` is the first fire that has not been decided; None where there is none, or it does not run."""

    id: str
    tenant: str
    project: str
    name: str
    timing: Timing
    spec: JobSpec
    environment: Environment | None  # to be built if it is not there; None for the host's
    tasks: ArraySpec | None = None  # where each fire is an array
    cause: Cause  # without the times: those of each fire are added
    phase: SchedulePhase
    created_ms: int
    owner: str  # the name of the key that it runs for
    key: str  # the id of that key
    next_ms: int | None
    message: str = ""  # why it stopped
    jobs: tuple[str, ...] = ()  # and arrays: those it started that had not ended at its last fire
    last_job: str = ""
    fires: int = 0  # how many there were
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Fire:
    """What became of one due time; of several, where they were missed together: `count` of them up to `due_ms`.

    The newest of a schedule are kept: a later one takes the place of the oldest.
    """

    id: str  # the schedule's, "/" and a place among those that are kept
    tenant: str
    project: str
    schedule: str
    due_ms: int
    at_ms: int
    outcome: FireOutcome
    job: str = ""
    count: int = 1
    detail: str = ""
