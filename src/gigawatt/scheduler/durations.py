"""How long a gang will really run: learned from what gangs like it took, never from what they asked for alone.

Gangs are alike at several levels: the same name and shape of the same user, the same shape, the same user, the same
project, anything. Each level keeps the gangs that began last. Of one that still runs it is known that it takes longer
than it has run, and leaving those out would make every guess too short, since what is short ends first. An answer takes
all levels together: with n runs of its own a level weighs n / (n + PRIOR_RUNS) of what the levels before left it, so
that a small sample is drawn to its parent's. At the levels of one user's shape times count as they are; above, as parts
of the limit where both have one. Newer runs count more. Of a gang that runs already, only what took longer counts.

Source: Tsafrir, Etsion, Feitelson, "Backfilling using system-generated predictions rather than user runtime
estimates", TPDS 18(6), 2007: the newest runs of the same user foretell best.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from gigawatt.scheduler.survival import Numbers, Spread, product_limit

RUNS_MAX = (128, 128, 256, 512, 1024)  # that a level keeps, the newest; in the order of the levels
LEVELS_MAX = 32_768  # beyond it the level in which nothing began for longest is forgotten
PRIOR_RUNS = 4.0  # of its own with which a level weighs as much as all above it
HALF_LIFE = 0.1  # of the runs that a level keeps: a run counts half of one that is so many newer
LONGER = 2  # what has outrun all that is known, and has no limit: so much of what it has run
USER = 2  # the level of all that is one user's
EXACT = 2  # levels of which times count as they are

Level = tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """What is alike about gangs. `limit_ms` 0: it has none; `stem` is its name without what counts its kind up."""

    project: str  # tenant/project
    user: str
    stem: str
    shape: tuple[int, ...]  # nodes, and what each of them has
    limit_ms: int

    def levels(self) -> tuple[Level, ...]:
        """From what is most like it to all there is."""
        return (
            (self.project, self.user, self.stem, self.shape, self.limit_ms),
            (self.project, self.user, self.shape, self.limit_ms),
            (self.project, self.user),
            (self.project,),
            (),
        )


@dataclass(slots=True, kw_only=True)
class Run:
    """One gang that began. `ran_ms` is None while it runs; `whole` says that it ended by itself."""

    began_ms: int
    limit_ms: int
    ran_ms: int | None = None
    whole: bool = False


class Durations:
    """Told of every begin, in order, and of ends. The same in the same order gives the same answers."""

    def __init__(self) -> None:
        self._levels: dict[Level, deque[Run]] = {}
        self._seen: dict[Level, tuple[Numbers, Numbers, Numbers, Numbers]] = {}
        self._seen_ms = -1

    def began(self, like: Likeness, now_ms: int) -> Run:
        """One like this runs from now on. What comes of it is to be written into the run."""
        run = Run(began_ms=now_ms, limit_ms=like.limit_ms)
        for runs_max, level in zip(RUNS_MAX, like.levels(), strict=True):
            runs = self._levels.pop(level, None)
            if runs is None:
                runs = deque[Run](maxlen=runs_max)
                if len(self._levels) >= LEVELS_MAX:
                    del self._levels[next(iter(self._levels))]
            runs.append(run)
            self._levels[level] = runs
        self._seen_ms = -1
        return run

    def knows(self, like: Likeness) -> bool:
        """Whether anything of the same user has begun."""
        return like.levels()[USER] in self._levels

    def spread(self, like: Likeness, *, now_ms: int, ran_ms: int = 0) -> Spread:
        """Milliseconds in all, of one that has run for `ran_ms`. No time is above its limit."""
        if now_ms != self._seen_ms:
            self._seen.clear()
            self._seen_ms = now_ms
        left, rows = 1.0, list[Numbers]()
        for place, level in enumerate(like.levels()):
            part = self._longer(level, like, ran_ms=ran_ms, exact=place < EXACT)
            if part is None:
                continue
            times, counts, ended = part
            own = counts.sum()
            share = left * own / (own + PRIOR_RUNS)
            rows.append(np.stack([times, counts * (share / own), ended]))
            left -= share
        longest_ms = max(like.limit_ms or LONGER * ran_ms, ran_ms + 1)
        if not rows:
            return Spread(values=np.array([float(longest_ms)]), parts=np.ones(1))
        times, weights, ended = np.concatenate(rows, axis=1)
        if like.limit_ms:
            times = np.minimum(times, longest_ms)
        return product_limit(times, weights, ended, max(float(longest_ms), float(times.max())))

    def _longer(
        self, level: Level, like: Likeness, *, ran_ms: int, exact: bool
    ) -> tuple[Numbers, Numbers, Numbers] | None:
        """What of a level took longer than `ran_ms`: times, counts, and 1 for an end or 0 for what had not ended."""
        if level not in self._levels:
            return None
        if level not in self._seen:
            self._seen[level] = _seen(self._levels[level], self._seen_ms)
        times, limits, counts, ended = self._seen[level]
        if not exact and like.limit_ms:
            times = np.where(limits > 0, times / np.maximum(limits, 1) * like.limit_ms, times)
        longer = times > ran_ms
        if not longer.any():
            return None
        return times[longer], counts[longer], ended[longer]


def _seen(runs: deque[Run], now_ms: int) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """Times, limits, how much each counts, and whether it is an end."""
    table = np.array(
        [
            (now_ms - run.began_ms if run.ran_ms is None else run.ran_ms, run.limit_ms, run.whole)
            for run in runs
        ],
        dtype=np.float64,
    )
    half_life = HALF_LIFE * (runs.maxlen or len(runs))
    counts = 0.5 ** (np.arange(len(table))[::-1] / half_life)
    return table[:, 0], table[:, 1], counts, table[:, 2]
