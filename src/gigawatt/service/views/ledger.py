"""Where device time went, as callers see it. Every class is there, and they sum to what the view says they do."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerView:
    """`classes` sum to `installed`, in `unit`. Without a time window `installed` is counted apart from the classes."""

    unit: str
    installed: int
    classes: Mapping[str, int]
    since_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptTimeView:
    """When one attempt held its nodes, and how it ended."""

    n: int
    verdict: str | None
    charged_to: str
    nodes: tuple[str, ...]
    placed_ms: int
    first_step_ms: int | None
    ended_ms: int | None
    unit_ms: int  # what its gang held for that long


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodputView:
    """`classes` sum to `total`, in `unit`. `goodput` is kept useful time over all that was allocated."""

    job: str
    unit: str
    total: int
    classes: Mapping[str, int]
    goodput: float | None
    ettr: float | None
    attempts: tuple[AttemptTimeView, ...]
