"""What a decision may be told to do differently, as one value: it is recorded with every cycle."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

HOLD_AFTER_MS = 600_000
STEPS_MAX = 20_000
HALF_LIFE_MS = 7 * 86_400_000
AGE_MS = 86_400_000
STARVE_AFTER_MS = 7 * 86_400_000
URGENT_FROM = 100  # what serves has this priority unless it says another
MIN_RUN_MS = 600_000
RESTART_MS = 60_000
NOTICE_MS = 30_000
CLAIM_MS = 300_000
MOVE_LOST_MS = 300_000
STOPS_MAX = 5
PLANS_MAX = 8
MOVES_MAX = 32
GROW_EVERY_MS = 900_000
LEVELS_MS = (8 * 3_600_000, 72 * 3_600_000)


class Line(StrEnum):
    """What a gang that does not fit means for those behind it."""

    BACKFILL = (
        "backfill"  # they may start; after `hold_after_ms` it keeps every node that it could use
    )
    FIFO = "fifo"  # they wait
    EASY = "easy"  # they may start if that does not delay the first that waits, by what all must have ended
    EASY_DATED = "easy-dated"  # they may start; it is tried again when it will fit, by what all must have ended


class Order(StrEnum):
    """Whose turn it is. Limits hold whatever it is."""

    FAIR = "fair"  # who is within quota, then who is owed most; as AGE where nothing is set
    AGE = "age"  # by priority, then by how long they have waited
    SHORTEST = "shortest"  # by priority, then the shortest limit; those without one last
    ATTAINED = "attained"  # the project that has used least of late
    LEVELS = (
        "levels"  # who is within quota; then the gangs that have run least, by the policy's levels
    )
    COHORTS = "cohorts"  # who is within quota, by priority and age; then who borrows, likewise


class Fit(StrEnum):
    """Which of the nodes that have room. From RANDOM on: near each other first, then by the scores of `packing`."""

    BEST = "best"  # near each other first, then those that would be left most full
    FIRST = "first"  # the first by id; one domain where the gang asks for that
    RANDOM = "random"  # any, drawn by the policy's seed
    BEST_FIT = "best-fit"  # that would be left with least, cores and GPUs by halves
    DOT_PRODUCT = "dot-product"  # whose free amounts lie least along what is asked
    GPU_PACKING = "gpu-packing"  # with a shared GPU, then one in use, then an idle one
    GPU_CLUSTERING = "gpu-clustering"  # that holds gangs of the same size
    FGD = "fgd"  # whose fragmentation grows least
    LEAST_WASTE = "least-waste"  # where the least is stranded


PACKING = tuple(Fit)[tuple(Fit).index(Fit.RANDOM) :]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """`version` names the rules themselves: it rises when the same snapshot would be decided differently."""

    version: int = 1
    hold_after_ms: int = HOLD_AFTER_MS  # a gang that waited longer keeps nodes from lower ones
    steps_max: int = (
        STEPS_MAX  # placements tried in one cycle; what is left comes first in the next
    )
    line: Line = Line.BACKFILL
    fit: Fit = Fit.BEST
    order: Order = Order.FAIR
    half_life_ms: int = HALF_LIFE_MS  # after so long, use counts half in what a project is owed
    history_percent: int = 100  # of the decayed use beyond quota that is added to the present one
    age_ms: int = AGE_MS  # a gang that has waited so long counts as if its project used half
    starve_after_ms: int = STARVE_AFTER_MS  # and after so long it comes before all; 0 is never
    urgent_from: int = URGENT_FROM  # this priority comes first also across projects
    preempt: bool = False  # a higher priority may stop lower ones of its project
    consolidate: bool = False  # gangs may be moved, so that what is free lies together
    min_run_ms: int = MIN_RUN_MS  # nothing is stopped or moved that was placed more recently
    restart_ms: int = RESTART_MS  # what starting again costs, in time of all that a gang holds
    notice_ms: int = NOTICE_MS  # to write a checkpoint, before the first signal
    claim_ms: int = CLAIM_MS  # nodes are kept so long beyond the time at which they should be free
    move_lost_ms: int = MOVE_LOST_MS  # no gang is moved that would lose more of its work
    stops_max: int = STOPS_MAX  # no gang is stopped or moved more often; 0 is without limit
    plans_max: int = PLANS_MAX  # made in one cycle
    moves_max: int = MOVES_MAX  # new places looked for in one plan
    levels_ms: tuple[int, ...] = ()  # a gang that has run so long is one level further back
    yields: bool = (
        False  # a gang may stop one of a level further back, of its project or of who borrows
    )
    reclaim: bool = False  # who stays within a quota may stop those who use more than theirs
    grow_every_ms: int = (
        GROW_EVERY_MS  # between starts of an elastic gang so as to grow; 0 is never
    )
    seed: int = 0  # of what RANDOM draws

    def __post_init__(self) -> None:
        assert self.steps_max >= 1, "a cycle that may do no work would never end"
        assert self.half_life_ms > 0, "what is forgotten at once was never kept"
        assert self.age_ms > 0, "a claim grows with the wait"

    @property
    def plans(self) -> bool:
        """Whether anything that runs may be stopped or moved."""
        return self.preempt or self.consolidate or self.reclaim or self.yields

    @property
    def needs_shares(self) -> bool:
        """Whether it asks who used what even where nobody has a quota, a limit or a weight."""
        return self.order is Order.ATTAINED

    @property
    def dated(self) -> bool:
        """Whether it looks at when what runs must have ended."""
        return self.line in {Line.EASY, Line.EASY_DATED}

    @property
    def packs(self) -> bool:
        """Whether places are chosen by the scores of `packing`."""
        return self.fit in PACKING

    @property
    def needs_uses(self) -> bool:
        """Whether it reads what runs on each node, gang by gang."""
        return self.dated or self.packs

    @property
    def indexed(self) -> bool:
        """Whether an index of places answers as it would choose."""
        return self.fit is Fit.BEST and not self.dated


POLICIES: Mapping[str, Policy] = {
    "default": Policy(),
    "fifo": Policy(line=Line.FIFO, fit=Fit.FIRST, order=Order.AGE),
    "easy": Policy(line=Line.EASY_DATED, fit=Fit.FIRST, order=Order.AGE),
    "easy-hold": Policy(line=Line.EASY, fit=Fit.FIRST, order=Order.AGE),
    "sjf": Policy(order=Order.SHORTEST),
    "las": Policy(order=Order.ATTAINED),
    "cohorts": Policy(order=Order.COHORTS),
    "preempt": Policy(preempt=True, consolidate=True, reclaim=True),
    "levels": Policy(order=Order.LEVELS, levels_ms=LEVELS_MS, yields=True, stops_max=0),
    **{fit.value: Policy(fit=fit) for fit in PACKING},
}


def policy_of(recorded: Mapping[str, Any]) -> Policy:
    """A policy from the names and values of its fields. Raises TypeError, ValueError or KeyError."""
    values = dict(recorded)
    line, fit = Line(values.pop("line")), Fit(values.pop("fit"))
    levels = tuple(values.pop("levels_ms"))
    order = Order(values.pop("order"))
    return Policy(line=line, fit=fit, order=order, levels_ms=levels, **values)
