"""How often and how soon messages go: pauses between tries, and a rate with some messages in store. Time comes in."""

from dataclasses import dataclass

FIRST_PAUSE_MS = 5_000
PAUSE_MAX_MS = 600_000
EARLIER = 0.2  # the part of a pause that chance may take off
AGE_MAX_MS = 24 * 3_600_000


def pause_ms(tries: int, chance: float) -> int:
    """Before the next try, after this many: twice as long each time, up to a bound, and some of it less by chance."""
    whole = min(FIRST_PAUSE_MS * 2 ** min(tries - 1, 20), PAUSE_MAX_MS)
    return round(whole * (1 - EARLIER * chance))


@dataclass(slots=True, kw_only=True)
class Allowance:
    """As many messages as a minute's may go at once; then each when its share of a minute has passed."""

    _left: float = -1.0  # not used yet: all of them
    _at_s: float = 0.0

    def wait_s(self, per_minute: int, now_s: float) -> float:
        """How long until one may go."""
        left = self._now(per_minute, now_s)
        return max(1.0 - left, 0.0) * 60 / per_minute

    def is_last(self, per_minute: int, now_s: float) -> bool:
        """Whether after one more there is a wait."""
        return self._now(per_minute, now_s) < 2.0

    def spend(self, per_minute: int, now_s: float) -> None:
        self._left = self._now(per_minute, now_s) - 1.0
        self._at_s = now_s

    def _now(self, per_minute: int, now_s: float) -> float:
        if self._left < 0 and not self._at_s:
            return float(per_minute)
        return min(self._left + (now_s - self._at_s) * per_minute / 60, float(per_minute))
