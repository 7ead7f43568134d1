"""One estimate that was made, and what became of it."""

from dataclasses import dataclass

from gigawatt.model.calibration import Past


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """When a gang starts, in milliseconds since the epoch: by then with one half, and with nine tenths."""

    p50_ms: int
    p90_ms: int


class Told:
    """`ahead_ms` is what plays said, drawn to what gangs waited of late, of a gang of `who`.

    Of a gang that still waits `started_ms` and `left_ms` are 0; `left_ms` is of one that never started.
    """

    __slots__ = ("ahead_ms", "at_ms", "estimate", "left_ms", "started_ms", "who")

    def __init__(self, *, at_ms: int, ahead_ms: int, estimate: Estimate, who: str) -> None:
        self.at_ms = at_ms
        self.ahead_ms = ahead_ms
        self.estimate = estimate
        self.who = who
        self.started_ms = 0
        self.left_ms = 0

    @classmethod
    def of(cls, past: Past) -> "Told":
        """One that was kept, of which nothing more will be known."""
        at_ms, ahead_ms, waited_ms, exact, who = past
        told = cls(
            at_ms=at_ms,
            ahead_ms=ahead_ms,
            estimate=Estimate(p50_ms=at_ms, p90_ms=at_ms),
            who=who,
        )
        if exact:
            told.started_ms = at_ms + waited_ms
        else:
            told.left_ms = at_ms + waited_ms
        return told

    def past(self, now_ms: int) -> Past:
        """What is known of it by now."""
        waited_ms = (self.started_ms or self.left_ms or now_ms) - self.at_ms
        return self.at_ms, self.ahead_ms, waited_ms, int(self.started_ms > 0), self.who
