"""How far estimates were off, and what that says of the next ones.

A play of the line ahead gives one time for each gang. By how much the true waits of the past were longer or shorter,
as factors, gives P50 and P90 of the next; so these cover what they claim, whatever a play leaves out. Estimates that
were far ahead are compared with others that were, and those of one moment count as one, since they err together. Of a gang that still waits it is known that its wait is longer
than it has been, and that counts too, or what starts soon would be all that is learned from.

What was told first of each gang is kept, and scored when it starts: whether the start was covered, and the pinball
loss, which is least where a quantile is right.

Where gangs are unlike what plays take them for, what others waited of late is the better guess, so what plays say is
drawn half way to that before it is put right.

Sources: Koenker, Bassett, "Regression quantiles", Econometrica 46, 1978; Gibbs, Candès, "Adaptive conformal inference
under distribution shift", NeurIPS 2021: intervals kept right by the errors of the near past.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log

import numpy as np

from gigawatt.scheduler.survival import Numbers, product_limit

P50, P90 = 0.5, 0.9
MOMENTS_MAX = 48  # at which estimates of a band were made, that are learned from, the newest
MOMENT_MAX = (
    16  # estimates of one moment and band that are learned from: those of one moment err together
)
AWAITED_MAX = 100_000  # gangs whose starts are awaited; beyond it no more are scored
HALF_LIFE = 8.0  # a moment counts half of one that is so many newer
PRIOR = 2.0  # moments of its own with which a band weighs as much as all bands together
GRAIN_MS = 60_000  # added to both sides of a factor: below it, differences are no matter
BANDS_MS = (600_000, 3_600_000, 14_400_000, 43_200_000)  # how far ahead
BLEND = 0.5  # of what plays say that is taken, in factors; the rest is what gangs waited of late
LATE_MAX = 400  # waits of late
FIRST = np.log(np.array([0.4, 0.6, 0.8, 0.9, 1.0, 1.1, 1.2, 1.5, 2.0, 3.0]))
FIRST_WEIGHT = 0.2  # each of the factors above, which stand for what is not known yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """When a gang starts, in milliseconds since the epoch: by then with one half, and with nine tenths."""

    p50_ms: int
    p90_ms: int


@dataclass(slots=True, kw_only=True)
class Told:
    """An estimate that was made. Of a gang that still waits both are 0; `left_ms` is of one that never started."""

    at_ms: int
    ahead_ms: int  # what the plays said, drawn to what gangs waited of late
    estimate: Estimate
    started_ms: int = 0
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
    """`tell` what plays said, then say what became of each gang: `started` or `left`."""

    def __init__(self) -> None:
        self._awaited: dict[
            str, list[Told]
        ] = {}  # the first that was told, then others to learn from
        self._bands = [deque[list[Told]](maxlen=MOMENTS_MAX) for _ in range(len(BANDS_MS) + 1)]
        self._late: deque[float] = deque(maxlen=LATE_MAX)  # logarithms of waits
        self._usual: float | None = None
        self._known: dict[int, tuple[float, float]] = {}
        self._known_ms = -1
        self._count = self._covered_50 = self._covered_90 = 0
        self._pinball_ms = 0.0

    def estimate(self, ahead_ms: int, *, now_ms: int) -> Estimate:
        """Of a gang that plays let start in `ahead_ms`."""
        return self._corrected(self._drawn(ahead_ms, now_ms), now_ms)

    def tell(self, found: Mapping[str, int], *, now_ms: int) -> dict[str, Estimate]:
        """The estimates for gangs of which plays said how far ahead they start. The first of each gang is scored."""
        found = {gang: self._drawn(ahead_ms, now_ms) for gang, ahead_ms in found.items()}
        told = {
            gang: Told(at_ms=now_ms, ahead_ms=ahead_ms, estimate=self._corrected(ahead_ms, now_ms))
            for gang, ahead_ms in found.items()
        }
        for gang, each in told.items():
            if gang not in self._awaited and len(self._awaited) < AWAITED_MAX:
                self._awaited[gang] = [each]
        for band, moments in enumerate(self._bands):
            of = sorted(
                (gang for gang, ahead_ms in found.items() if _band(ahead_ms) == band),
                key=lambda gang: (found[gang], gang),
            )
            some = of[:: -(-len(of) // MOMENT_MAX) or 1]
            if some:
                moments.append([told[gang] for gang in some])
            for gang in some:
                awaited = self._awaited.get(gang)
                if awaited is not None and awaited[0] is not told[gang]:
                    awaited.append(told[gang])
        return {gang: each.estimate for gang, each in told.items()}

    def awaited(self, gang: str) -> Told | None:
        """What was first told of a gang that has not started yet."""
        told = self._awaited.get(gang)
        return told[0] if told else None

    def started(self, gang: str, now_ms: int) -> None:
        """The gang has been placed."""
        told = self._awaited.pop(gang, None)
        if told is None:
            return
        for each in told:
            each.started_ms = now_ms
        self._late.append(log(now_ms - told[0].at_ms + GRAIN_MS))
        estimate = told[0].estimate
        self._count += 1
        self._covered_50 += now_ms <= estimate.p50_ms
        self._covered_90 += now_ms <= estimate.p90_ms
        loss = pinball(now_ms - estimate.p50_ms, P50) + pinball(now_ms - estimate.p90_ms, P90)
        self._pinball_ms += loss / 2

    def left(self, gang: str, now_ms: int) -> None:
        """It waits no longer, and never started."""
        for each in self._awaited.pop(gang, ()):
            each.left_ms = now_ms

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

    def _drawn(self, ahead_ms: int, now_ms: int) -> int:
        """`ahead_ms`, drawn to what gangs waited of late."""
        if now_ms != self._known_ms:
            self._known.clear()
            self._known_ms = now_ms
            self._usual = float(np.median(self._late)) if self._late else None
        if self._usual is None:
            return ahead_ms
        middle = BLEND * log(ahead_ms + GRAIN_MS) + (1.0 - BLEND) * self._usual
        return max(round(exp(middle)) - GRAIN_MS, 0)

    def _corrected(self, ahead_ms: int, now_ms: int) -> Estimate:
        band = _band(ahead_ms)
        if band not in self._known:
            self._known[band] = self._factors(band)
        p50_ms, p90_ms = (
            now_ms + max(round((ahead_ms + GRAIN_MS) * float(np.exp(each))) - GRAIN_MS, 0)
            for each in self._known[band]
        )
        return Estimate(p50_ms=p50_ms, p90_ms=max(p50_ms, p90_ms))

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
        return spread.quantile(P50), spread.quantile(P90)

    def _seen(self, bands: Sequence[deque[list[Told]]]) -> tuple[Numbers, Numbers, Numbers]:
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


def _column(moments: deque[list[Told]], now_ms: int) -> Numbers:
    newest = len(moments) - 1
    rows = [
        (
            (each.started_ms or each.left_ms or now_ms) - each.at_ms,
            each.ahead_ms,
            0.5 ** ((newest - place) / HALF_LIFE) / len(moment),
            each.started_ms > 0,
        )
        for place, moment in enumerate(moments)
        for each in moment
    ]
    waited, ahead, weights, known = np.array(rows, dtype=np.float64).T
    return np.stack([np.log((waited + GRAIN_MS) / (ahead + GRAIN_MS)), weights, known])
