"""What callers ask the leader for: already permitted, parsed and given ids. The leader may still refuse.

`if_version` is the version that the caller has seen of what it changes: refuse (stale-version) if it has another; 0 is any.
"""

from dataclasses import dataclass

from gigawatt.model.accounts import OfAccounts
from gigawatt.model.array import ArraySpec, JobArray
from gigawatt.model.artifact import Artifact, Lineage, Weights
from gigawatt.model.cause import Cause
from gigawatt.model.endpoint import EndpointSpec
from gigawatt.model.environment import Environment
from gigawatt.model.job import Job, JobSpec
from gigawatt.model.order import Order
from gigawatt.model.quota import Entitlement
from gigawatt.model.ranges import Ranges
from gigawatt.model.retention import Retention
from gigawatt.model.rollout import SteerRollout
from gigawatt.model.tenant import ApiKey
from gigawatt.model.upkeep import OfNode
from gigawatt.model.volume import VolumeKind
from gigawatt.model.workspace import WorkspaceSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitJob:
    """`after_done` are those of `spec.after` that the store already had as ended, in the way that it asks for."""

    id: str
    tenant: str
    project: str
    by: str
    spec: JobSpec
    environment: Environment | None = None  # to be built if it is not there; None for the host's
    after_done: tuple[str, ...] = ()
    cause: Cause | None = None
    expected_ms: int = 0  # how long it should run, by what gangs like it took; 0 is not known


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelJob:
    id: str
    by: str
    if_version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryJob:
    """`job` as the store had it: ended. `array` likewise, where it is the task of one that has ended."""

    job: Job
    by: str
    array: JobArray | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitArray:
    """As `SubmitJob`, for many tasks of one spec."""

    id: str
    tenant: str
    project: str
    by: str
    spec: JobSpec
    tasks: ArraySpec
    environment: Environment | None = None
    after_done: tuple[str, ...] = ()
    each_done: Ranges | None = None  # of `spec.after_each`, if that had ended
    cause: Cause | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelArray:
    id: str
    by: str
    if_version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryArray:
    """`array` as the store had it: ended."""

    array: JobArray
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnsureEnvironment:
    environment: Environment
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveEnvironment:
    """Refused (conflict) where work still refers to it, or it was used after `unused_since_ms`."""

    id: str
    unused_since_ms: int
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddArtifact:
    artifact: Artifact


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterModel:
    """A stored artifact becomes the next version of `name`. `id` is the new version's."""

    id: str
    tenant: str
    project: str
    by: str
    name: str
    digest: str
    size_bytes: int
    lineage: Lineage
    metrics: tuple[tuple[str, float], ...] = ()
    aliases: tuple[str, ...] = ()
    card: str = ""
    weights: Weights | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAlias:
    """`number` 0 takes the alias away."""

    tenant: str
    project: str
    by: str
    name: str
    alias: str
    number: int
    reason: str = ""
    if_version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SetCard:
    """Give a version another card."""

    tenant: str
    project: str
    by: str
    name: str
    number: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateVolume:
    """`path` of a path volume is one that is allowed, without links.

    An S3 volume has its first version from the start: `digest`, `size_bytes` and `files` are of the listing.
    """

    tenant: str
    project: str
    by: str
    name: str
    kind: VolumeKind
    path: str = ""
    url: str = ""
    secret: str = ""  # its name
    digest: str = ""
    size_bytes: int = 0
    files: int = 0
    quota_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AddVolumeVersion:
    """A stored tree, or the listing of a bucket, becomes the next version of a volume.

    `stored_bytes` is what the volume holds with it; refused (stale-version) where the volume is not at
    `volume_version` any more, for which that was worked out.
    """

    tenant: str
    project: str
    by: str
    name: str
    digest: str
    size_bytes: int
    files: int
    stored_bytes: int
    volume_version: int
    project_bytes_max: int = 0  # that all volumes of the project may hold; 0 is without limit
    message: str = ""
    job: str = ""
    attempt: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SetVolumeQuota:
    tenant: str
    project: str
    by: str
    name: str
    quota_bytes: int
    if_version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteVolume:
    """A version of a volume, or with `number` 0 all of it; refused (conflict) while live work mounts it.

    `stored_bytes` is what is left, at `volume_version`, as for AddVolumeVersion.
    """

    tenant: str
    project: str
    by: str
    name: str
    number: int = 0
    stored_bytes: int = 0
    volume_version: int = 0
    if_version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PutEndpoint:
    """Make an endpoint, or give the one of this name a new spec."""

    id: str
    tenant: str
    project: str
    by: str
    spec: EndpointSpec
    environment: Environment | None = None
    if_version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StopEndpoint:
    id: str
    by: str
    if_version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeWorkspace:
    """A new workspace, started at once. `environments` are to be built where they are not there."""

    id: str
    tenant: str
    project: str
    by: str
    spec: WorkspaceSpec
    environments: tuple[Environment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StartWorkspace:
    id: str
    by: str
    if_version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspendWorkspace:
    id: str
    by: str
    if_version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendWorkspace:
    """Its lease ends at `lease_end_ms`, which is later than it was."""

    id: str
    by: str
    lease_end_ms: int
    if_version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteWorkspace:
    """`purge`: together with its home."""

    id: str
    by: str
    purge: bool = False
    if_version: int = 0


OfWorkspace = MakeWorkspace | StartWorkspace | SuspendWorkspace | ExtendWorkspace | DeleteWorkspace


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteAccess:
    """Someone talks to a rank: put on record, and nothing else."""

    gang: str
    rank: int
    by: str
    verb: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateProject:
    tenant: str
    name: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRetention:
    tenant: str
    name: str  # of the project
    retention: Retention
    by: str
    if_version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SetEntitlement:
    tenant: str
    name: str  # of the project
    entitlement: Entitlement
    by: str
    if_version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveJob:
    """`job`, or array, as the store had it: ended. What was used since `planned_ms` stays, here and below."""

    job: Job | JobArray
    planned_ms: int
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveArtifact:
    artifact: Artifact
    planned_ms: int
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateKey:
    key: ApiKey


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeKey:
    id: str
    tenant: str
    by: str
    if_version: int = 0


Command = (
    SubmitJob
    | CancelJob
    | RetryJob
    | SubmitArray
    | CancelArray
    | RetryArray
    | EnsureEnvironment
    | RemoveEnvironment
    | AddArtifact
    | RegisterModel
    | SetAlias
    | SetCard
    | CreateVolume
    | AddVolumeVersion
    | SetVolumeQuota
    | DeleteVolume
    | PutEndpoint
    | StopEndpoint
    | SteerRollout
    | OfWorkspace
    | OfNode
    | NoteAccess
    | CreateProject
    | SetRetention
    | SetEntitlement
    | RemoveJob
    | RemoveArtifact
    | CreateKey
    | RevokeKey
    | OfAccounts
    | Order
)
