"""Workloads that nobody has run: Poisson arrivals, lognormal run times, sizes by weights; all from one seed.

Three things of real traces may be asked for beside that: arrivals that follow the hours of the day and the days of the
week, users with habits (most jobs of one are of one size and run about as long), and limits as people write them.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gigawatt.model.gang import Shape
from gigawatt.twin.work import Work

HOUR_MS = 3_600_000
ROUND_LIMITS_S = tuple(3600 * hours for hours in (1, 2, 4, 8, 12, 24, 48, 72, 168))
P90_SIGMAS = 1.2815515655446004  # of a normal distribution


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """One shape, and how often it comes, against the other sizes' weights."""

    weight: float
    shape: Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """`users` in each project; the nth of them submits in proportion to 1/n.

    `part` of a user's jobs is of the size that the user likes, and half of the spread of run times is between users.
    """

    users: int
    part: float = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Synthetic:
    """`limit_factor` f: a limit is 1 to f times the run time, evenly; 0 for no limits.

    `hours` are 24 weights of the hours of a day, empty for none; `weekend` is the weight of two days in seven.
    """

    jobs: int
    gap_ms: int  # mean, between arrivals
    run_median_ms: int
    run_p90_ms: int
    limit_factor: float
    projects: int
    sizes: tuple[Size, ...]
    hours: tuple[float, ...] = ()
    weekend: float = 1.0
    habits: Habits | None = None
    round_limits: bool = False  # up to the next of ROUND_LIMITS_S


def synthetic_works(form: Synthetic, *, seed: int) -> Iterator[Work]:
    """Jobs in the order of their times; the same for the same form and seed."""
    drawn = np.random.Generator(np.random.PCG64(seed))
    people = _People(form, drawn) if form.habits else None
    shares = _shares([size.weight for size in form.sizes])
    sigma = math.log(form.run_p90_ms / form.run_median_ms) / P90_SIGMAS
    calendar = _Calendar(form)
    at_ms = 0
    for _ in range(form.jobs):
        size = form.sizes[_picked(shares, drawn)]
        normal = drawn.standard_normal()
        factor = 1 + (form.limit_factor - 1) * drawn.random()
        project = int(drawn.integers(form.projects))
        user = ""
        if people is not None:
            person = people.next_of(project)
            user = person.name
            size = person.size if drawn.random() < people.part else size
            normal = math.sqrt(0.5) * (normal + person.normal)
        run_ms = max(round(form.run_median_ms * math.exp(sigma * normal)), 1000)
        yield Work(
            at_ms=at_ms,
            run_ms=run_ms,
            limit_ms=_limit_ms(form, round(run_ms * factor)),
            shape=size.shape,
            project=f"project-{project}",
            user=user,
        )
        at_ms = calendar.after(at_ms, round(drawn.exponential(form.gap_ms)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Person:
    name: str
    size: Size
    normal: float  # where its run times lie among those of all


class _People:
    """Who there is in each project, drawn once."""

    def __init__(self, form: Synthetic, drawn: np.random.Generator) -> None:
        assert form.habits is not None
        self.part = form.habits.part
        self._drawn = drawn
        self._shares = _shares([1 / rank for rank in range(1, form.habits.users + 1)])
        sizes = _shares([size.weight for size in form.sizes])
        self._people = [
            [
                _Person(
                    name=f"user-{project}-{rank}",
                    size=form.sizes[_picked(sizes, drawn)],
                    normal=drawn.standard_normal(),
                )
                for rank in range(form.habits.users)
            ]
            for project in range(form.projects)
        ]

    def next_of(self, project: int) -> _Person:
        """Who submits the next job of the project."""
        return self._people[project][_picked(self._shares, self._drawn)]


class _Calendar:
    """Turns time at the mean rate into time at the rate of each hour. The first day is the first of a week."""

    def __init__(self, form: Synthetic) -> None:
        hours = form.hours or (1.0,) * 24
        mean = sum(hours) / 24 * (5 + 2 * form.weekend) / 7
        self._flat = not form.hours and form.weekend == 1.0
        self._rates = [
            hour * (form.weekend if day >= 5 else 1.0) / mean for day in range(7) for hour in hours
        ]

    def after(self, at_ms: int, gap_ms: int) -> int:
        """The time at which so much has passed at the mean rate."""
        if self._flat:
            return at_ms + gap_ms
        left, at = float(gap_ms), float(at_ms)
        while True:
            place = int(at // HOUR_MS)
            rate = self._rates[place % len(self._rates)]
            until = (place + 1) * HOUR_MS - at
            if rate * until >= left:
                return max(round(at + left / rate), at_ms) if rate else round(at)
            left -= rate * until
            at = float((place + 1) * HOUR_MS)


def _limit_ms(form: Synthetic, limit_ms: int) -> int:
    if not form.limit_factor:
        return 0
    if not form.round_limits:
        return limit_ms
    return next((1000 * each for each in ROUND_LIMITS_S if 1000 * each >= limit_ms), limit_ms)


def _shares(weights: Sequence[float]) -> npt.NDArray[np.float64]:
    array = np.array(weights)
    return np.cumsum(array / array.sum())


def _picked(shares: npt.NDArray[np.float64], drawn: np.random.Generator) -> int:
    return min(int(np.searchsorted(shares, drawn.random(), side="right")), len(shares) - 1)
