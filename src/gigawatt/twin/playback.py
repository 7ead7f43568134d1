"""What became of requests that were played, against a live endpoint or in virtual time, as one report."""

from collections.abc import Sequence
from dataclasses import dataclass

from gigawatt.twin.requests import percentile

DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One request. Times are since it was sent; `error` says why there was no answer."""

    at_s: float
    ttft_s: float = 0.0
    end_s: float = 0.0
    tokens: int = 0
    error: str = ""

    @property
    def tpot_s(self) -> float:
        return (self.end_s - self.ttft_s) / (self.tokens - 1) if self.tokens > 1 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """A request is good whose first token and whose tokens on average came within these; 0 is no limit."""

    ttft_s: float = 0.0
    tpot_s: float = 0.0

    def holds(self, played: Played) -> bool:
        if played.error:
            return False
        in_time = not self.ttft_s or played.ttft_s <= self.ttft_s
        return in_time and (not self.tpot_s or played.tpot_s <= self.tpot_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaybackReport:
    """Seconds; `goodput` is good requests a second, `attained` the part of all that were good."""

    requests: int
    errors: int
    lasted_s: float
    tokens: int
    ttft_p50_s: float
    ttft_p90_s: float
    ttft_p99_s: float
    tpot_p50_s: float
    tpot_p99_s: float
    attained: float
    goodput: float
    gpu_seconds: float
    cold_starts: int


def report_of(
    played: Sequence[Played], objective: Objective, *, gpu_seconds: float, cold_starts: int
) -> PlaybackReport:
    """Of requests in any order."""
    answered = [each for each in played if not each.error]
    ttft_s = [each.ttft_s for each in answered]
    tpot_s = [each.tpot_s for each in answered if each.tokens > 1]
    first_s = min((each.at_s for each in played), default=0.0)
    lasted_s = max((each.at_s + each.end_s for each in played), default=0.0) - first_s
    good = sum(objective.holds(each) for each in played)
    return PlaybackReport(
        requests=len(played),
        errors=len(played) - len(answered),
        lasted_s=round(lasted_s, DIGITS),
        tokens=sum(each.tokens for each in answered),
        ttft_p50_s=round(percentile(ttft_s, 50), DIGITS),
        ttft_p90_s=round(percentile(ttft_s, 90), DIGITS),
        ttft_p99_s=round(percentile(ttft_s, 99), DIGITS),
        tpot_p50_s=round(percentile(tpot_s, 50), DIGITS),
        tpot_p99_s=round(percentile(tpot_s, 99), DIGITS),
        attained=round(good / len(played), DIGITS) if played else 0.0,
        goodput=round(good / lasted_s, DIGITS) if lasted_s else 0.0,
        gpu_seconds=round(gpu_seconds, DIGITS),
        cold_starts=cold_starts,
    )
