"""Which gangs start, on which nodes and devices, and why each of the others waits.

A pure function of the snapshot and the policy: no clock, no chance, no order but the one stated here. Gangs are
considered by priority, highest first, then by how long they have waited, then by id; where anybody has a quota, a limit
or a weight, by who is owed most (`fair`). One that fits starts; those
behind it may start if they fit (backfill), until a gang that has waited longer than the policy's `hold_after_ms`
keeps the nodes that it could use.
"""

from dataclasses import dataclass, replace

import numpy as np

from gigawatt.model.decision import Decision, Wait
from gigawatt.scheduler.fair import FairLine
from gigawatt.scheduler.growth import Grown, grown
from gigawatt.scheduler.index import Memo
from gigawatt.scheduler.levels import levels
from gigawatt.scheduler.policy import Line, Order, Policy
from gigawatt.scheduler.reasons import Reasons
from gigawatt.scheduler.round import Round
from gigawatt.scheduler.snapshot import NEVER_MS, NONE, GangColumns, Rows, Snapshot

FIXED = frozenset({Order.AGE, Order.SHORTEST})


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A round that has been through the line. Its starts are known; why the others wait is worked out when asked."""

    turn: Round
    line: Rows

    def decision(self) -> Decision:
        """All that it has come to, in the order of the line."""
        return replace(self.started(), waits=self.waits())

    def started(self) -> Decision:
        """The decision without its waits."""
        turn, in_turn = self.turn, self.line.tolist()
        larger = grown(turn)
        return Decision(
            starts=tuple([turn.starts[row] for row in in_turn if row in turn.starts])
            if turn.starts
            else (),
            waits=(),
            steps=turn.steps,
            resume=turn.resume,
            again_ms=_again_ms(turn, larger),
            hold=turn.hold,
            plans=tuple([turn.plans[row] for row in in_turn if row in turn.plans])
            if turn.plans
            else (),
            lapses=turn.claims.lapses,
            growth=larger.growth,
        )

    def waits(self) -> tuple[Wait, ...]:
        """Those that were not started, each with its reason."""
        return Reasons(self.turn).waits(self.line)


def decide(snapshot: Snapshot, policy: Policy) -> Decision:
    """The same bytes in give the same decision out. Nothing in the snapshot is written to."""
    return finish(snapshot, policy).decision()


def finish(snapshot: Snapshot, policy: Policy, memo: Memo | None = None) -> Finished:
    """Decide who starts. A memo of how the nodes were before saves time, and changes nothing."""
    turn = Round(snapshot, policy, memo.lend(snapshot.nodes) if memo and policy.indexed else None)
    fair = fair_line(turn)
    if fair is not None:
        turn.advance(fair)
        turn.close()
        return Finished(turn=turn, line=fair.rows())
    line = in_line(snapshot.gangs, policy)
    turn.advance(visiting_order(line, snapshot, policy))
    turn.close()
    return Finished(turn=turn, line=line)


def fair_line(turn: Round) -> FairLine | None:
    """The line by who is owed most, which goes on with what `turn` starts; None where the order is fixed."""
    snapshot, policy = turn.snapshot, turn.policy
    if turn.shares is None or policy.order in FIXED:
        return None
    line = FairLine(turn.shares, turn.ask_G, snapshot, policy)
    row = snapshot.gangs.row(snapshot.resume)
    if row != NONE:
        line.resumed(row, policy.steps_max // 2)
    return line


def in_line(gangs: GangColumns, policy: Policy) -> Rows:
    """Rows of gangs in the order of a line that nothing changes."""
    if policy.order is Order.SHORTEST:
        limits_G = np.where(gangs.duration_ms_G, gangs.duration_ms_G, NEVER_MS)
        return np.lexsort((gangs.queued_ms_G, limits_G, -gangs.priority_G))
    if policy.order is Order.LEVELS:
        level_G = levels(gangs.attained_ms_G, policy)
        return np.lexsort((gangs.queued_ms_G, level_G, -gangs.priority_G))
    return np.lexsort((gangs.queued_ms_G, -gangs.priority_G))


def visiting_order(line: Rows, snapshot: Snapshot, policy: Policy) -> Rows:
    """The line; when it was too long for the last cycle, its head and then from where that one ended.

    Half of the steps stay with the head, so that going on where the last cycle ended never passes over it.
    """
    head = policy.steps_max // 2
    row = snapshot.gangs.row(snapshot.resume)
    place = NONE if row == NONE else int(np.flatnonzero(line == row)[0])
    if place <= head:
        return line
    return np.concatenate([line[:head], line[place:], line[head:place]])


def _again_ms(turn: Round, larger: Grown) -> int:
    """Now if work is left; else when a window of a waiting gang opens, or a hold that is awaited begins.

    0 if only a change can start anything.
    """
    now_ms = turn.snapshot.now_ms
    if turn.resume:
        return now_ms
    times = [start for windows in turn.snapshot.gangs.window_lists for start, _ in windows]
    times += [*turn.wakes(), *larger.wakes]
    if turn.reserved is not None:
        times += turn.reserved.ends()
    if turn.hold is not None and turn.policy.line is Line.EASY_DATED:
        times.append(turn.hold.at_ms)
    return min((at_ms for at_ms in times if at_ms > now_ms), default=0)
