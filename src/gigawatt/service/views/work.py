"""Jobs and arrays in one list."""

from collections.abc import Mapping
from dataclasses import dataclass

from gigawatt.service.views.arrays import ArrayView
from gigawatt.service.views.jobs import JobView


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkView:
    """A job or an array: the other is null."""

    job: JobView | None = None
    array: ArrayView | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkTotalsView:
    """How many jobs and arrays are in each phase; an array counts once."""

    phases: Mapping[str, int]
