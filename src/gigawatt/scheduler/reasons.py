"""Why those wait that a round has not started: asked for once it is over, and only by who wants to know."""

from dataclasses import replace

from gigawatt.model.decision import Hold, Wait
from gigawatt.model.reason import Reason, ReasonCode
from gigawatt.scheduler import payers
from gigawatt.scheduler.ask import Ask
from gigawatt.scheduler.ground import reach
from gigawatt.scheduler.round import Refused, Round
from gigawatt.scheduler.seen import never, sight
from gigawatt.scheduler.snapshot import NEVER_MS, NONE, Rows
from gigawatt.scheduler.why import why_not_now

NOT_CONSIDERED = Reason(code=ReasonCode.NOT_CONSIDERED)
BEHIND_HEAD = Reason(code=ReasonCode.BEHIND_HEAD)


class Reasons:
    """Why those wait that a finished round has not started."""

    def __init__(self, turn: Round) -> None:
        self._turn = turn
        self._kept: dict[tuple[int, bool], Reason] = {}

    def waits(self, line: Rows) -> tuple[Wait, ...]:
        """Those of `line` that were not started, each with the reason, given all that was started."""
        ids = self._turn.snapshot.gangs.ids
        waiting: list[int] = [row for row in line.tolist() if row not in self._turn.starts]
        return tuple(
            [
                Wait(gang=ids[row], position=place, reason=self._reason(row))
                for place, row in enumerate(waiting, start=1)
            ]
        )

    def of(self, line: Rows, row: int) -> Wait:
        """What `waits` says of one of those that were not started."""
        starts = self._turn.starts
        place = 0
        for each in line.tolist():
            place += each not in starts
            if each == row:
                break
        gang = self._turn.snapshot.gangs.ids[row]
        return Wait(gang=gang, position=place, reason=self._reason(row))

    def _reason(self, row: int) -> Reason:
        turn = self._turn
        index, hold = int(turn.ask_G[row]), turn.hold
        if turn.shares is not None and row in turn.shares.over_limit:
            return turn.shares.reason(row, turn.shares.sure[index])
        freed = turn.freed(row)
        if freed is not None:
            return freed
        if turn.awaited(row):
            assert hold is not None
            return Reason(code=ReasonCode.HOLD_AHEAD, resource="ms", need=hold.at_ms)
        duration_ms = int(turn.snapshot.gangs.duration_ms_G[row])
        key = index, turn.too_long(duration_ms)
        refused = turn.refused.get(key) or turn.refused.get((index, False))
        if refused is None:
            return BEHIND_HEAD if turn.blocked else NOT_CONSIDERED
        reason = self._kept.get(key)
        if reason is None:
            reason = self._kept[key] = self._why(turn.asks[index], refused)
        if key[1] and hold is not None and reason.code is ReasonCode.HELD_FOR_HEAD:
            return _beyond(hold, duration_ms, turn.snapshot.now_ms)
        return reason

    def _why(self, ask: Ask, refused: Refused) -> Reason:
        turn = self._turn
        reason = never(turn, ask)
        if reason is None and turn.shares is not None and ask.payer != NONE:
            left = payers.left(turn.shares, ask)
            if left is None or never(turn, left) is not None:
                return payers.kind_reason(turn.shares, ask)
            ask = left
        if reason is None and turn.power is not None:
            reason = turn.power.never(ask, turn.ground(ask).ever_N)
        if reason is None and ask.may_run(turn.snapshot.now_ms):
            reason = self._kept_from(ask, refused.holds_before)
        if reason is not None:
            return reason
        return why_not_now(sight(turn, ask, refused.holds_before), ask, turn.snapshot.now_ms)

    def _kept_from(self, ask: Ask, holds: int) -> Reason | None:
        """What keeps it from nodes that are free for it: others that it keeps apart from, or the power tree."""
        turn, nodes, index = self._turn, self._turn.snapshot.nodes, self._turn.index
        barred = ask.wear != NONE or ask.reserved != NONE
        if turn.power is None and not barred:
            return None
        if index is not None and index.answers(ask) and index.now(ask) < ask.nodes_min:
            return None  # too few are free
        free_N = turn.room.fits_N(ask.demand) & ~((turn.holder_N != NONE) & (turn.holder_N < holds))
        places_N = turn.room.places_N(ask.demand) if ask.stacked else None
        fits_N = free_N & turn.allowed_N(ask)
        if barred and (have := reach(nodes, ask, fits_N, places_N)) < ask.nodes_min:
            if reach(nodes, ask, free_N & turn.ground(ask).allowed_N, places_N) < ask.nodes_min:
                return None
            unreserved_N = free_N & turn.allowed_N(replace(ask, reserved=NONE))
            reserved = reach(nodes, ask, unreserved_N, places_N) >= ask.nodes_min
            code = ReasonCode.RESERVED if reserved else ReasonCode.APART
            return Reason(code=code, resource="nodes", need=ask.nodes_min, have=have)
        return turn.power and turn.power.short(ask, fits_N, places_N)


def _beyond(hold: Hold, duration_ms: int, now_ms: int) -> Reason:
    return Reason(
        code=ReasonCode.HELD_FOR_HEAD,
        resource="ms" if duration_ms else "",
        need=duration_ms or NEVER_MS,
        have=hold.at_ms - now_ms,
        detail=f"until the hold of {hold.gang} begins"
        if duration_ms
        else f"it has no limit, and the hold of {hold.gang} begins then",
    )
