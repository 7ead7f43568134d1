"""An endpoint: a named model service, and the replicas (one gang each) that serve it."""

from dataclasses import dataclass
from enum import StrEnum

from gigawatt.model.attempt import Attempt
from gigawatt.model.gang import Gang, GangKind, Shape
from gigawatt.model.job import after_pause, suspects
from gigawatt.model.plan import Claim
from gigawatt.model.rollout import (
    DEFAULT_PLAN,
    NOTHING_SEEN,
    WHOLE,
    RevisionPhase,
    RolloutPlan,
    Seen,
)
from gigawatt.model.runtime import RuntimeName
from gigawatt.model.scaling import NO_LOAD, LoadSeen, Scaling
from gigawatt.model.secret import SecretUse
from gigawatt.model.values import replace
from gigawatt.model.volume import Mount, data_of

ENDPOINT_LABEL = "endpoint"  # that replicas wear, with the name of theirs


class EndpointPhase(StrEnum):
    PREPARING = "preparing"  # its environment is being built
    ZERO = "zero"  # no replica, none wanted
    STARTING = "starting"  # replicas wanted, none ready yet
    READY = "ready"
    FAILED = "failed"  # replicas failed too often; the next change of the spec tries again
    STOPPING = "stopping"  # deleted; replicas are being stopped
    STOPPED = "stopped"


_GOING = (
    EndpointPhase.PREPARING,
    EndpointPhase.ZERO,
    EndpointPhase.STARTING,
    EndpointPhase.READY,
    EndpointPhase.FAILED,
)
NEXT_PHASES: dict[EndpointPhase, frozenset[EndpointPhase]] = {
    **{phase: frozenset({*_GOING, EndpointPhase.STOPPING}) - {phase} for phase in _GOING},
    EndpointPhase.STOPPING: frozenset({EndpointPhase.STOPPED}),
    EndpointPhase.STOPPED: frozenset(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """A replica is ready when GET `path` on its port answers 2xx; later failures make it unready."""

    path: str = "/health"
    timeout_s: int = 120  # from started to first ready; then the replica counts as failed
    interval_ms: int = 250


class Routing(StrEnum):
    """Which of the replicas with room takes a request."""

    LEAST = "least"  # the one with the fewest in flight
    PREFIX = "prefix"  # the one that has seen most of the prompt's beginning
    SESSION = "session"  # the same one for the same session


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What else a gateway serves an endpoint by, and what takes its place. Names are what clients write as `model`."""

    aliases: tuple[str, ...] = ()  # replicas are asked for the served name
    adapters: tuple[str, ...] = ()  # models of the same replicas (LoRA): they are asked for these
    weight: int = 0  # its part of the requests for a name that several endpoints serve
    fallback: str = ""  # the name that takes requests which this endpoint cannot


NO_NAMES = Names()


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSpec:
    name: str
    model: str  # "name:version", resolved when the endpoint was made
    model_path: str  # where the model's files are on a node
    served_name: str  # what clients write as `model`
    command: tuple[str, ...]  # finds its port in PORT, its model in GIGAWATT_MODEL_PATH
    shape: Shape
    environment: str
    bundle: str = ""
    workdir: str = ""
    env: tuple[tuple[str, str], ...] = ()
    volumes: tuple[Mount, ...] = ()  # settled when the spec was put
    secrets: tuple[SecretUse, ...] = ()
    replicas_min: int = 0
    replicas_max: int = 1
    concurrency: int = 8  # requests in flight that one replica is meant for
    idle_s: int = 300  # without a request for this long: down to replicas_min
    queue_max: int = 256  # requests that may wait for a replica
    queue_timeout_s: int = 300
    routing: Routing = Routing.LEAST
    runtime: RuntimeName = RuntimeName.CUSTOM
    scaling: Scaling | None = None
    sleep_s: int = 0  # without a request until a replica sleeps, where its runtime can; 0: never
    names: Names = NO_NAMES
    readiness: Readiness = Readiness()
    priority: int = 100
    grace_s: int = 10
    labels: tuple[tuple[str, str], ...] = ()
    rollout: RolloutPlan = DEFAULT_PLAN

    def runs_as(self, other: "EndpointSpec") -> bool:
        """Replicas of the one serve as well for the other: all that differs is how many, and how they are asked."""
        alike = replace(
            other,
            replicas_min=self.replicas_min,
            replicas_max=self.replicas_max,
            concurrency=self.concurrency,
            idle_s=self.idle_s,
            queue_max=self.queue_max,
            queue_timeout_s=self.queue_timeout_s,
            routing=self.routing,
            scaling=self.scaling,
            names=self.names,
            rollout=self.rollout,
        )
        return alike == self


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What the gateway last said of an endpoint."""

    at_ms: int
    in_flight: int = 0
    queued: int = 0
    last_request_ms: int = 0
    requests: int = 0  # since the endpoint was made
    prompt_tokens: int = 0
    completion_tokens: int = 0
    backlog_tokens: int = 0  # of the prompts that wait, about
    ttft_ms: int = 0  # of nine in ten of the newest requests at most; 0: not known
    tpot_ms: int = 0
    cache_percent: int = 0  # of the fullest KV cache
    open: tuple[str, ...] = ()  # replicas that have requests, those that are being let go of too


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTimes:
    """How long a replica took to its first readiness, stage by stage."""

    place_ms: int  # from being wanted until it has nodes
    fetch_ms: int  # until they have what it needs
    launch_ms: int  # until its processes run
    load_ms: int  # until it is ready: its runtime loads the model, and warms up

    @property
    def total_ms(self) -> int:
        return self.place_ms + self.fetch_ms + self.launch_ms + self.load_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One gang that serves an endpoint; it ends when it is not wanted or has failed."""

    id: str
    endpoint: str
    tenant: str
    project: str
    shape: Shape
    priority: int
    queued_ms: int
    generation: int = 1
    volumes: tuple[Mount, ...] = ()  # those of the spec that it was made for
    attempts: tuple[Attempt, ...] = ()
    stopping: bool = False  # not wanted any more
    draining_ms: int | None = None  # since when it is given no requests, and ends those that it has
    ended_ms: int | None = None
    claim: Claim | None = None  # what is kept for it until it starts
    labels: tuple[tuple[str, str], ...] = ()  # its endpoint's, and `endpoint` with its name
    version: int = 1

    @property
    def attempt(self) -> Attempt | None:
        return self.attempts[-1] if self.attempts else None

    @property
    def ready(self) -> bool:
        return bool(self.attempts) and self.attempts[-1].ready and self.attempts[-1].live

    def with_attempt(self, attempt: Attempt) -> "Replica":
        assert attempt.n in {len(self.attempts), len(self.attempts) + 1}
        return replace(self, attempts=(*self.attempts[: attempt.n - 1], attempt))

    def gang(self) -> Gang:
        return Gang(
            id=self.id,
            kind=GangKind.REPLICA,
            tenant=self.tenant,
            project=self.project,
            shape=self.shape,
            priority=self.priority,
            queued_ms=self.queued_ms,
            labels=self.labels,
            windows=after_pause((), self.attempts),
            avoid_nodes=suspects(self.attempts),
            data=data_of(self.volumes),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """From one revision to the endpoint's `spec` and `generation`, which is the new one."""

    before: EndpointSpec
    before_generation: int
    by: str
    began_ms: int
    weight: int = 0  # percent of the requests that the new one takes
    since_ms: int = 0  # when it began to take as many
    paused: bool = False
    promoted: bool = False  # by a person: no more steps, and no bake
    in_turn: bool = False  # old replicas make room
    failures: int = 0  # of new replicas
    new: Seen = NOTHING_SEEN  # since `since_ms`
    old: Seen = NOTHING_SEEN
    baseline: Seen = NOTHING_SEEN  # of the old one, before
    why: str = ""  # it is where it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A spec that an endpoint had, and what became of it."""

    id: str
    endpoint: str
    tenant: str
    project: str
    number: int  # as the generation of its replicas
    spec: EndpointSpec
    phase: RevisionPhase
    created_ms: int
    created_by: str
    message: str = ""
    ended_ms: int | None = None  # when it became live, or did not


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    id: str
    tenant: str
    project: str
    spec: EndpointSpec
    phase: EndpointPhase
    created_ms: int
    created_by: str
    replicas_wanted: int = 0
    generation: int = 1  # which revision `spec` is
    revisions: int = 1  # so many there have been
    rollout: Rollout | None = None  # under way
    last_rollout: str = ""  # what came of it
    failures: int = 0  # replicas that failed in a row
    not_before_ms: int = 0  # no new replica before this: the pause after a failure
    demand: Demand | None = None
    start: StartTimes | None = None  # of the replica that became ready last
    load: LoadSeen = NO_LOAD
    why: str = ""  # there are as many replicas wanted as there are
    message: str = ""
    ended_ms: int | None = None
    version: int = 1

    @property
    def generations(self) -> tuple[int, ...]:
        """Those of which there are to be replicas, the newest first."""
        return (self.generation, *((self.rollout.before_generation,) if self.rollout else ()))

    @property
    def serving(self) -> EndpointSpec:
        """The spec whose names and queue hold for clients now."""
        rollout = self.rollout
        return rollout.before if rollout and rollout.weight < WHOLE else self.spec

    def spec_of(self, generation: int) -> EndpointSpec:
        """What its replicas of that generation run."""
        rollout = self.rollout
        return rollout.before if rollout and generation == rollout.before_generation else self.spec

    def moved(self, phase: EndpointPhase) -> "Endpoint":
        assert phase in NEXT_PHASES[self.phase], f"{self.id}: {self.phase} -> {phase}"
        return replace(self, phase=phase)
