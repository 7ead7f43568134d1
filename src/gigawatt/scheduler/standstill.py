"""What a decision leaves when nothing that waits can start until something is freed: who comes then waits as well.

Most of what changes while there is a line are gangs that join it. A decision for them alone would go through the line to
start nothing. So what the last decision knew of the line is kept, and each that comes is held against that.
"""

from gigawatt.model.gang import Gang
from gigawatt.scheduler.ask import Ask, ask_of
from gigawatt.scheduler.decide import Finished
from gigawatt.scheduler.policy import Line
from gigawatt.scheduler.snapshot import NONE

Place = tuple[int, int, str]  # in a line by priority and age


class Standstill:
    """As a decision left the line, once what it starts has been started. Nothing is freed as long as this is asked."""

    def __init__(self, finished: Finished) -> None:
        self._turn = finished.turn
        self._refused: dict[Ask, Place] | None = None

    def waits(self, gang: Gang) -> bool:
        """Whether one that has come since cannot start, and lets nobody start, either."""
        turn = self._turn
        if gang.windows or gang.labels or gang.shape.apart:
            return False
        place = -gang.priority, gang.queued_ms, gang.id
        if turn.head != NONE:
            return place > self._place(turn.head)
        if self._refused is None:
            self._refused = {
                turn.asks[index]: self._place(refused.row)
                for (index, too_long), refused in turn.refused.items()
                if not too_long
            }
        first = self._refused.get(ask_of(gang))
        return first is not None and (place > first or not turn.kept_back)

    def _place(self, row: int) -> Place:
        gangs = self._turn.snapshot.gangs
        return -int(gangs.priority_G[row]), int(gangs.queued_ms_G[row]), gangs.ids[row]


def standstill(finished: Finished) -> Standstill | None:
    """None where the line has to be looked at anew whoever comes: work is left, or time or another order may start some."""
    turn = finished.turn
    snapshot = turn.snapshot
    busy = turn.resume or turn.claims or turn.planner is not None or snapshot.growing is not None
    told_apart = turn.apart is not None or turn.reserved is not None or snapshot.kinds is not None
    if busy or told_apart or turn.policy.dated:
        return None
    if turn.policy.line is Line.FIFO:
        stands = finished.by_age and turn.head != NONE
    else:
        stands = finished.by_age or not turn.kept_back
    return Standstill(finished) if stands else None
