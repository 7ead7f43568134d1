"""What a round shows of itself: whether an ask could ever start, whether it would now, and what stands in its way."""

from gigawatt.model.reason import Reason
from gigawatt.scheduler.ask import Ask
from gigawatt.scheduler.known import Known
from gigawatt.scheduler.round import Round
from gigawatt.scheduler.sight import Plain, Sight
from gigawatt.scheduler.snapshot import NONE, Amounts, Codes
from gigawatt.scheduler.why import why_never

NEVERS_MAX = 4_096  # asks of which it is known whether they could ever be held


def never(turn: Round, ask: Ask) -> Reason | None:
    """Why no cluster of these nodes could ever hold it."""
    known = turn.nevers
    if ask not in known:
        if len(known) >= NEVERS_MAX:
            known.clear()
        index = turn.index
        indexed = index is not None and index.counts(ask)
        sight = Known(index) if index and indexed else Plain(nodes=turn.snapshot.nodes)
        known[ask] = why_never(sight, ask)
    return known[ask]


def sight(turn: Round, ask: Ask, holds: int) -> Sight:
    """What is free now, with what is kept for the first `holds` of those that keep nodes."""
    index = turn.index
    if index is not None and index.answers(ask) and index.now(ask) < ask.nodes_min:
        return Known(index)
    held_N = (turn.holder_N != NONE) & (turn.holder_N < holds)
    return Plain(nodes=turn.snapshot.nodes, room=turn.room, held_N=held_N)


def starts(turn: Round, ask: Ask, duration_ms: int) -> bool:
    """Whether it would be placed if it were its turn now. An index is asked how many nodes, not which."""
    index = turn.index
    if index is not None and index.answers(ask):
        if index.now(ask) < ask.nodes_min:
            return False
        if not turn.holds and turn.power is None and ask.payer == NONE:
            return not turn.blocked and ask.may_run(turn.snapshot.now_ms)
    return turn.place(ask, duration_ms) is not None


def free_amounts(turn: Round, kind: int) -> Amounts:
    """Whatever any node has free of one kind, each amount at least once."""
    index = turn.index
    return turn.room.free_KN[kind] if index is None else index.free_values(kind)


def free_widest(turn: Round) -> Amounts | Codes:
    """The same of the widest device of each node."""
    index = turn.index
    return turn.room.widest_N if index is None else index.widest_values()
