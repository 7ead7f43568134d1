"""How fast each rank of an attempt takes its steps, from what it reports: in memory alone, while it runs."""

from collections import deque
from dataclasses import dataclass, field
from statistics import median, median_low

STEPS_KEPT = 32
STEPS_MIN = 3  # before a median means something
OWN_TIME = "step_s"  # a metric: what the rank itself took for a step, without waiting for its peers


@dataclass(slots=True, kw_only=True)
class RankPace:
    """`seen_ms` is by our clock, `at_ms` by the rank's."""

    seen_ms: int
    at_ms: int
    step: int
    seed_ms: int = 0  # the median before a restart of the control plane
    steps_ms: deque[float] = field(default_factory=lambda: deque[float](maxlen=STEPS_KEPT))
    gap_ms: int = 0  # the longest time without a report

    def reported(self, step: int | None, *, at_ms: int, now_ms: int, own_ms: float | None) -> None:
        """A report, which may be of several steps at once."""
        self.gap_ms = max(self.gap_ms, now_ms - self.seen_ms)
        self.seen_ms = now_ms
        if step is None or step <= self.step:
            return
        per_step_ms = max(at_ms - self.at_ms, 0) / (step - self.step)
        self.steps_ms.append(per_step_ms if own_ms is None else own_ms)
        self.step, self.at_ms = step, at_ms

    @property
    def median_ms(self) -> float:
        """Of a step; 0 while too few are known."""
        return float(median(self.steps_ms)) if len(self.steps_ms) >= STEPS_MIN else self.seed_ms


@dataclass(slots=True, kw_only=True)
class Pace:
    """Of one attempt. `due_ms` is when it is looked at next."""

    attempt: int
    ranks: dict[int, RankPace] = field(default_factory=dict[int, RankPace])
    due_ms: int = 0
    told: set[int] = field(default_factory=set[int])  # stragglers that have been named

    @property
    def median_ms(self) -> float:
        """Of the ranks' medians; 0 while none is known."""
        known = [each.median_ms for each in self.ranks.values() if each.median_ms]
        return median_low(known) if known else 0
