"""The limit with which a gang would be over before nodes are needed that are kept for another, or set aside."""

from dataclasses import replace

from gigawatt.scheduler.ask import Ask
from gigawatt.scheduler.round import Round
from gigawatt.scheduler.snapshot import NONE

SPARED = 0.05  # of the time until then is left, for a person to make the change
MINUTE_MS = 60_000


def shorter_limit_ms(turn: Round, ask: Ask, duration_ms: int) -> int | None:
    """The longest limit, in whole minutes where it has any, with which it may start now; None where none helps."""
    for at_ms in _needed_at(turn, ask, duration_ms):
        limit_ms = _before(at_ms - turn.snapshot.now_ms)
        if not limit_ms or 0 < duration_ms <= limit_ms:
            continue
        bar = NONE
        if turn.reserved is not None and ask.reserved != NONE:
            bar = turn.reserved.within(ask.reserved, limit_ms)
        if turn.place(replace(ask, reserved=bar), limit_ms) is not None:
            return limit_ms
    return None


def _needed_at(turn: Round, ask: Ask, duration_ms: int) -> list[int]:
    """When nodes are needed that it could have, the last first."""
    times: set[int] = set()
    if turn.hold is not None and turn.too_long(duration_ms):
        times.add(turn.hold.at_ms)
    if turn.reserved is not None and ask.reserved != NONE:
        times.update(turn.reserved.begins(ask.reserved))
    return sorted(times, reverse=True)


def _before(left_ms: int) -> int:
    left_ms = int(left_ms * (1.0 - SPARED))
    grain_ms = MINUTE_MS if left_ms >= MINUTE_MS else 1000
    return left_ms // grain_ms * grain_ms
