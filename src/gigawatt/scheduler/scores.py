"""How far estimates were off, and what that says of the next ones.

A play of the line ahead gives one time for each gang. By how much the true waits of the past were longer or shorter,
as factors, gives P50 and P90 of the next; which quantiles of them are taken, is itself put right (`quantiles.py`). Estimates
that were far ahead are compared with others that were, and those of one moment count as one, since they err together.
Moments are learned from that are some time apart, however often estimates are made. Of a gang that still waits it is
known that its wait is longer than it has been, and that counts too, or what starts soon would be all that is learned from.

What was told first of each gang is kept, and scored when it starts: whether the start was covered, and the pinball
loss, which is least where a quantile is right.

Where gangs are unlike what plays take them for, what others waited of late is the better guess, so what plays say is
drawn half way to that before it is put right.

All that is learned, less what is still awaited, is a value of bounded size: what one leader `kept`, the next goes on from.

Source: Koenker, Bassett, "Regression quantiles", Econometrica 46, 1978.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log

import numpy as np

from gigawatt.model.calibration import Calibration, Past
from gigawatt.scheduler.quantiles import P50, P90, Quantiles
from gigawatt.scheduler.survival import Numbers, Spread, product_limit

MOMENTS_MAX = 48  # at which estimates of a band were made, that are learned from, the newest
MOMENT_MAX = (
    16  # estimates of one moment and band that are learned from: those of one moment err together
)
AWAITED_MAX = 100_000  # gangs whose starts are awaited; beyond it no more are scored
HALF_LIFE = 8.0  # a moment counts half of one that is so many newer
PRIOR = 2.0  # moments of its own with which a band weighs as much as all bands together
GRAIN_MS = 60_000  # added to both sides of a factor: below it, differences are no matter
BANDS_MS = (600_000, 3_600_000, 14_400_000, 43_200_000)  # how far ahead
APART_MS = (60_000, 300_000, 600_000, 1_800_000, 3_600_000)  # at least, between moments of a band
SURELY = 0.25  # of what P90 leaves open is left open by a time that is given for sure
BLEND = 0.5  # of what plays say that is taken, in factors; the rest is what gangs waited of late
LATE_MAX = 400  # waits of late
FIRST = np.log(np.array([0.4, 0.6, 0.8, 0.9, 1.0, 1.1, 1.2, 1.5, 2.0, 3.0]))
FIRST_WEIGHT = 0.2  # each of the factors above, which stand for what is not known yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """When a gang starts, in milliseconds since the epoch: by then with one half, and with nine tenths."""

    p50_ms: int
    p90_ms: int


class Told:
    """An estimate that was made. `ahead_ms` is what plays said, drawn to what gangs waited of late.

    Of a gang that still waits `started_ms` and `left_ms` are 0; `left_ms` is of one that never started.
    """

    __slots__ = ("ahead_ms", "alike", "at_ms", "estimate", "left_ms", "started_ms")

    def __init__(self, *, at_ms: int, ahead_ms: int, estimate: Estimate) -> None:
        self.at_ms = at_ms
        self.ahead_ms = ahead_ms
        self.estimate = estimate
        self.alike = 1  # first estimates that were made at the same moment, with it
        self.started_ms = 0
        self.left_ms = 0


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
        self._quantiles = Quantiles()
        self._usual: float | None = None
        self._known: dict[int, Spread] = {}
        self._known_ms = -1
        self._count = self._covered_50 = self._covered_90 = 0
        self._pinball_ms = 0.0

    @classmethod
    def of(cls, kept: Calibration) -> "Scores":
        """Those that go on from what another has `kept`."""
        scores = cls()
        for band, moment in kept.moments:
            scores._bands[band].append([_told(past) for past in moment])
        scores._late.extend(kept.late)
        scores._quantiles = Quantiles(kept.quantiles)
        scores._count, scores._pinball_ms = kept.count, kept.pinball_ms
        scores._covered_50, scores._covered_90 = kept.covered_p50, kept.covered_p90
        return scores

    def kept(self, *, now_ms: int) -> Calibration:
        """All that was learned. Of what is still awaited only that it has taken longer than until now."""
        moments = [
            (moment[0].at_ms, band, tuple(_past(each, now_ms) for each in moment))
            for band, moments in enumerate(self._bands)
            for moment in moments
        ]
        return Calibration(
            at_ms=now_ms,
            quantiles=self._quantiles.said,
            moments=tuple((band, past) for _, band, past in sorted(moments)),
            late=tuple(self._late),
            count=self._count,
            covered_p50=self._covered_50,
            covered_p90=self._covered_90,
            pinball_ms=self._pinball_ms,
        )

    def estimate(self, ahead_ms: int, *, now_ms: int) -> Estimate:
        """Of a gang that plays let start in `ahead_ms`."""
        return self._corrected(self._drawn(ahead_ms, now_ms), now_ms)

    def surely_ms(self, ahead_ms: int, *, now_ms: int) -> int:
        """By when such a gang starts all but for sure: of what P90 leaves open, SURELY is left."""
        drawn_ms = self._drawn(ahead_ms, now_ms)
        most = self._quantiles.said[1]
        return self._at_ms(drawn_ms, now_ms, 1.0 - (1.0 - most) * SURELY)

    def tell(self, found: Mapping[str, int], *, now_ms: int) -> dict[str, Estimate]:
        """The estimates for gangs of which plays said how far ahead they start. The first of each gang is scored."""
        found = {gang: self._drawn(ahead_ms, now_ms) for gang, ahead_ms in found.items()}
        told = {
            gang: Told(at_ms=now_ms, ahead_ms=ahead_ms, estimate=self._corrected(ahead_ms, now_ms))
            for gang, ahead_ms in found.items()
        }
        first = [gang for gang in told if gang not in self._awaited]
        for gang in first[: AWAITED_MAX - len(self._awaited)]:
            told[gang].alike = len(first)
            self._awaited[gang] = [told[gang]]
        for band, moments in enumerate(self._bands):
            if not moments or now_ms - moments[-1][0].at_ms >= APART_MS[band]:
                self._learn_from(moments, _some(found, band), told)
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
        covered = now_ms <= estimate.p50_ms, now_ms <= estimate.p90_ms
        self._quantiles.learn(covered, alike=told[0].alike)
        self._count += 1
        self._covered_50 += covered[0]
        self._covered_90 += covered[1]
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

    def _learn_from(
        self, moments: deque[list[Told]], some: list[str], told: Mapping[str, Told]
    ) -> None:
        """Make a moment of what was told of some gangs."""
        if some:
            moments.append([told[gang] for gang in some])
        for gang in some:
            awaited = self._awaited.get(gang)
            if awaited is not None and awaited[0] is not told[gang]:
                awaited.append(told[gang])

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
        p50_ms, p90_ms = (self._at_ms(ahead_ms, now_ms, part) for part in self._quantiles.said)
        return Estimate(p50_ms=p50_ms, p90_ms=max(p50_ms, p90_ms))

    def _at_ms(self, ahead_ms: int, now_ms: int, part: float) -> int:
        """By when `part` of gangs that were said to start so far ahead have started."""
        band = _band(ahead_ms)
        if band not in self._known:
            self._known[band] = self._factors(band)
        factor = exp(self._known[band].quantile(part))
        return now_ms + max(round((ahead_ms + GRAIN_MS) * factor) - GRAIN_MS, 0)

    def _factors(self, band: int) -> Spread:
        """Logarithms of factors: those of the band, drawn to those of all bands."""
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
        return product_limit(values, weights, known, float(values.max()))

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


def _some(found: Mapping[str, int], band: int) -> list[str]:
    """Gangs of a band, evenly from the nearest to the farthest ahead."""
    of = sorted(
        (gang for gang, ahead_ms in found.items() if _band(ahead_ms) == band),
        key=lambda gang: (found[gang], gang),
    )
    return of[:: -(-len(of) // MOMENT_MAX) or 1]


def _past(told: Told, now_ms: int) -> Past:
    waited_ms = (told.started_ms or told.left_ms or now_ms) - told.at_ms
    return told.at_ms, told.ahead_ms, waited_ms, int(told.started_ms > 0)


def _told(past: Past) -> Told:
    at_ms, ahead_ms, waited_ms, exact = past
    told = Told(at_ms=at_ms, ahead_ms=ahead_ms, estimate=Estimate(p50_ms=at_ms, p90_ms=at_ms))
    if exact:
        told.started_ms = at_ms + waited_ms
    else:
        told.left_ms = at_ms + waited_ms
    return told


def _column(moments: deque[list[Told]], now_ms: int) -> Numbers:
    newest = len(moments) - 1
    rows = [
        (*_past(each, now_ms), 0.5 ** ((newest - place) / HALF_LIFE) / len(moment))
        for place, moment in enumerate(moments)
        for each in moment
    ]
    _, ahead, waited, known, weights = np.array(rows, dtype=np.float64).T
    return np.stack([np.log((waited + GRAIN_MS) / (ahead + GRAIN_MS)), weights, known])
