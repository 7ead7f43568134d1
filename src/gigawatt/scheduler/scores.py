"""How far estimates were off, and what that says of the next ones.

A play of the line ahead gives one time for each gang. By how much the true waits of the past were longer or shorter,
as factors, gives P50 and P90 of the next; so these cover what they claim, whatever a play leaves out. Estimates that
were far ahead are compared with others that were. Of a gang that still waits it is known that its wait is longer
than it has been, and that counts too, or what starts soon would be all that is learned from.

What was told first of each gang is kept, and scored when it starts: whether the start was covered, and the pinball
loss, which is least where a quantile is right.

Sources: Koenker, Bassett, "Regression quantiles", Econometrica 46, 1978; Gibbs, Candès, "Adaptive conformal inference
under distribution shift", NeurIPS 2021: intervals kept right by the errors of the near past.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gigawatt.scheduler.survival import Numbers, product_limit

P50, P90 = 0.5, 0.9
KEPT_MAX = 1024  # estimates of each band that are learned from, the newest
AWAITED_MAX = 100_000  # gangs whose starts are awaited; beyond it no more are scored
HALF_LIFE = 256.0  # an estimate counts half of one that is so many newer
PRIOR = 32.0  # estimates of its own with which a band weighs as much as all bands together
GRAIN_MS = 60_000  # added to both sides of a factor: below it, differences are no matter
BANDS_MS = (600_000, 3_600_000, 14_400_000, 43_200_000)  # how far ahead
LEARNING = 0.002  # by which a part is moved with each start, times how far it was off
AIMS = (
    (P50, 0.35, 0.65),
    (P90, 0.8, 0.99),
)  # what is to be covered, and between which parts that is looked for
FIRST = np.log(np.array([0.4, 0.6, 0.8, 0.9, 1.0, 1.1, 1.2, 1.5, 2.0, 3.0]))
FIRST_WEIGHT = 1.0  # each of the factors above, which stand for what is not known yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """When a gang starts, in milliseconds since the epoch: by then with one half, and with nine tenths."""

    p50_ms: int
    p90_ms: int


@dataclass(slots=True, kw_only=True)
class Told:
    """An estimate that was made. `started_ms` is None while the gang waits; 0 if it left the line without a start."""

    at_ms: int
    ahead_ms: int  # what the play said
    estimate: Estimate
    started_ms: int | None = None
    left_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Of estimates whose gangs have started; pinball is the mean of both quantiles', in seconds. None of none."""

    count: int
    coverage_p50: float | None
    coverage_p90: float | None
    pinball: float | None


NO_SCORE = Score(count=0, coverage_p50=None, coverage_p90=None, pinball=None)


class Scores:
    """`tell` what a play said, then say what became of the gang: `started` or `left`."""

    def __init__(self) -> None:
        self._awaited: dict[str, Told] = {}
        self._bands = [deque[Told](maxlen=KEPT_MAX) for _ in range(len(BANDS_MS) + 1)]
        self._known: dict[int, tuple[float, float]] = {}
        self._known_ms = -1
        self._count = self._covered_50 = self._covered_90 = 0
        self._pinball_ms = 0.0
        self._parts = [P50, P90]  # of past factors that are taken, so that P50 and P90 come true

    def estimate(self, ahead_ms: int, *, now_ms: int) -> Estimate:
        """Of a gang that a play lets start in `ahead_ms`."""
        if now_ms != self._known_ms:
            self._known.clear()
            self._known_ms = now_ms
        band = _band(ahead_ms)
        if band not in self._known:
            self._known[band] = self._factors(band)
        half, most = self._known[band]
        p50_ms, p90_ms = (
            now_ms + max(round((ahead_ms + GRAIN_MS) * float(np.exp(each))) - GRAIN_MS, 0)
            for each in (half, most)
        )
        return Estimate(p50_ms=p50_ms, p90_ms=max(p50_ms, p90_ms))

    def tell(self, gang: str, ahead_ms: int, *, now_ms: int) -> Estimate:
        """The estimate for a gang that waits. The first one told of it is the one that is scored."""
        estimate = self.estimate(ahead_ms, now_ms=now_ms)
        if gang not in self._awaited and len(self._awaited) < AWAITED_MAX:
            told = Told(at_ms=now_ms, ahead_ms=ahead_ms, estimate=estimate)
            self._awaited[gang] = told
            self._bands[_band(ahead_ms)].append(told)
        return estimate

    def started(self, gang: str, now_ms: int) -> None:
        """The gang has been placed."""
        told = self._awaited.pop(gang, None)
        if told is None:
            return
        told.started_ms = now_ms
        estimate = told.estimate
        self._count += 1
        covered = now_ms <= estimate.p50_ms, now_ms <= estimate.p90_ms
        self._covered_50 += covered[0]
        self._covered_90 += covered[1]
        for place, (part, low, high) in enumerate(AIMS):
            moved = self._parts[place] + LEARNING * (part - covered[place])
            self._parts[place] = min(max(moved, low), high)
        loss = pinball(now_ms - estimate.p50_ms, P50) + pinball(now_ms - estimate.p90_ms, P90)
        self._pinball_ms += loss / 2

    def left(self, gang: str, now_ms: int) -> None:
        """It waits no longer, and never started."""
        told = self._awaited.pop(gang, None)
        if told is not None:
            told.left_ms = now_ms

    def score(self) -> Score:
        """Of all that have started so far."""
        count = self._count
        if not count:
            return NO_SCORE
        return Score(
            count=count,
            coverage_p50=round(self._covered_50 / count, 6),
            coverage_p90=round(self._covered_90 / count, 6),
            pinball=round(self._pinball_ms / count / 1000, 3),
        )

    def _factors(self, band: int) -> tuple[float, float]:
        """Logarithms of the factors for P50 and P90: those of the band, drawn to those of all bands."""
        own = self._seen([self._bands[band]])
        every = self._seen(self._bands)
        share = own[1].sum() / (own[1].sum() + PRIOR)
        rest = every[1].sum() + FIRST_WEIGHT * len(FIRST)
        values = np.concatenate([own[0], every[0], FIRST])
        weights = np.concatenate(
            [
                own[1] * (share / max(own[1].sum(), 1e-9)),
                every[1] * ((1.0 - share) / rest),
                np.full(len(FIRST), (1.0 - share) * FIRST_WEIGHT / rest),
            ]
        )
        known = np.concatenate([own[2], every[2], np.ones(len(FIRST))])
        spread = product_limit(values, weights, known, float(values.max()))
        return spread.quantile(self._parts[0]), spread.quantile(self._parts[1])

    def _seen(self, bands: Sequence[deque[Told]]) -> tuple[Numbers, Numbers, Numbers]:
        """Logarithms of factors, how much each counts, and whether it is exact."""
        columns = [_column(band, self._known_ms) for band in bands if band]
        if not columns:
            return np.empty(0), np.empty(0), np.empty(0)
        values, weights, known = np.concatenate(columns, axis=1)
        return values, weights, known


def pinball(error: float, part: float) -> float:
    """The loss of a quantile that the truth exceeds by `error`, or stays below by that if it is negative."""
    return part * error if error > 0 else (part - 1.0) * error


def _band(ahead_ms: int) -> int:
    return sum(ahead_ms > edge for edge in BANDS_MS)


def _column(band: deque[Told], now_ms: int) -> Numbers:
    rows = [
        (
            (each.started_ms or each.left_ms or now_ms) - each.at_ms,
            each.ahead_ms,
            each.started_ms is not None,
        )
        for each in band
    ]
    waited, ahead, known = np.array(rows, dtype=np.float64).T
    weights = 0.5 ** (np.arange(len(rows))[::-1] / HALF_LIFE)
    return np.stack([np.log((waited + GRAIN_MS) / (ahead + GRAIN_MS)), weights, known])
