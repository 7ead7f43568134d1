"""What would become of a gang that nobody has submitted."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from gigawatt.service.views.estimates import EstimateView
from gigawatt.service.views.jobs import ReasonView


class Starts(StrEnum):
    NOW = "now"
    LATER = "later"  # it would wait in the line
    NEVER = "never"  # this cluster could not hold it, even if all of it were empty and open, or its project may not


@dataclass(frozen=True, slots=True, kw_only=True)
class AskView:
    """Now: its nodes, in the order of its ranks, and the parts of the site that hold them, by level. Else: the reason,
    and the cheapest change with which it would start now. `position` is its place among those that wait, from 1.
    """

    starts: Starts
    nodes: tuple[str, ...] = ()
    domains: Mapping[str, tuple[str, ...]]
    position: int | None = None
    reason: ReasonView | None = None
    cheapest_change: Mapping[str, str] | None = None  # field, from, to, start
    estimate: EstimateView | None = None
