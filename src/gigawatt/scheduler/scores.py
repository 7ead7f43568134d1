"""How far estimates were off, and what that says of the next ones.

A play of the line ahead gives one time for each gang. By how much the true waits of the past were longer or shorter,
as factors, gives P50 and P90 of the next (`errors.py`); so these cover what they claim, whatever a play leaves out.
Estimates that were far ahead are compared with others that were, and those of one moment count as one, since they err
together.
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
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import exp, log
from statistics import median

from gigawatt.model.calibration import Calibration
from gigawatt.scheduler.errors import GRAIN_MS, Errors
from gigawatt.scheduler.told import Estimate, Told

P50, P90 = 0.5, 0.9
MOMENTS_MAX = 48  # at which estimates of a band were made, that are learned from, the newest
MOMENT_MAX = (
    16  # estimates of one moment and band that are learned from: those of one moment err together
)
AWAITED_MAX = 100_000  # gangs whose starts are awaited; beyond it no more are scored
BANDS_MS = (600_000, 3_600_000, 14_400_000, 43_200_000)  # how far ahead
APART_MS = (60_000, 300_000, 600_000, 1_800_000, 3_600_000)  # at least, between moments of a band
SURELY = 0.25  # of what P90 leaves open is left open by a time that is given for sure
BLEND = 0.5  # of what plays say that is taken, in factors; the rest is what gangs waited of late
LATE_MAX = 400  # waits of late


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Of estimates whose gangs have started; pinball is the mean of both quantiles', in seconds. None of none."""

    count: int
    coverage_p50: float | None
    coverage_p90: float | None
    pinball: float | None


Whose = Callable[[str], str]
"""Whose each gang is: gangs of one user err together."""


def _nobody(_gang: str) -> str:
    return ""


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
        self._errors = Errors((), 0)
        self._errors_ms = -1
        self._count = self._covered_50 = self._covered_90 = 0
        self._pinball_ms = 0.0

    @classmethod
    def of(cls, kept: Calibration) -> "Scores":
        """Those that go on from what another has `kept`."""
        scores = cls()
        for band, moment in kept.moments:
            scores._bands[band].append([Told.of(past) for past in moment])
        scores._late.extend(kept.late)
        scores._count, scores._pinball_ms = kept.count, kept.pinball_ms
        scores._covered_50, scores._covered_90 = kept.covered_p50, kept.covered_p90
        return scores

    def kept(self, *, now_ms: int) -> Calibration:
        """All that was learned. Of what is still awaited only that it has taken longer than until now."""
        moments = [
            (moment[0].at_ms, band, tuple(each.past(now_ms) for each in moment))
            for band, moments in enumerate(self._bands)
            for moment in moments
        ]
        return Calibration(
            at_ms=now_ms,
            moments=tuple((band, past) for _, band, past in sorted(moments)),
            late=tuple(self._late),
            count=self._count,
            covered_p50=self._covered_50,
            covered_p90=self._covered_90,
            pinball_ms=self._pinball_ms,
        )

    def estimate(self, ahead_ms: int, *, now_ms: int, who: str = "") -> Estimate:
        """Of a gang of `who` that plays let start in `ahead_ms`."""
        return self._corrected(self._drawn(ahead_ms, now_ms), now_ms, who)

    def surely_ms(self, ahead_ms: int, *, now_ms: int, who: str = "") -> int:
        """By when such a gang starts all but for sure: of what P90 leaves open, SURELY is left."""
        drawn_ms = self._drawn(ahead_ms, now_ms)
        return self._at_ms(drawn_ms, now_ms, who, 1.0 - (1.0 - P90) * SURELY)

    def tell(
        self, found: Mapping[str, int], *, now_ms: int, whose: Whose = _nobody
    ) -> dict[str, Estimate]:
        """The estimates for gangs of which plays said how far ahead they start. The first of each gang is scored."""
        found = {gang: self._drawn(ahead_ms, now_ms) for gang, ahead_ms in found.items()}
        told: dict[str, Told] = {}
        for gang, ahead_ms in found.items():
            who = whose(gang)
            estimate = self._corrected(ahead_ms, now_ms, who)
            told[gang] = Told(at_ms=now_ms, ahead_ms=ahead_ms, estimate=estimate, who=who)
        first = [gang for gang in told if gang not in self._awaited]
        for gang in first[: AWAITED_MAX - len(self._awaited)]:
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
        if now_ms != self._errors_ms:
            self._errors = Errors(self._bands, now_ms)
            self._errors_ms = now_ms
            self._usual = median(self._late) if self._late else None
        if self._usual is None:
            return ahead_ms
        middle = BLEND * log(ahead_ms + GRAIN_MS) + (1.0 - BLEND) * self._usual
        return max(round(exp(middle)) - GRAIN_MS, 0)

    def _corrected(self, ahead_ms: int, now_ms: int, who: str) -> Estimate:
        p50_ms, p90_ms = (self._at_ms(ahead_ms, now_ms, who, part) for part in (P50, P90))
        return Estimate(p50_ms=p50_ms, p90_ms=max(p50_ms, p90_ms))

    def _at_ms(self, ahead_ms: int, now_ms: int, who: str, part: float) -> int:
        """By when `part` of gangs that were said to start so far ahead have started."""
        factor = exp(self._errors.spread(_band(ahead_ms), who).quantile(part))
        return now_ms + max(round((ahead_ms + GRAIN_MS) * factor) - GRAIN_MS, 0)


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
