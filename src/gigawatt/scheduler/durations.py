"""How long a gang will really run: learned from what gangs like it took, never from what they asked for alone.

Gangs are alike at several levels: the same name and shape of the same user, the same shape, the same user, the same
project, anything. Each level keeps the gangs that began last. Of one that still runs it is known that it takes longer
than it has run, and leaving those out would make every guess too short, since what is short ends first. An answer takes
all levels together: with n runs of its own a level weighs n / (n + PRIOR_RUNS) of what the levels before left it, so
that a small sample is drawn to its parent's. At the levels of one user's shape times count as they are; above, as parts
of the limit where both have one; and of each kind only some count, since a thousand tasks say little of other kinds.
Newer runs count more. Of a gang that runs already, only what took longer counts.

Source: Tsafrir, Etsion, Feitelson, "Backfilling using system-generated predictions rather than user runtime
estimates", TPDS 18(6), 2007: the newest runs of the same user foretell best.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from gigawatt.scheduler.survival import Numbers, Spread, product_limit

RUNS_MAX = 128  # begun last, that are kept of gangs alike in all; more while fewer than ENDS_MIN of them have ended
ENDS_MIN = 32
ALIVE_MAX = 1_024  # kept at most
KINDS_MAX = 64  # of gangs alike in all, whose newest count for their user, their project and all; the newest kinds
KIND_RUNS_MAX = 8  # of each of these: a thousand tasks of one kind say no more than that of others
LEVELS_MAX = 32_768  # beyond it the level in which nothing began for longest is forgotten
PRIOR_RUNS = 4.0  # of its own with which a level weighs as much as all above it
HALF_LIFE_RUNS = 12.0  # of gangs alike a run counts half of one that is so many newer
HALF_LIFE_KINDS = 8.0  # and of the others one of a kind that is so many newer
LONGER = 2  # what has outrun all that is known, and has no limit: so much of what it has run
EXACT = 2  # levels of gangs alike in shape and limit; the next is the user's

Level = tuple[object, ...]
Of = TypeVar("Of")
_Seen = tuple[Numbers, Numbers, Numbers, Numbers]


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """What is alike about gangs. `limit_ms` 0: it has none; `stem` is its name without what counts its kind up."""

    project: str  # tenant/project
    user: str
    stem: str
    shape: tuple[int, ...]  # nodes, and what each of them has
    limit_ms: int

    @property
    def owner(self) -> str:
        """Whose it is."""
        return f"{self.project}/{self.user}"

    def levels(self) -> tuple[Level, ...]:
        """From what is most like it to all there is."""
        return (
            (self.project, self.user, self.stem, self.shape, self.limit_ms),
            (self.project, self.user, self.shape, self.limit_ms),
            (self.project, self.user),
            (self.project,),
            (),
        )


class Run:
    """One gang that began. `ran_ms` is None while it runs; `whole` says that it ended by itself."""

    __slots__ = ("began_ms", "limit_ms", "ran_ms", "whole")

    def __init__(self, *, began_ms: int, limit_ms: int) -> None:
        self.began_ms = began_ms
        self.limit_ms = limit_ms
        self.ran_ms: int | None = None
        self.whole = False


class Durations:
    """Told of every begin, in order, and of ends. The same in the same order gives the same answers."""

    def __init__(self) -> None:
        self._alike: dict[Level, deque[Run]] = {}
        self._kinds: dict[Level, dict[Level, deque[Run]]] = {}
        self._seen: dict[Level, _Seen] = {}
        self._seen_ms = -1

    def began(self, like: Likeness, now_ms: int) -> Run:
        """One like this runs from now on. What comes of it is to be written into the run."""
        run = Run(began_ms=now_ms, limit_ms=like.limit_ms)
        levels = like.levels()
        for level in levels[:EXACT]:
            runs = _newest(self._alike, level, deque[Run], LEVELS_MAX)
            runs.append(run)
            _trim(runs)
        for level in levels[EXACT:]:
            kinds = _newest(self._kinds, level, dict[Level, deque[Run]], LEVELS_MAX)
            _newest(kinds, levels[1], _some_runs, KINDS_MAX).append(run)
        self._seen_ms = -1
        return run

    def knows(self, like: Likeness) -> bool:
        """Whether anything of the same user has begun."""
        return like.levels()[EXACT] in self._kinds

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
        if level not in self._seen:
            runs = self._alike.get(level) if exact else self._kinds.get(level)
            if runs is None:
                return None
            self._seen[level] = _seen(runs, self._seen_ms)
        times, limits, counts, ended = self._seen[level]
        if not exact and like.limit_ms:
            times = np.where(limits > 0, times / np.maximum(limits, 1) * like.limit_ms, times)
        longer = times > ran_ms
        if not longer.any():
            return None
        return times[longer], counts[longer], ended[longer]


def _newest(table: dict[Level, Of], key: Level, make: Callable[[], Of], most: int) -> Of:
    """What is kept under a key, made where it is not there; it becomes the newest, and the oldest goes if it is full."""
    value = table.pop(key, None)
    if value is None:
        value = make()
        if len(table) >= most:
            del table[next(iter(table))]
    table[key] = value
    return value


def _some_runs() -> deque[Run]:
    return deque(maxlen=KIND_RUNS_MAX)


def _trim(runs: deque[Run]) -> None:
    """Let the oldest go, but not the only ends that there are."""
    if len(runs) <= RUNS_MAX:
        return
    ends = sum(run.ran_ms is not None for run in runs)
    if len(runs) > ALIVE_MAX or runs[0].ran_ms is None or ends > ENDS_MIN:
        runs.popleft()


def _seen(runs: deque[Run] | dict[Level, deque[Run]], now_ms: int) -> _Seen:
    """Times, limits, how much each counts, and whether it is an end."""
    if isinstance(runs, dict):
        newest = len(runs) - 1
        counted = [
            (run, 0.5 ** ((newest - place) / HALF_LIFE_KINDS) / len(kind))
            for place, kind in enumerate(runs.values())
            for run in kind
        ]
    else:
        newest = len(runs) - 1
        counted = [
            (run, 0.5 ** ((newest - place) / HALF_LIFE_RUNS)) for place, run in enumerate(runs)
        ]
    table = np.array(
        [
            (
                now_ms - run.began_ms if run.ran_ms is None else run.ran_ms,
                run.limit_ms,
                count,
                run.whole,
            )
            for run, count in counted
        ],
        dtype=np.float64,
    )
    return table[:, 0], table[:, 1], table[:, 2], table[:, 3]
