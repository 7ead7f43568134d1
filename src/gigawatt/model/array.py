"""A job array: one entry that stands for many tasks, each an ordinary job with an index of its own.

Where each task stands is kept as ranges of indices. Only those in `running` have a job in the world, at most
`parallel` of them; pending ones are numbers, ended ones are rows of the store. Its life is the table `NEXT_PHASES`.
"""

import re
from dataclasses import dataclass
from math import prod

from gigawatt.model.cause import Cause
from gigawatt.model.job import ENDED, JobPhase, JobSpec
from gigawatt.model.ranges import Ranges, contains, size
from gigawatt.model.values import replace

PARALLEL_DEFAULT = 100

NEXT_PHASES: dict[JobPhase, frozenset[JobPhase]] = {
    JobPhase.BLOCKED: frozenset({JobPhase.RUNNING, JobPhase.FAILED, JobPhase.CANCELLED}),
    JobPhase.RUNNING: frozenset(
        {JobPhase.STOPPING, JobPhase.SUCCEEDED, JobPhase.FAILED, JobPhase.CANCELLED}
    ),
    JobPhase.STOPPING: frozenset({JobPhase.FAILED, JobPhase.CANCELLED}),
    JobPhase.SUCCEEDED: frozenset(),
    JobPhase.FAILED: frozenset({JobPhase.BLOCKED, JobPhase.RUNNING}),  # `gw retry`
    JobPhase.CANCELLED: frozenset({JobPhase.BLOCKED, JobPhase.RUNNING}),  # `gw retry`
}

Sweep = tuple[tuple[str, tuple[str, ...]], ...]  # variables and their values, the last one fastest

_REFERENCE = re.compile(r"(?P<array>.+)\[(?P<index>[0-9]{1,9})\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArraySpec:
    """Which tasks, how many of them at once, and how many may fail before the rest is stopped."""

    indices: Ranges
    parallel: int = PARALLEL_DEFAULT
    max_failures: int | None = None  # None: the others go on, however many fail
    sweep: Sweep = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobArray:
    """Every index of `tasks` is in exactly one of the five ranges."""

    id: str
    tenant: str
    project: str
    spec: JobSpec  # what every task is made of
    tasks: ArraySpec
    phase: JobPhase
    created_ms: int
    submitted_by: str
    pending: Ranges = ()
    running: Ranges = ()
    succeeded: Ranges = ()
    failed: Ranges = ()
    cancelled: Ranges = ()
    again: Ranges = ()  # of those pending and running: jobs that the store has and the world not yet
    ending: JobPhase | None = None  # how it ends once the tasks that run have stopped
    ended_ms: int | None = None
    message: str = ""
    cause: Cause | None = None
    version: int = 1

    def moved(self, phase: JobPhase) -> "JobArray":
        """This array in `phase`; a step that the table does not allow is our mistake."""
        assert phase in NEXT_PHASES[self.phase], f"{self.id}: {self.phase} -> {phase}"
        return replace(self, phase=phase)

    @property
    def ended(self) -> bool:
        return self.phase in ENDED

    def phase_of(self, index: int) -> JobPhase | None:
        """How a task has ended; None where it has not."""
        ways = (
            (JobPhase.SUCCEEDED, self.succeeded),
            (JobPhase.FAILED, self.failed),
            (JobPhase.CANCELLED, self.cancelled),
        )
        return next((phase for phase, indices in ways if contains(indices, index)), None)

    @property
    def count(self) -> int:
        return size(self.tasks.indices)


def task_id(array: str, index: int) -> str:
    """The id of a task's job."""
    return f"{array}.{index}"


def task_of(id: str) -> tuple[str, int] | None:
    """The array and the index of which it is the task's id; None for any other id."""
    array, dot, index = id.rpartition(".")
    return (array, int(index)) if dot and index.isdecimal() else None


def task_spec(array: JobArray, index: int) -> JobSpec:
    """What the job of one task runs: the array's spec, with the variables of its index."""
    own = (
        *variables(array.tasks.sweep, index),
        ("GIGAWATT_ARRAY_ID", array.id),
        ("GIGAWATT_ARRAY_INDEX", str(index)),
        ("GIGAWATT_ARRAY_COUNT", str(array.count)),
    )
    env = tuple(sorted({**dict(array.spec.env), **dict(own)}.items()))
    return replace(
        array.spec,
        name=f"{array.spec.name}[{index}]",
        env=env,
        after=(),
        after_failed=(),
        after_done=(),
        after_each="",
    )


def variables(sweep: Sweep, index: int) -> tuple[tuple[str, str], ...]:
    """The point of the grid that `index` is, the last variable counted through first."""
    chosen: list[tuple[str, str]] = []
    for name, values in reversed(sweep):
        index, place = divmod(index, len(values))
        chosen.append((name, values[place]))
    return tuple(reversed(chosen))


def points(sweep: Sweep) -> int:
    """How many points a grid has."""
    return prod(len(values) for _, values in sweep)


def task_reference(text: str) -> tuple[str, int] | None:
    """The array and the index of `ARRAY[17]`; None for what is not written like that."""
    found = _REFERENCE.fullmatch(text)
    return (found["array"], int(found["index"])) if found else None
