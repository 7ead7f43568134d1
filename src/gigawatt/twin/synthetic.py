"""Workloads that nobody has run: Poisson arrivals, lognormal run times, sizes by weights; all from one seed."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gigawatt.model.gang import Shape
from gigawatt.twin.work import Work

P90_SIGMAS = 1.2815515655446004  # of a normal distribution


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """One shape, and how often it comes, against the other sizes' weights."""

    weight: float
    shape: Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Synthetic:
    """`limit_factor` f: a limit is 1 to f times the run time, evenly; 0 for no limits."""

    jobs: int
    gap_ms: int  # mean, between arrivals
    run_median_ms: int
    run_p90_ms: int
    limit_factor: float
    projects: int
    sizes: tuple[Size, ...]


def synthetic_works(form: Synthetic, *, seed: int) -> Iterator[Work]:
    """Jobs in the order of their times; the same for the same form and seed."""
    drawn = np.random.Generator(np.random.PCG64(seed))
    weights = np.array([size.weight for size in form.sizes])
    shares = np.cumsum(weights / weights.sum())
    sigma = math.log(form.run_p90_ms / form.run_median_ms) / P90_SIGMAS
    at_ms = 0
    for _ in range(form.jobs):
        place = int(np.searchsorted(shares, drawn.random(), side="right"))
        size = form.sizes[min(place, len(form.sizes) - 1)]
        run_ms = max(round(form.run_median_ms * math.exp(sigma * drawn.standard_normal())), 1000)
        factor = 1 + (form.limit_factor - 1) * drawn.random()
        project = int(drawn.integers(form.projects))
        yield Work(
            at_ms=at_ms,
            run_ms=run_ms,
            limit_ms=round(run_ms * factor) if form.limit_factor else 0,
            shape=size.shape,
            project=f"project-{project}",
        )
        at_ms += round(drawn.exponential(form.gap_ms))
