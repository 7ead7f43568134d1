"""How long gangs are taken to run by a policy that learns: the median of what gangs alike took, in place of their limits.

A gang is told a time when it is first seen, and keeps it. One that outruns it is told another, by what took longer still, and never
more than its limit. One of a user of whom nothing is known keeps its limit, if it has one.

Source: Tsafrir, Etsion, Feitelson, "Backfilling using system-generated predictions rather than user runtime estimates",
TPDS 18(6), 2007: predictions replace estimates in backfilling, and are corrected when they turn out too short.
"""

from collections.abc import Iterator

import numpy as np

from gigawatt.model.values import replace
from gigawatt.scheduler.durations import Likeness
from gigawatt.scheduler.outlook import Outlook, Runner
from gigawatt.scheduler.snapshot import NEVER_MS, GangColumns

PART = 0.5
MORE_MS = 60_000  # the least by which one that outruns what it was told is told more


class Predictions:
    """What was told, of gangs that wait and that run."""

    def __init__(self) -> None:
        self._told: dict[str, int] = {}
        self._ends: dict[str, tuple[int, int, int]] = {}  # attempt, since when, until when

    def line(self, gangs: GangColumns, outlook: Outlook, now_ms: int) -> GangColumns:
        """The line, with what each gang is taken to run in place of its limit."""
        limits: list[int] = gangs.duration_ms_G.tolist()
        told = [
            self._first(gang, outlook, now_ms) or limit
            for gang, limit in zip(gangs.ids, limits, strict=True)
        ]
        return replace(gangs, duration_ms_G=np.array(told, dtype=np.int64))

    def moved(self, outlook: Outlook, now_ms: int) -> Iterator[tuple[str, int]]:
        """Gangs that run of which another end is expected than was said last, and when that is."""
        for gone in [gang for gang in self._ends if gang not in outlook.runners]:
            del self._ends[gone]
            self._told.pop(gone, None)
        for gang, runner in outlook.runners.items():
            attempt, since_ms, end_ms = self._ends.get(gang, (0, 0, 0))
            if runner.like is None:
                continue
            if (attempt, since_ms) != (runner.n, runner.since_ms):
                end_ms = self._end(gang, runner, outlook, now_ms)
            elif end_ms > now_ms:
                continue
            if end_ms <= now_ms:
                end_ms = _corrected(runner, runner.like, outlook, now_ms)
            self._ends[gang] = runner.n, runner.since_ms, end_ms
            yield gang, end_ms

    def _first(self, gang: str, outlook: Outlook, now_ms: int) -> int:
        """What it was told first; 0 where nothing can be."""
        if gang not in self._told:
            like = outlook.like(gang)
            known = like is not None and outlook.durations.knows(like)
            self._told[gang] = _median(outlook, like, now_ms) if like and known else 0
        return self._told[gang]

    def _end(self, gang: str, runner: Runner, outlook: Outlook, now_ms: int) -> int:
        told = self._first(gang, outlook, now_ms)
        limit_ms = runner.like.limit_ms if runner.like else 0
        lasts_ms = told or limit_ms
        return runner.since_ms + lasts_ms if lasts_ms else NEVER_MS


def _corrected(runner: Runner, like: Likeness, outlook: Outlook, now_ms: int) -> int:
    """The end of one that has outrun what it was told."""
    ran_ms = max(now_ms - runner.since_ms, 0)
    lasts_ms = max(_median(outlook, like, now_ms, ran_ms), ran_ms + MORE_MS)
    if like.limit_ms:
        lasts_ms = max(min(lasts_ms, like.limit_ms), ran_ms + 1)
    return runner.since_ms + lasts_ms


def _median(outlook: Outlook, like: Likeness, now_ms: int, ran_ms: int = 0) -> int:
    return max(int(outlook.durations.spread(like, now_ms=now_ms, ran_ms=ran_ms).quantile(PART)), 1)
