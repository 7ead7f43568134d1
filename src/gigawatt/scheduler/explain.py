"""Why a gang waits, how far it is from the head of the line, and the cheapest change that would start it now.

A change is found by asking the round itself, at the gang's own turn, with one field of what it asks for changed. Changes
are tried from what costs a person least: where the nodes are, then which kind of GPU, then the smallest cut among
cores, memory, GPUs, nodes and the limit. A limit that gangs alike hardly ever reach costs nothing, so it comes first.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from gigawatt.model.decision import Start
from gigawatt.model.node import TOPOLOGY_LEVELS
from gigawatt.model.reason import Reason
from gigawatt.scheduler import seen
from gigawatt.scheduler.ask import Ask
from gigawatt.scheduler.decide import fair_line, in_line, visiting_order
from gigawatt.scheduler.fair import FairLine
from gigawatt.scheduler.index import Memo
from gigawatt.scheduler.policy import Policy
from gigawatt.scheduler.reasons import Reasons
from gigawatt.scheduler.resubmitted import starts_anew
from gigawatt.scheduler.round import Round
from gigawatt.scheduler.shorter import shorter_limit_ms
from gigawatt.scheduler.snapshot import (
    CPU,
    DEVICE_MILLI,
    MEMORY,
    NONE,
    Amounts,
    Codes,
    Rows,
    Snapshot,
)

MIB = 1 << 20  # memory is cut to whole MiB

Value = int | float | str | tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheapestChange:
    """`field` of the job file from `before` to `after`, in its own unit: cores, GPUs, bytes, nodes, seconds, a level,
    kinds. `start` is now, or when it starts all but for sure.
    """

    field: str
    before: Value
    after: Value
    start: str = "now"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Of one gang in the line: either it starts now, or it waits, at a position, for a reason."""

    gang: str
    start: Start | None = None
    position: int = 0  # counts from 1 among those that wait; 0 when it starts now
    reason: Reason | None = None
    cheapest_change: CheapestChange | None = None


def explain(
    snapshot: Snapshot,
    gang: str,
    policy: Policy,
    memo: Memo | None = None,
    *,
    likely_ms: int = 0,
) -> Explanation | None:
    """What the next decision says of the gang, and what would start it; None if no gang of that id waits.

    A memo is of the snapshot's nodes, as in `decide.finish`. `likely_ms` is what nine tenths of gangs like it take at
    most; 0 where that is not known.
    """
    row = snapshot.gangs.row(gang)
    if row == NONE:
        return None
    turn = Round(snapshot, policy, memo.lend(snapshot.nodes) if memo and policy.indexed else None)
    ahead, rest, line = _parted(turn, row)
    turn.advance(ahead)
    spent = turn.steps == policy.steps_max
    ask, ranks = turn.asks[int(turn.ask_G[row])], int(snapshot.gangs.ranks_G[row])
    duration_ms = int(snapshot.gangs.duration_ms_G[row])
    tried = not spent and not turn.blocked and not turn.awaited(row)
    change = None
    if tried:
        change = cheapest_change(turn, ask, ranks, duration_ms, row=row, likely_ms=likely_ms)
    turn.advance(rest)
    if row in turn.starts:
        return Explanation(gang=gang, start=turn.starts[row])
    if change is not None and (turn.holds or turn.hold):
        # What is kept for others behind it would be in the way of one that comes anew.
        anew = starts_anew(snapshot, row, change.field, change.after, policy)
        change = change if anew else None
    wait = Reasons(turn).of(line(), row)
    return Explanation(
        gang=gang, position=wait.position, reason=wait.reason, cheapest_change=change
    )


def cheapest_change(
    turn: Round,
    ask: Ask,
    ranks: int,
    duration_ms: int = 0,
    *,
    row: int = NONE,
    likely_ms: int = 0,
) -> CheapestChange | None:
    """The change of one field with which `ask` would start if it were its turn now; None if it starts, or none does.

    `ranks` on each node share its devices evenly, so only such numbers of devices are offered. `row` is of the gang that
    asks, where its project's limits are to hold.
    """

    def starts(changed: Ask) -> bool:
        return turn.allowed(row, changed) and seen.starts(turn, changed, duration_ms)

    if not ask.may_run(turn.snapshot.now_ms) or starts(ask):
        return None
    shorter_ms = shorter_limit_ms(turn, ask, duration_ms) if turn.allowed(row, ask) else None
    if shorter_ms and 0 < likely_ms <= shorter_ms:
        return _shorter(duration_ms, shorter_ms)
    for changed, change in (
        *_looser(ask, keeps=_keeps(turn, ask)),
        *_farther(ask),
        *_other_kinds(turn, ask),
    ):
        if starts(changed):
            return change
    found = [
        (cut, value)
        for cut in _cuts(turn, ask, ranks)
        if (value := _largest(starts, cut)) is not None
    ]
    if not found:
        if likely_ms or not shorter_ms:  # a limit that most gangs like it reach is no help
            return None
        return _shorter(duration_ms, shorter_ms)
    cut, value = min(found, key=lambda each: Fraction(each[0].need - each[1], each[0].need))
    return CheapestChange(field=cut.field, before=cut.printed(cut.need), after=cut.printed(value))


def _shorter(duration_ms: int, shorter_ms: int) -> CheapestChange:
    return CheapestChange(field="timeout", before=duration_ms // 1000, after=shorter_ms // 1000)


def _parted(
    turn: Round, row: int
) -> tuple[Rows | Iterator[int], Rows | Iterator[int], Callable[[], Rows]]:
    """Those whose turn comes before the gang's, those from it on, and the line once both have had theirs."""
    fair = fair_line(turn)
    if fair is not None:
        return fair.until(row), _lazily(fair), fair.rows
    line = in_line(turn.snapshot.gangs, turn.policy)
    order = visiting_order(line, turn.snapshot, turn.policy)
    place = int(np.flatnonzero(order == row)[0])
    return order[:place], order[place:], lambda: line


def _lazily(line: FairLine) -> Iterator[int]:
    """What is left of it when it is begun."""
    yield from line


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cut:
    """Less of one amount: what may be tried, in ascending order, and the ask that each makes."""

    field: str
    need: int
    values: Sequence[int]
    ask: Callable[[int], Ask]
    printed: Callable[[int], Value] = int


def _keeps(turn: Round, ask: Ask) -> bool:
    """Whether it is the gang itself that keeps apart, and nobody from it."""
    return turn.apart is not None and turn.apart.alone(ask.wear)


def _looser(ask: Ask, *, keeps: bool) -> Iterator[tuple[Ask, CheapestChange]]:
    """Not apart from others, without its spread, and without its segments."""
    terms = ask.terms
    if ask.wear != NONE and keeps:
        yield (
            replace(ask, wear=NONE),
            CheapestChange(field="gang.apart", before="apart", after=""),
        )
    if terms.spread_level != NONE:
        changed = replace(terms, spread_level=NONE, spread_most=0)
        before = TOPOLOGY_LEVELS[terms.spread_level]
        yield (
            replace(ask, terms=changed),
            CheapestChange(field="gang.spread", before=before, after=""),
        )
    if terms.segment and not terms.spares:
        changed = replace(terms, segment=0, segment_level=NONE)
        before = TOPOLOGY_LEVELS[terms.segment_level]
        yield (
            replace(ask, terms=changed),
            CheapestChange(field="gang.segment", before=before, after=""),
        )


def _farther(ask: Ask) -> Iterator[tuple[Ask, CheapestChange]]:
    """Wider and wider levels to be near in, up to none."""
    for level in reversed(range(NONE, ask.same)):
        after = TOPOLOGY_LEVELS[level] if level != NONE else ""
        before = TOPOLOGY_LEVELS[ask.same]
        yield (
            replace(ask, same=level),
            CheapestChange(field="gang.same", before=before, after=after),
        )


def _other_kinds(turn: Round, ask: Ask) -> Iterator[tuple[Ask, CheapestChange]]:
    """One more kind of GPU as the last alternative."""
    if not ask.kinds:
        return
    for kind in turn.snapshot.nodes.gpu_kinds:
        if kind not in ask.kinds:
            kinds = (*ask.kinds, kind)
            yield (
                replace(ask, kinds=kinds),
                CheapestChange(field="gang.gpu_kinds", before=ask.kinds, after=kinds),
            )


def _cuts(turn: Round, ask: Ask, ranks: int) -> tuple[_Cut, ...]:
    demand = ask.demand

    def demanding(**amounts: int) -> Ask:
        return replace(ask, demand=replace(demand, **amounts))

    def with_nodes(count: int) -> Ask:
        elastic = ask.nodes_max > ask.nodes_min
        return replace(ask, nodes_min=count, nodes_max=ask.nodes_max if elastic else count)

    if demand.share:
        gpus = _below(demand.milli_gpu, seen.free_widest(turn))
    else:
        fewer = range(1, -(-demand.milli_gpu // DEVICE_MILLI))
        gpus = [n * DEVICE_MILLI for n in fewer if n <= ranks or n % ranks == 0]
    return (
        _Cut(
            field="gang.cpus",
            need=demand.milli_cpu,
            values=_below(demand.milli_cpu, seen.free_amounts(turn, CPU)),
            ask=lambda value: demanding(milli_cpu=value),
            printed=_from_milli,
        ),
        _Cut(
            field="gang.memory",
            need=demand.memory_bytes,
            values=_below(demand.memory_bytes, seen.free_amounts(turn, MEMORY) // MIB * MIB),
            ask=lambda value: demanding(memory_bytes=value),
        ),
        _Cut(
            field="gang.gpus",
            need=demand.milli_gpu,
            values=gpus,
            ask=lambda value: demanding(milli_gpu=value),
            printed=_from_milli,
        ),
        _Cut(
            field="gang.nodes.min" if ask.nodes_max > ask.nodes_min else "gang.nodes",
            need=ask.nodes_min,
            values=range(ask.terms.least, ask.nodes_min, ask.terms.step),
            ask=with_nodes,
            printed=ask.terms.own_nodes,
        ),
    )


def _largest(starts: Callable[[Ask], bool], cut: _Cut) -> int | None:
    """The largest value with which the gang would start: the less it asks, the more nodes have it."""
    if not cut.values or not starts(cut.ask(cut.values[0])):
        return None
    enough = bisect_left(cut.values, 1, lo=1, key=lambda value: not starts(cut.ask(value)))
    return cut.values[enough - 1]


def _below(need: int, free_N: Amounts | Codes) -> list[int]:
    """What nodes have free, as long as it is more than nothing and less than what is needed."""
    return np.unique(free_N[(free_N > 0) & (free_N < need)]).tolist()


def _from_milli(milli: int) -> int | float:
    return milli // 1000 if milli % 1000 == 0 else milli / 1000
