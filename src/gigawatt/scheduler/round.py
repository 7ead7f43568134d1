"""One round through the line: what has been started, what found no place, and what is kept for whom."""

from dataclasses import dataclass

import numpy as np

from gigawatt.model.decision import Start, Wait
from gigawatt.model.reason import Reason, ReasonCode
from gigawatt.scheduler.ask import Ask, distinct_asks
from gigawatt.scheduler.ground import Ground, ground, reach, usable_N
from gigawatt.scheduler.place import choose
from gigawatt.scheduler.policy import Policy
from gigawatt.scheduler.room import Room
from gigawatt.scheduler.snapshot import NONE, Codes, Rows, Snapshot
from gigawatt.scheduler.why import why_not_now

GROUNDS_MAX = 256  # asks whose ground is kept; beyond it the oldest is worked out again when needed


NOT_CONSIDERED = Reason(code=ReasonCode.NOT_CONSIDERED)


@dataclass(slots=True, kw_only=True)
class Refused:
    """An ask that found no place: for the rest of the round it need not be tried, since nothing becomes free."""

    holds_before: int  # holds of gangs ahead of the first that asked it
    holds: bool = False  # whether one that asked it keeps nodes itself


class Round:
    """Takes gangs one after another, in the order given, and writes to nothing but itself."""

    def __init__(self, snapshot: Snapshot, policy: Policy) -> None:
        self.snapshot = snapshot
        self.policy = policy
        self.room = Room(snapshot.nodes)
        self.asks, self.ask_G = distinct_asks(snapshot.gangs)
        self.starts: dict[int, Start] = {}
        self.steps = 0
        self.resume = ""
        self.holds = 0
        self.holder_N: Codes = np.full(len(snapshot.nodes.ids), NONE, dtype=np.int32)
        self.refused: dict[int, Refused] = {}
        overdue_ms = snapshot.now_ms - snapshot.gangs.queued_ms_G
        self._overdue_G = overdue_ms > policy.hold_after_ms
        self._grounds: dict[Ask, Ground] = {}
        self._reasons: dict[int, Reason] = {}

    def advance(self, rows: Rows) -> None:
        """Give gangs their turn, in the order of `rows`, until the policy's steps are used up."""
        ids = self.snapshot.gangs.ids
        in_turn: list[int] = rows.tolist()
        asked: list[int] = self.ask_G[rows].tolist()
        for row, index in zip(in_turn, asked, strict=True):
            if self.resume:
                return
            refused = self.refused.get(index)
            if refused is None:
                if self.steps == self.policy.steps_max:
                    self.resume = ids[row]
                    return
                self.steps += 1
                start = self._start(ids[row], self.asks[index])
                if start is not None:
                    self.starts[row] = start
                    continue
                refused = self.refused[index] = Refused(holds_before=self.holds)
            if self._overdue_G[row] and not refused.holds:
                refused.holds = True
                self._hold(self.asks[index])

    def place(self, ask: Ask) -> Rows | None:
        """Where a gang that asks this would go if it were its turn now; None where it would have to wait."""
        if not ask.may_run(self.snapshot.now_ms):
            return None
        mask_N = self._ground(ask).allowed_N & self.room.fits_N(ask.demand)
        if self.holds:
            mask_N &= self.holder_N == NONE
        return choose(self.room, ask, mask_N)

    def waits(self, line: Rows) -> tuple[Wait, ...]:
        """Those of `line` that were not started, each with the reason, given all that was started."""
        ids = self.snapshot.gangs.ids
        waiting: list[int] = [row for row in line.tolist() if row not in self.starts]
        return tuple(
            [
                Wait(gang=ids[row], position=place, reason=self._reason(int(self.ask_G[row])))
                for place, row in enumerate(waiting, start=1)
            ]
        )

    def _start(self, gang: str, ask: Ask) -> Start | None:
        rows = self.place(ask)
        if rows is None:
            return None
        ids = self.snapshot.nodes.ids
        return Start(
            gang=gang,
            nodes=tuple([ids[int(node)] for node in rows]),
            gpus=self.room.take(ask.demand, rows),
        )

    def _reason(self, index: int) -> Reason:
        refused = self.refused.get(index)
        if refused is None:
            return NOT_CONSIDERED
        reason = self._reasons.get(index)
        if reason is None:
            held_N = (self.holder_N != NONE) & (self.holder_N < refused.holds_before)
            now_ms = self.snapshot.now_ms
            reason = why_not_now(self.room, self.asks[index], held_N, now_ms)
            self._reasons[index] = reason
        return reason

    def _hold(self, ask: Ask) -> None:
        """Keep every node that it could be given from gangs behind it. What can never start now keeps none."""
        nodes = self.snapshot.nodes
        allowed_N = self._ground(ask).allowed_N
        if not ask.may_run(self.snapshot.now_ms) or reach(nodes, ask, allowed_N) < ask.nodes_min:
            return
        self.holder_N[usable_N(nodes, ask, allowed_N) & (self.holder_N == NONE)] = self.holds
        self.holds += 1

    def _ground(self, ask: Ask) -> Ground:
        land = self._grounds.get(ask)
        if land is None:
            if len(self._grounds) >= GROUNDS_MAX:
                del self._grounds[next(iter(self._grounds))]
            land = self._grounds[ask] = ground(self.snapshot.nodes, ask)
        return land
