"""What an engine is given to start an attempt: everything it needs and nothing that it must look up."""

from dataclasses import dataclass, field

from gigawatt.model.checkpoint import Candidate
from gigawatt.model.endpoint import Readiness
from gigawatt.model.gang import GangKind, Isolation
from gigawatt.model.resources import Resources
from gigawatt.model.secret import SecretUse
from gigawatt.model.volume import Mount


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where one rank goes."""

    rank: int
    node: str
    local_rank: int
    gpus: tuple[str, ...] = ()  # uuids on that node


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One attempt of one gang. `env` is shown by `gw jobs`, `secrets` never."""

    gang: str
    attempt: int
    kind: GangKind
    name: str
    tenant: str
    project: str
    command: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    placements: tuple[Placement, ...]  # by rank
    per_rank: Resources
    environment: str = ""  # path of the built environment; empty for the host's
    bundle: str = ""  # digest; fetched and unpacked by the engine once a node
    workdir: str = ""
    volumes: tuple[Mount, ...] = ()
    uses: tuple[SecretUse, ...] = ()  # what of the project's secrets its ranks are given
    checkpoint_dir: str = ""  # follows the gang from attempt to attempt
    model_path: str = ""
    resume_step: int | None = None
    resume_path: str = ""
    resume: tuple[Candidate, ...] = ()  # newest first, to be looked at before one is named
    resume_must: bool = False  # without any valid one it must not start
    grace_s: int = 10
    readiness: Readiness | None = None  # replicas: a port is allocated and probed
    secrets: tuple[tuple[str, str], ...] = field(
        default=(), repr=False
    )  # given to ranks, shown nowhere
    terminal: bool = False  # each rank has one
    user: str = ""  # who asked for it, as the tenant names them
    log_bytes_max: int = 0  # kept for each rank; 0 for the engine's default
    isolation: Isolation = Isolation.NONE  # at least
    shared: bool = False  # there are other tenants
    home: str = ""  # a directory kept for it, of its own to write
    tools: str = ""  # path of another environment that it runs parts of


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptKey:
    gang: str
    attempt: int

    def __str__(self) -> str:
        return f"{self.gang}.{self.attempt}"
