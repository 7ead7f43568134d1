"""What is to be done outside: carried out after the commit, idempotent, and safe to repeat after a crash."""

from dataclasses import dataclass

from gigawatt.model.environment import EnvironmentSpec
from gigawatt.model.launch import AttemptKey, Launch
from gigawatt.model.node import NodeState


@dataclass(frozen=True, slots=True, kw_only=True)
class StartAttempt:
    launch: Launch


@dataclass(frozen=True, slots=True, kw_only=True)
class StopAttempt:
    key: AttemptKey
    grace_s: float
    after_s: float = 0.0  # before its first signal, for gateways to hear that it is not to be used


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyAttempt:
    """Its ranks are to write a checkpoint by then: they will be stopped."""

    key: AttemptKey
    checkpoint_by_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseAttempt:
    """The end of an attempt is on record: the engine may forget it."""

    key: AttemptKey


@dataclass(frozen=True, slots=True, kw_only=True)
class SetNode:
    node: str
    state: NodeState
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckNode:
    """Run the checks of a level on a node; the results are observed."""

    node: str
    level: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeAttempt:
    """See where ranks are in their programs, before they are stopped."""

    key: AttemptKey
    ranks: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildEnvironment:
    environment: str
    tenant: str
    spec: EnvironmentSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteEnvironment:
    environment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreModel:
    """Put the output of a succeeded job into the artifact store."""

    job: str
    path: str  # absolute
    within: str  # the job's own directory, which nothing of the output may lead out of


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveCheckpoints:
    """Delete these checkpoints' files, which are below `within`."""

    job: str
    within: str
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveHome:
    """Delete a workspace's home with all that is in it."""

    workspace: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallTask:
    """Read the ended job of an array's task, which is to run again."""

    array: str
    index: int


Action = (
    StartAttempt
    | StopAttempt
    | NotifyAttempt
    | ReleaseAttempt
    | SetNode
    | CheckNode
    | ProbeAttempt
    | BuildEnvironment
    | DeleteEnvironment
    | StoreModel
    | RemoveCheckpoints
    | RemoveHome
    | RecallTask
)
