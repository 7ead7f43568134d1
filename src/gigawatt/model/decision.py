"""What a cycle decides: which gangs start where, and why each of the others waits."""

from dataclasses import dataclass

from gigawatt.model.plan import Growth, Lapse, Plan
from gigawatt.model.reason import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A gang and its nodes, in rank order: ranks 0 to ranks_per_node - 1 on the first, and so on."""

    gang: str
    nodes: tuple[str, ...]
    gpus: tuple[tuple[int, ...], ...] = ()
    """For each node, then for each spare, the places in its `report.gpus` of the devices that the gang is given; () where it asks none."""
    spares: tuple[
        str, ...
    ] = ()  # nodes that it holds beside those, and on which nothing of it runs
    places: tuple[int, ...] = ()  # of a stacked gang, how many each node holds; () is one each
    borrows: str = ""  # the tenant or project, nearest the top, that now uses more than its quota


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """`position` counts from 1 among the gangs that still wait, in the order in which they are considered."""

    gang: str
    position: int
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """What is kept for the gang at the head of the line: it will fit at `at_ms` if what runs ends when it must."""

    gang: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """`starts` and `waits` are in the order of the line, and every waiting gang is in one of them."""

    starts: tuple[Start, ...]
    waits: tuple[Wait, ...]
    steps: int  # the work done, in the scheduler's own unit: placements tried
    resume: str = ""  # the gang at which the work budget ended: the next snapshot carries it on
    again_ms: int = 0
    """When to decide again although nothing changes: a window opens, or work is left. 0 for never."""
    hold: Hold | None = None  # of a policy that dates one
    plans: tuple[Plan, ...] = ()  # made in this cycle, in the order of the line
    lapses: tuple[Lapse, ...] = ()  # claims of earlier cycles that hold no longer, by gang
    growth: Growth | None = None  # at most one a cycle
