"""The site, or a tenant's part of it, at a glance."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryView:
    """Device time by class, in spans of `step_ms` from `since_ms` on: a list of `unit_ms` for each class, oldest first."""

    since_ms: int
    step_ms: int
    classes: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RateView:
    """What an hour of use as it is now costs. `currency` is empty where nothing has a price."""

    currency: str
    per_hour: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewView:
    """`now` is in thousandths of devices, by class, and sums to `installed` for those who operate the site.

    `goodput` is useful and serving time over all that was allocated in the history; null where nothing was. The others
    are numbers by phase or state.
    """

    unit: str  # GPU or CPU
    installed: int
    now: Mapping[str, int]
    goodput: float | None
    history: HistoryView
    rate: RateView
    jobs: Mapping[str, int]
    arrays: Mapping[str, int]
    endpoints: Mapping[str, int]
    workspaces: Mapping[str, int]
    nodes: Mapping[str, int]
