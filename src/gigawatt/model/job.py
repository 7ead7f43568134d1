"""A job: work that runs to an end, and every attempt at it. Its life is the table `NEXT_PHASES`."""

from dataclasses import dataclass
from enum import StrEnum

from gigawatt.model.attempt import Attempt, Progress, Verdict
from gigawatt.model.cause import Cause
from gigawatt.model.checkpoint import Checkpoint, KeepPolicy, Origin
from gigawatt.model.deadline import Deadline
from gigawatt.model.gang import Gang, GangKind, Isolation, Shape, Window
from gigawatt.model.plan import Claim
from gigawatt.model.secret import SecretUse
from gigawatt.model.values import replace
from gigawatt.model.volume import Mount, data_of


class JobPhase(StrEnum):
    BLOCKED = "blocked"  # a job it comes after has not ended
    PREPARING = "preparing"  # its environment is being built
    QUEUED = "queued"  # its gang waits for nodes
    STARTING = "starting"  # nodes are its own; ranks are being started
    RUNNING = "running"
    STOPPING = "stopping"  # ranks are being stopped
    SAVING = "saving"  # ranks are done; the model it declared is being stored
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


PAUSE_MS = 5_000  # before the third try in a row; doubled with each further one
PAUSE_MAX_MS = 300_000
LASTED_MS = 60_000  # an attempt that ran for so long, or reported a step, is no failure in a row with others

ENDED = frozenset({JobPhase.SUCCEEDED, JobPhase.FAILED, JobPhase.CANCELLED})
WAITING = frozenset({JobPhase.BLOCKED, JobPhase.PREPARING, JobPhase.QUEUED})

NEXT_PHASES: dict[JobPhase, frozenset[JobPhase]] = {
    JobPhase.BLOCKED: frozenset(
        {JobPhase.PREPARING, JobPhase.QUEUED, JobPhase.FAILED, JobPhase.CANCELLED}
    ),
    JobPhase.PREPARING: frozenset({JobPhase.QUEUED, JobPhase.FAILED, JobPhase.CANCELLED}),
    JobPhase.QUEUED: frozenset({JobPhase.STARTING, JobPhase.FAILED, JobPhase.CANCELLED}),
    JobPhase.STARTING: frozenset(
        {
            JobPhase.RUNNING,
            JobPhase.STOPPING,
            JobPhase.QUEUED,
            JobPhase.SAVING,
            JobPhase.SUCCEEDED,
            JobPhase.FAILED,
            JobPhase.CANCELLED,
        }
    ),
    JobPhase.RUNNING: frozenset(
        {
            JobPhase.STOPPING,
            JobPhase.QUEUED,
            JobPhase.SAVING,
            JobPhase.SUCCEEDED,
            JobPhase.FAILED,
            JobPhase.CANCELLED,
        }
    ),
    JobPhase.STOPPING: frozenset(
        {JobPhase.QUEUED, JobPhase.SAVING, JobPhase.SUCCEEDED, JobPhase.FAILED, JobPhase.CANCELLED}
    ),
    JobPhase.SAVING: frozenset({JobPhase.SUCCEEDED, JobPhase.FAILED}),
    JobPhase.SUCCEEDED: frozenset(),
    JobPhase.FAILED: frozenset(
        {JobPhase.BLOCKED, JobPhase.PREPARING, JobPhase.QUEUED}
    ),  # `gw retry`
    JobPhase.CANCELLED: frozenset(
        {JobPhase.BLOCKED, JobPhase.PREPARING, JobPhase.QUEUED}
    ),  # `gw retry`
}


HANG_OFF = -1  # for `hang_steps`: it is never taken to hang


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOutput:
    """Register `path` (below the checkpoint directory) as a version of `name` when the job succeeds."""

    name: str
    path: str
    aliases: tuple[str, ...] = ()
    card: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """What a person asked for, parsed and with defaults filled in."""

    name: str
    command: tuple[str, ...]  # argv; a script becomes ("bash", "-c", script)
    shape: Shape
    environment: str  # id of an Environment; "host" for what is on the machine
    bundle: str = ""  # digest of the code bundle; empty for none
    workdir: str = ""  # below the bundle, or absolute
    env: tuple[tuple[str, str], ...] = ()
    priority: int = 0
    timeout_s: int = 0  # 0 is without limit
    grace_s: int = 10
    retries_user: int = 0
    retries_infrastructure: int = 3
    after: tuple[str, ...] = ()  # ids of jobs and arrays that must have ended, and succeeded,
    after_failed: tuple[str, ...] = ()  # but of these, which must have failed or been cancelled,
    after_done: tuple[str, ...] = ()  # and of these, of which no matter how
    after_each: str = ""  # of an array: the one whose tasks its own come after, one by one
    labels: tuple[tuple[str, str], ...] = ()
    isolation: Isolation = Isolation.NONE
    windows: tuple[Window, ...] = ()
    model: ModelOutput | None = None
    volumes: tuple[Mount, ...] = ()
    secrets: tuple[SecretUse, ...] = ()
    checkpoints: KeepPolicy | None = None  # None deletes nothing
    origin: Origin | None = None  # where its first attempt starts from
    terminal: bool = False  # each rank has one, so that it can be talked to
    deadline: Deadline | None = None
    hang_steps: int = 0  # it hangs after so many median steps without progress; 0 is by default


def follows(spec: JobSpec, earlier: str, phase: JobPhase) -> bool:
    """Whether something of this spec may run once what it comes after has ended in this phase."""
    if earlier in spec.after_done:
        return True
    return (phase is JobPhase.SUCCEEDED) != (earlier in spec.after_failed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    id: str
    tenant: str
    project: str
    spec: JobSpec
    phase: JobPhase
    created_ms: int
    queued_ms: int
    submitted_by: str
    attempts: tuple[Attempt, ...] = ()
    attempts_before: int = 0  # attempts that budgets no longer count, from before a `gw retry`
    checkpoint: Checkpoint | None = None  # the newest valid one
    checkpoints: tuple[
        Checkpoint, ...
    ] = ()  # all that are on record, in the order of their reports
    progress: Progress | None = None
    ended_ms: int | None = None
    message: str = ""  # why it ended, in one sentence
    model_version: str = ""  # "name:version" once its output is registered
    cause: Cause | None = None
    array: str = ""  # the id of the array that it is a task of
    index: int = 0  # its number there
    claim: Claim | None = None  # what is kept for it until it starts
    deadline_ms: int = 0  # 0 is none
    deadline_told: str = ""  # the last that was told of it: unlikely, missed
    expected_ms: int = 0  # what gangs like it took when it was submitted; 0 is not known
    avoids: tuple[
        str, ...
    ] = ()  # nodes that others' failures made suspect when it was put back; sorted
    barred: bool = False  # it waits in its place for a budget that is spent
    version: int = 1

    def moved(self, phase: JobPhase) -> "Job":
        """This job in `phase`; a step that the table does not allow is our mistake."""
        assert phase in NEXT_PHASES[self.phase], f"{self.id}: {self.phase} -> {phase}"
        return replace(self, phase=phase)

    @property
    def attempt(self) -> Attempt | None:
        """The newest attempt."""
        return self.attempts[-1] if self.attempts else None

    @property
    def history(self) -> tuple[Checkpoint, ...]:
        """Its checkpoints, oldest first; of a job from before they were all kept on record, the newest."""
        return self.checkpoints or ((self.checkpoint,) if self.checkpoint else ())

    @property
    def start_before_ms(self) -> int:
        """By when it must have started; 0 where it has, or nothing is said."""
        begun = len(self.attempts) > self.attempts_before
        ends = [window.end_ms for window in self.spec.windows]
        return 0 if begun or not all(ends) else max(ends, default=0)

    @property
    def latest_ms(self) -> int:
        """When it would have to start to be done in time; 0 where no deadline is left to keep."""
        if not self.deadline_ms or self.deadline_told == "missed":
            return 0
        return max(self.deadline_ms - (self.expected_ms or self.spec.timeout_s * 1000), 1)

    @property
    def ended(self) -> bool:
        return self.phase in ENDED

    def with_attempt(self, attempt: Attempt) -> "Job":
        """The newest attempt replaced, or a next one appended."""
        assert attempt.n in {len(self.attempts), len(self.attempts) + 1}
        return replace(self, attempts=(*self.attempts[: attempt.n - 1], attempt))

    def gang(self) -> Gang:
        """Its entry in the line, avoiding the nodes on which its counted attempts failed for infrastructure.

        What has begun may go on after its window: that says when it starts.
        """
        begun = len(self.attempts) > self.attempts_before
        return Gang(
            id=self.id,
            kind=GangKind.JOB,
            tenant=self.tenant,
            project=self.project,
            shape=self.spec.shape,
            priority=self.spec.priority,
            queued_ms=self.queued_ms,
            isolation=self.spec.isolation,
            labels=self.spec.labels,
            checkpoint=self.checkpoint,
            windows=after_pause(
                _begun(self.spec.windows) if begun else self.spec.windows,
                self.attempts[self.attempts_before :],
            ),
            avoid_nodes=tuple(sorted({*suspects(self.attempts), *self.avoids})),
            data=data_of(self.spec.volumes),
            duration_ms=self.spec.timeout_s * 1000,
            latest_ms=self.latest_ms,
            attained_ms=sum(
                each.ended_ms - each.placed_ms
                for each in self.attempts
                if each.ended_ms is not None
            ),
        )


def suspects(attempts: tuple[Attempt, ...]) -> tuple[str, ...]:
    """Nodes that infrastructure failures and hangs are laid to, sorted; those that the evidence names, if to none."""
    named = {
        node
        for attempt in attempts
        if attempt.verdict in {Verdict.INFRASTRUCTURE, Verdict.HANG}
        for node in attempt.blamed or [fact.node for fact in attempt.evidence]
        if node
    }
    return tuple(sorted(named))


def pause_ms(attempts: tuple[Attempt, ...]) -> int:
    """For how long the infrastructure is left alone after the newest attempt: not at all after one failure, for there
    are other nodes; longer each time after more of them in a row, for then it is not the node.
    """
    failures = 0
    for attempt in reversed(attempts):
        if attempt.verdict is not Verdict.INFRASTRUCTURE or _got_somewhere(attempt):
            break
        failures += 1
    return min(PAUSE_MS << min(failures - 2, 10), PAUSE_MAX_MS) if failures > 1 else 0


def after_pause(windows: tuple[Window, ...], attempts: tuple[Attempt, ...]) -> tuple[Window, ...]:
    """The windows as far as they come after a pause that the newest attempt calls for."""
    pause = pause_ms(attempts)
    if not pause:
        return windows
    ended_ms = attempts[-1].ended_ms
    assert ended_ms is not None, "what has not ended calls for no pause"
    again_ms = ended_ms + pause
    later = tuple(
        replace(each, start_ms=max(each.start_ms, again_ms))
        for each in windows or (Window(start_ms=0),)
        if not each.end_ms or each.end_ms > again_ms
    )
    return later or windows  # all are over by then, and none would be any time


def _begun(windows: tuple[Window, ...]) -> tuple[Window, ...]:
    """Of what has begun: it may go on, however late it is."""
    return tuple(replace(each, end_ms=0) for each in windows)


def _got_somewhere(attempt: Attempt) -> bool:
    if attempt.running_ms is None or attempt.ended_ms is None:
        return False
    return attempt.first_step_ms is not None or attempt.ended_ms - attempt.running_ms >= LASTED_MS
