"""A workspace: an interactive gang of one, with a home that outlives it, suspended when nobody uses it."""

from dataclasses import dataclass
from enum import StrEnum

from gigawatt.model.attempt import Attempt
from gigawatt.model.endpoint import Readiness
from gigawatt.model.gang import Gang, GangKind, Shape
from gigawatt.model.job import suspects
from gigawatt.model.plan import Claim
from gigawatt.model.secret import SecretUse
from gigawatt.model.values import replace
from gigawatt.model.volume import Mount, data_of

# Asked of what stands before the program, on its node.
READINESS = Readiness(path="/-/ready", timeout_s=120, interval_ms=50)
ATTEMPTS_KEPT_MAX = 10  # the newest; a workspace is started again for years


class WorkspaceProgram(StrEnum):
    """What a person works in."""

    JUPYTER = "jupyter"  # JupyterLab
    VSCODE = "vscode"  # VS Code in a browser
    SHELL = "shell"  # a terminal, and nothing else


class WorkspacePhase(StrEnum):
    PREPARING = "preparing"  # an environment of it is being built
    QUEUED = "queued"  # its gang waits for a node
    STARTING = "starting"  # a node is its own; its program is being started
    RUNNING = "running"
    SUSPENDING = "suspending"  # its program is being stopped
    SUSPENDED = "suspended"  # no process, no resources; its home is kept
    FAILED = "failed"  # as suspended, because it could not run; `gw dev start` tries again
    DELETING = "deleting"
    DELETED = "deleted"


GOING = frozenset(
    {
        WorkspacePhase.PREPARING,
        WorkspacePhase.QUEUED,
        WorkspacePhase.STARTING,
        WorkspacePhase.RUNNING,
    }
)
RESTING = frozenset({WorkspacePhase.SUSPENDED, WorkspacePhase.FAILED})

_LEAVING = frozenset({WorkspacePhase.DELETING, WorkspacePhase.DELETED})
NEXT_PHASES: dict[WorkspacePhase, frozenset[WorkspacePhase]] = {
    WorkspacePhase.PREPARING: frozenset({WorkspacePhase.QUEUED, *RESTING, *_LEAVING}),
    WorkspacePhase.QUEUED: frozenset({WorkspacePhase.STARTING, *RESTING, *_LEAVING}),
    WorkspacePhase.STARTING: frozenset(
        {
            WorkspacePhase.RUNNING,
            WorkspacePhase.SUSPENDING,
            WorkspacePhase.QUEUED,
            *RESTING,
            *_LEAVING,
        }
    ),
    WorkspacePhase.RUNNING: frozenset(
        {WorkspacePhase.SUSPENDING, WorkspacePhase.QUEUED, *RESTING, *_LEAVING}
    ),
    WorkspacePhase.SUSPENDING: frozenset(
        {WorkspacePhase.SUSPENDED, WorkspacePhase.PREPARING, WorkspacePhase.QUEUED, *_LEAVING}
    ),
    **{
        phase: frozenset({WorkspacePhase.PREPARING, WorkspacePhase.QUEUED, *_LEAVING})
        for phase in RESTING
    },
    WorkspacePhase.DELETING: frozenset({WorkspacePhase.DELETED}),
    WorkspacePhase.DELETED: frozenset(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceSpec:
    """What a person asked for, parsed, resolved and with defaults filled in."""

    name: str
    program: WorkspaceProgram
    shape: Shape
    environment: (
        str  # id of an Environment, which kernels and terminals run in; "host" for the machine's
    )
    home: str  # the directory that is HOME, and outlives the workspace
    tools: str = (
        ""  # id of the environment that JupyterLab itself runs in; empty for other programs
    )
    bundle: str = ""  # digest; unpacked into the home at the first start
    env: tuple[tuple[str, str], ...] = ()
    volumes: tuple[Mount, ...] = ()  # settled when it was made
    secrets: tuple[SecretUse, ...] = ()
    idle_s: int = 3600  # unused for so long: suspended
    lease_s: int = 0  # from a start on: then suspended, unless extended; 0 is without end
    priority: int = 100
    grace_s: int = 5
    readiness: Readiness = READINESS
    labels: tuple[tuple[str, str], ...] = ()
    like: str = ""  # id of the job whose environment, code and resources these are


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What was last measured of it. `busy` counts kernels that compute."""

    at_ms: int
    milli_cpu: int = 0
    gpu_percent: int = 0  # of its busiest device
    busy: int = 0
    connections: int = 0  # open ones, of pages and terminals


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    id: str
    tenant: str
    project: str
    spec: WorkspaceSpec
    phase: WorkspacePhase
    created_ms: int
    queued_ms: int
    created_by: str
    attempts: tuple[Attempt, ...] = ()
    failures: int = 0  # of the infrastructure, in a row
    active_ms: int = 0  # when it was last seen in use
    lease_end_ms: int = 0  # when it is suspended whatever is done in it; 0 is never
    warned: bool = False  # of the end of its lease
    purge: bool = False  # being deleted together with its home
    use: Use | None = None
    ended_ms: int | None = None
    message: str = ""  # why it rests, in one sentence
    claim: Claim | None = None  # what is kept for it until it starts
    version: int = 1

    def moved(self, phase: WorkspacePhase) -> "Workspace":
        """This workspace in `phase`; a step that the table does not allow is our mistake."""
        assert phase in NEXT_PHASES[self.phase], f"{self.id}: {self.phase} -> {phase}"
        return replace(self, phase=phase)

    @property
    def attempt(self) -> Attempt | None:
        """The newest attempt."""
        return self.attempts[-1] if self.attempts else None

    @property
    def path(self) -> str:
        """Where the proxy has it, and the program thinks it is."""
        return f"/workspaces/{self.spec.name}/"

    @property
    def environments(self) -> tuple[str, ...]:
        """Ids of all it needs, the host's too."""
        return tuple(each for each in (self.spec.environment, self.spec.tools) if each)

    def with_attempt(self, attempt: Attempt) -> "Workspace":
        """The newest attempt replaced, or a next one appended; the oldest are let go."""
        before = tuple(each for each in self.attempts if each.n < attempt.n)
        return replace(self, attempts=(*before, attempt)[-ATTEMPTS_KEPT_MAX:])

    def gang(self) -> Gang:
        """Its entry in the line."""
        return Gang(
            id=self.id,
            kind=GangKind.WORKSPACE,
            tenant=self.tenant,
            project=self.project,
            shape=self.spec.shape,
            priority=self.spec.priority,
            queued_ms=self.queued_ms,
            labels=self.spec.labels,
            avoid_nodes=suspects(self.attempts),
            data=data_of(self.spec.volumes),
        )
