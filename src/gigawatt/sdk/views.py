"""What the API answers with, as types: its own JSON, untouched. Times end in `_ms`, sizes in `_bytes`."""

from typing import Any, Generic, TypedDict, TypeVar

from gigawatt.sdk.standing_views import CauseView
from gigawatt.sdk.volume_views import MountView

Item = TypeVar("Item")


class Page(TypedDict, Generic[Item]):
    """`next` is the cursor of the page after this one, or empty."""

    items: list[Item]
    next: str


class LineView(TypedDict):
    """A line of a rank's output; the next one begins at `offset`."""

    attempt: int
    offset: int
    line: str


class StackGroupView(TypedDict):
    """Ranks whose stacks are the same, and those of the first of them."""

    ranks: list[int]
    text: str


class StacksView(TypedDict):
    """The largest group first; ranks in `gone` had ended."""

    job: str
    attempt: int
    groups: list[StackGroupView]
    gone: list[int]


class ExecView(TypedDict):
    """A negative exit code is a signal's number; `encoding`, of both streams, is utf-8 or base64."""

    job: str
    attempt: int
    rank: int
    exit_code: int
    stdout: str
    stderr: str
    encoding: str
    dropped_bytes: int
    overdue: bool


class ReasonView(TypedDict):
    """Why something waits; `need` and `have` are amounts of `resource` in its own unit. `message` is a sentence."""

    code: str
    resource: str
    need: int
    have: int
    detail: str
    message: str


class ProgressView(TypedDict):
    at_ms: int
    step: int | None
    loss: float | None
    tokens: int | None
    tokens_per_s: float | None
    metrics: dict[str, float]


class CheckpointView(TypedDict):
    step: int
    path: str
    at_ms: int


class EvidenceView(TypedDict):
    at_ms: int
    what: str
    detail: str
    rank: int | None
    node: str


class RankView(TypedDict):
    rank: int
    node: str
    pid: int | None
    exit_code: int | None
    signal: int | None
    started_ms: int | None
    ended_ms: int | None
    last_lines: list[str]


class AttemptView(TypedDict):
    n: int
    phase: str
    verdict: str | None
    charged_to: str
    evidence: list[EvidenceView]
    nodes: list[str]
    spares: list[str]
    placed_ms: int
    starting_ms: int | None
    running_ms: int | None
    stopping_ms: int | None
    ended_ms: int | None
    stopped_for: str
    ranks: list[RankView]


class EstimateView(TypedDict):
    p50: int
    p90: int


class DeadlineView(TypedDict):
    """P50 and P90 are of the end."""

    at_ms: int
    then: str
    outlook: str
    p50: int | None
    p90: int | None


class JobView(TypedDict):
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
    labels: dict[str, str]
    command: list[str]
    gang: dict[str, Any]
    after: list[str]
    volumes: list[MountView]
    secrets: dict[str, str]
    cause: CauseView | None
    version: int
    array: str
    index: int | None
    attempts: list[AttemptView]


class PlacementView(TypedDict):
    rank: int
    node: str


class DryRunView(TypedDict):
    """What would happen to a job if it were submitted now."""

    feasible: bool
    starts_now: bool
    placements: list[PlacementView]
    reason: ReasonView | None
    spec: dict[str, Any]


class ExplanationView(TypedDict):
    """Of a job that waits: reason, position, estimate, cheapest_change {field, from, to, start}.

    Of one that has failed: verdict, evidence, message.
    """

    job: str
    phase: str
    reason: ReasonView | None
    position: int | None
    estimate: EstimateView | None
    deadline: DeadlineView | None
    cheapest_change: dict[str, str] | None
    attempt: int | None
    verdict: str | None
    charged_to: str
    evidence: list[EvidenceView]
    message: str
    checkpoint_advice: dict[str, float] | None


class AskView(TypedDict):
    """What would become of a gang: `starts` is now, later or never. Now: nodes, and the parts of the site that hold
    them, by level. Else: reason, cheapest_change {field, from, to, start}, and the position where it would wait.
    """

    starts: str
    nodes: list[str]
    domains: dict[str, list[str]]
    position: int | None
    reason: ReasonView | None
    cheapest_change: dict[str, str] | None
    estimate: EstimateView | None


class AttemptTimeView(TypedDict):
    """When one attempt held its nodes; `unit_ms` is what its gang held for that long."""

    n: int
    verdict: str | None
    charged_to: str
    nodes: list[str]
    placed_ms: int
    first_step_ms: int | None
    ended_ms: int | None
    unit_ms: int


class GoodputView(TypedDict):
    """`classes` sum to `total`, in `unit`."""

    job: str
    unit: str
    total: int
    classes: dict[str, int]
    goodput: float | None
    ettr: float | None
    attempts: list[AttemptTimeView]


class LedgerView(TypedDict):
    """`classes` sum to `installed`, in `unit`."""

    unit: str
    installed: int
    classes: dict[str, int]
    since_ms: int
    until_ms: int


class EnvironmentView(TypedDict):
    id: str
    kind: str
    python: str
    requirements: list[str]
    system: list[str]
    packages: list[str]
    indexes: list[str]
    phase: str
    stage: str
    message: str
    path: str
    lock: str
    size_bytes: int
    build_ms: int
    created_ms: int
    used_ms: int
    digest: str
    version: int


class SecretView(TypedDict):
    name: str
    url: str
    fault: str


class RotationView(TypedDict):
    secrets: int
    key: str


class PinView(TypedDict):
    name: str
    version: str


class PinChangeView(TypedDict):
    name: str
    before: str
    after: str


class EnvironmentDiffView(TypedDict):
    before: str
    after: str
    python: PinChangeView | None
    added: list[PinView]
    removed: list[PinView]
    changed: list[PinChangeView]
    same: int


class EnvironmentCheckView(TypedDict):
    id: str
    digest: str
    files: int
    size_bytes: int
    whole: bool
    faults: list[str]


class PrunedEnvironmentView(TypedDict):
    id: str
    size_bytes: int
    freed_bytes: int
    used_ms: int


class EnvironmentPruneView(TypedDict):
    items: list[PrunedEnvironmentView]
    size_bytes: int
    freed_bytes: int
    left: int
    dry_run: bool


class AmountsView(TypedDict):
    gpus: float
    cpus: float
    memory_bytes: int


class NodeView(TypedDict):
    id: str
    state: str
    reason: str
    address: str
    topology: dict[str, str]
    total: AmountsView
    free: AmountsView
    gpus: list[dict[str, Any]]
    limits: str
    system: str
    pythons: list[str]
    gangs: list[str]
    changed_ms: int
    version: int
    by: str
    deadline_ms: int
    suspicion: float
    marks: list[dict[str, Any]]
    checks: list[dict[str, Any]]


class EventView(TypedDict):
    seq: int
    at_ms: int
    kind: str
    tenant: str
    project: str
    subject: str
    message: str
    data: dict[str, str]
