"""The limit with which a gang would be over before nodes are needed that are kept for another."""

from gigawatt.scheduler.ask import Ask
from gigawatt.scheduler.round import Round

SPARED = 0.05  # of the time until then is left, for a person to make the change
MINUTE_MS = 60_000


def shorter_limit_ms(turn: Round, ask: Ask, duration_ms: int) -> int | None:
    """The longest limit, in whole minutes where it has any, with which it may start now; None where none helps."""
    hold = turn.hold
    if hold is None or not turn.too_long(duration_ms):
        return None
    left_ms = int((hold.at_ms - turn.snapshot.now_ms) * (1.0 - SPARED))
    grain_ms = MINUTE_MS if left_ms >= MINUTE_MS else 1000
    limit_ms = left_ms // grain_ms * grain_ms
    if not limit_ms or turn.place(ask, limit_ms) is None:
        return None
    return limit_ms
