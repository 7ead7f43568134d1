"""What a decision may be told to do differently, as one value: it is recorded with every cycle."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

HOLD_AFTER_MS = 600_000
STEPS_MAX = 20_000


class Line(StrEnum):
    """What a gang that does not fit means for those behind it."""

    BACKFILL = (
        "backfill"  # they may start; after `hold_after_ms` it keeps every node that it could use
    )
    FIFO = "fifo"  # they wait
    EASY = "easy"  # they may start if that does not delay the first that waits, by what all must have ended
    EASY_DATED = "easy-dated"  # they may start; it is tried again when it will fit, by what all must have ended


class Fit(StrEnum):
    """Which of the nodes that have room."""

    BEST = "best"  # near each other first, then those that would be left most full
    FIRST = "first"  # the first by id; one domain where the gang asks for that


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """`version` names the rules themselves: it rises when the same snapshot would be decided differently."""

    version: int = 1
    hold_after_ms: int = HOLD_AFTER_MS  # a gang that waited longer keeps nodes from lower ones
    steps_max: int = (
        STEPS_MAX  # placements tried in one cycle; what is left comes first in the next
    )
    line: Line = Line.BACKFILL
    fit: Fit = Fit.BEST

    def __post_init__(self) -> None:
        assert self.steps_max >= 1, "a cycle that may do no work would never end"

    @property
    def dated(self) -> bool:
        """Whether it looks at when what runs must have ended."""
        return self.line in {Line.EASY, Line.EASY_DATED}


POLICIES: Mapping[str, Policy] = {
    "default": Policy(),
    "fifo": Policy(line=Line.FIFO, fit=Fit.FIRST),
    "easy": Policy(line=Line.EASY_DATED, fit=Fit.FIRST),
    "easy-hold": Policy(line=Line.EASY, fit=Fit.FIRST),
}


def policy_of(recorded: Mapping[str, Any]) -> Policy:
    """A policy from the names and values of its fields. Raises TypeError, ValueError or KeyError."""
    values = dict(recorded)
    line, fit = Line(values.pop("line")), Fit(values.pop("fit"))
    return Policy(line=line, fit=fit, **values)
