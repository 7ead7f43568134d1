"""What was seen: by engines of machines, by the build service of environments, by the gateway of demand.

The leader applies observations in order. None of them is an exception: a failed call is a value in here.
"""

from dataclasses import dataclass
from decimal import Decimal

from gigawatt.model.artifact import Weights
from gigawatt.model.attempt import Progress
from gigawatt.model.audit import AuditNote
from gigawatt.model.checkpoint import Checkpoint, Finding
from gigawatt.model.health import CheckResult
from gigawatt.model.job import Job
from gigawatt.model.launch import AttemptKey
from gigawatt.model.node import NodeReport
from gigawatt.model.rollout import Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSeen:
    """A node joined, came back, or reports something new of itself."""

    at_ms: int
    report: NodeReport


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLost:
    at_ms: int
    node: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeChecked:
    """Checks have run on a node. Those that watch it all the time tell only what has changed."""

    at_ms: int
    node: str
    results: tuple[CheckResult, ...]
    level: str = ""  # which were to run


@dataclass(frozen=True, slots=True, kw_only=True)
class StacksSeen:
    """Where ranks of an attempt are in their programs, the same ones together; "" where nothing could be seen."""

    at_ms: int
    key: AttemptKey
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DataCached:
    """All the trees of data that a node keeps now, by digest; sorted."""

    at_ms: int
    node: str
    digests: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchPreparing:
    """The launch is under way: its nodes still fetch what it needs."""

    at_ms: int
    key: AttemptKey


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchAccepted:
    """The engine took the launch; `master_port` and `port` are what it allocated."""

    at_ms: int
    key: AttemptKey
    master_port: int = 0
    port: int = 0
    reference: str = ""  # what it is called where the engine has it from: "Slurm job 4711 of ci"


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchFailed:
    """Nothing of the attempt runs, or what ran has been stopped. `user` when the request itself cannot be started."""

    at_ms: int
    key: AttemptKey
    reason: str
    node: str = ""
    user: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RankStarted:
    at_ms: int
    key: AttemptKey
    rank: int
    pid: int
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RankExited:
    """`exit_code` or `signal`, never both. `oom` when the machine's memory limit ended it."""

    at_ms: int
    key: AttemptKey
    rank: int
    exit_code: int | None = None
    signal: int | None = None
    oom: bool = False
    asked: bool = False  # the signal was ours: a stop was under way
    lost: bool = False  # how it ended is not known: its supervisor or node was lost
    last_lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RankProgress:
    key: AttemptKey
    rank: int
    progress: Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointSaved:
    """A rank said that a checkpoint is complete, and its path was found."""

    key: AttemptKey
    rank: int
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointsFound:
    """Checkpoints of a job were looked at again: which are not as they were reported, and which digests are known."""

    at_ms: int
    job: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeChosen:
    """Before a launch: what the attempt resumes from (`path` "" for none), and what was found of those before it."""

    at_ms: int
    key: AttemptKey
    path: str
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointsRemoved:
    """Checkpoints' files have been deleted; a finding with a fault says why one's were not."""

    at_ms: int
    job: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaReadiness:
    at_ms: int
    key: AttemptKey
    ready: bool
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptGone:
    """Every rank has exited and no process of the attempt is left; its ports are free."""

    at_ms: int
    key: AttemptKey


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentStage:
    at_ms: int
    environment: str
    stage: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentBuilt:
    at_ms: int
    environment: str
    path: str
    lock: str
    size_bytes: int
    build_ms: int
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentFailed:
    at_ms: int
    environment: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentDeleted:
    """Nothing of a removed environment is on the disk any more."""

    at_ms: int
    environment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStored:
    """A succeeded job's output is in the artifact store, or `error` says why not."""

    at_ms: int
    job: str
    digest: str = ""
    size_bytes: int = 0
    files: int = 0
    weights: Weights | None = None
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionSeen:
    """What came of the requests that a revision of an endpoint answered since the last report."""

    generation: int
    seen: Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandSeen:
    """What the gateway counts for one endpoint; counters since the gateway started are already differences here."""

    at_ms: int
    endpoint: str
    in_flight: int
    queued: int
    last_request_ms: int
    requests_more: int = 0
    prompt_tokens_more: int = 0
    completion_tokens_more: int = 0
    busy_ms_more: tuple[tuple[str, int], ...] = ()  # by replica: for how long it had a request
    backlog_tokens: int = 0  # of the prompts that wait, about
    ttft_ms: int = 0  # of nine in ten of the newest requests at most
    tpot_ms: int = 0
    cache_percent: int = 0  # of the fullest KV cache
    open: tuple[str, ...] = ()  # replicas that have requests
    revisions: tuple[RevisionSeen, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceTouched:
    """The proxy saw a person do something in it, rather than a page by itself."""

    at_ms: int
    workspace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeRemoved:
    """Nothing of a workspace's home is left, or `error` says why."""

    at_ms: int
    workspace: str
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionNoted:
    """What a pass of the retention removed, or what the disk has come to. `what` ends the event's kind."""

    at_ms: int
    what: str
    message: str
    data: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRecalled:
    """The ended job of an array's task; None where it never came to be."""

    at_ms: int
    array: str
    index: int
    job: Job | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineUnlikely:
    """The median of the end of a job is after its deadline."""

    at_ms: int
    job: str
    p50_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetsSeen:
    """What was spent in a month by now: money and tokens, by budget."""

    at_ms: int
    month: str
    spent: tuple[tuple[str, Decimal, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsSeen:
    """What projects keep by now, in bytes, and what they and those below them use, in the order of KINDS."""

    at_ms: int
    kept: tuple[tuple[str, int], ...]  # by project, as tenant/name
    used: tuple[tuple[str, tuple[int, ...]], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """What is to be put on the audit record."""

    notes: tuple[AuditNote, ...]


Observation = (
    NodeSeen
    | NodeLost
    | NodeChecked
    | StacksSeen
    | DataCached
    | LaunchPreparing
    | LaunchAccepted
    | LaunchFailed
    | RankStarted
    | RankExited
    | RankProgress
    | CheckpointSaved
    | CheckpointsFound
    | ResumeChosen
    | CheckpointsRemoved
    | ReplicaReadiness
    | AttemptGone
    | EnvironmentStage
    | EnvironmentBuilt
    | EnvironmentFailed
    | EnvironmentDeleted
    | ModelStored
    | DemandSeen
    | WorkspaceTouched
    | HomeRemoved
    | RetentionNoted
    | TaskRecalled
    | DeadlineUnlikely
    | BudgetsSeen
    | LimitsSeen
    | Audited
)
