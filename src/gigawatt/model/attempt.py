"""One launch of a gang: its ranks, its life as a table, and the verdict on how it ended."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from gigawatt.model.checkpoint import Checkpoint


class AttemptPhase(StrEnum):
    PLACED = "placed"  # nodes are held; the launch is on its way
    STARTING = "starting"  # the engine has accepted the launch
    RUNNING = "running"  # every rank's process runs
    STOPPING = "stopping"  # being stopped: cancel, timeout, a failed rank, a drain
    ENDED = "ended"  # every rank has exited and nothing of it is left


NEXT_PHASES: dict[AttemptPhase, frozenset[AttemptPhase]] = {
    AttemptPhase.PLACED: frozenset(
        {AttemptPhase.STARTING, AttemptPhase.RUNNING, AttemptPhase.STOPPING, AttemptPhase.ENDED}
    ),
    AttemptPhase.STARTING: frozenset(
        {AttemptPhase.RUNNING, AttemptPhase.STOPPING, AttemptPhase.ENDED}
    ),
    AttemptPhase.RUNNING: frozenset({AttemptPhase.STOPPING, AttemptPhase.ENDED}),
    AttemptPhase.STOPPING: frozenset({AttemptPhase.ENDED}),
    AttemptPhase.ENDED: frozenset(),
}


class Verdict(StrEnum):
    """Who or what ended an attempt; each has its own retry budget, or none."""

    SUCCESS = "success"
    USER = "user"  # the program failed
    INFRASTRUCTURE = "infrastructure"  # a node, a signal from outside, a launch that failed
    PREEMPTION = "preemption"  # stopped for another gang or by the operator
    HANG = "hang"  # it made no progress any more
    TIMEOUT = "timeout"  # ran into its own limit
    CANCELLED = "cancelled"  # a person asked


@dataclass(frozen=True, slots=True, kw_only=True)
class RankStatus:
    """One process. `exit_code` is None while it runs or when a signal ended it."""

    rank: int
    node: str
    local_rank: int = 0
    gpus: tuple[str, ...] = ()
    pid: int | None = None
    address: str = ""
    started_ms: int | None = None
    ended_ms: int | None = None
    exit_code: int | None = None
    signal: int | None = None
    last_lines: tuple[str, ...] = ()
    asked: bool = False  # it ended after it was asked to

    @property
    def exited(self) -> bool:
        return self.ended_ms is not None

    @property
    def failed(self) -> bool:
        return self.exited and (self.exit_code != 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One fact that a verdict stands on."""

    at_ms: int
    what: str  # exit, signal, oom, node_down, launch_failed, lost, hang; others add to one of these
    detail: str
    rank: int | None = None
    node: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The newest that a rank reported. Loss and rates are what the program said."""

    at_ms: int
    step: int | None = None
    loss: float | None = None
    tokens: int | None = None  # since the attempt started
    tokens_per_s: float | None = None
    metrics: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Spare:
    """A node that an attempt holds and does not run on, with the devices that are kept there."""

    node: str
    gpus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """`(gang, n)` names it everywhere; n counts from 1."""

    n: int
    phase: AttemptPhase
    nodes: tuple[str, ...]
    ranks: tuple[RankStatus, ...]
    epoch: int  # of the leader that launched it
    placed_ms: int
    master_port: int = 0
    prepared_ms: int | None = None  # when it was last told that its nodes fetch what it needs
    starting_ms: int | None = None
    running_ms: int | None = None
    stopping_ms: int | None = None
    ended_ms: int | None = None
    stop_cause: Verdict | None = None  # why it is being stopped, when that is not a rank's own end
    verdict: Verdict | None = None
    charged_to: str = ""  # "user", "infrastructure" or "" for nobody
    evidence: tuple[Evidence, ...] = ()
    first_step_ms: int | None = None
    resumed_from: Checkpoint | None = None
    ready: bool = False  # replicas: readiness was seen
    port: int = 0  # replicas: where rank 0 serves
    places: tuple[int, ...] = ()  # of a stacked gang, how many each node holds; () is one each
    stopped_for: str = (
        ""  # what a plan stopped it for: a gang's id (its own: to grow), or "another tenant"
    )
    notice_ms: int = 0  # from then to its first signal
    spares: tuple[Spare, ...] = ()  # held beside its nodes

    @property
    def held(self) -> tuple[str, ...]:
        """All of its nodes, and then its spares."""
        return (*self.nodes, *(spare.node for spare in self.spares)) if self.spares else self.nodes

    step_ms: int = 0  # the median step of its ranks, as far as they report steps
    last_step: int | None = None  # where it hung
    blamed: tuple[str, ...] = ()  # nodes that its failure is laid to; sorted
    grow_asked_ms: int = 0  # when it was last asked for a checkpoint so as to grow

    def rank(self, number: int) -> RankStatus:
        return self.ranks[number]

    def with_rank(self, status: RankStatus) -> "Attempt":
        before, after = self.ranks[: status.rank], self.ranks[status.rank + 1 :]
        return replace(self, ranks=(*before, status, *after))

    def with_ranks(self, statuses: Iterable[RankStatus]) -> "Attempt":
        """Several ranks replaced at once; of several values of one rank the last. Without any, the attempt itself."""
        ranks = list(self.ranks)
        changed = False
        for status in statuses:
            ranks[status.rank], changed = status, True
        return replace(self, ranks=tuple(ranks)) if changed else self

    def moved(self, phase: AttemptPhase) -> "Attempt":
        """This attempt in `phase`; a step that the table does not allow is our mistake."""
        assert phase in NEXT_PHASES[self.phase], f"attempt {self.n}: {self.phase} -> {phase}"
        return replace(self, phase=phase)

    @property
    def place_count(self) -> int:
        """How many times the gang's amounts for one node it holds."""
        return sum(self.places) if self.places else len(self.nodes)

    def places_on(self, node: str) -> int:
        """How many of the gang's places a node of it holds."""
        return self.places[self.nodes.index(node)] if self.places else 1

    @property
    def live(self) -> bool:
        return self.phase is not AttemptPhase.ENDED
