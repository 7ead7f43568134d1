"""What a decision may be told to do differently, as one value: it is recorded with every cycle."""

from dataclasses import dataclass

HOLD_AFTER_MS = 600_000
STEPS_MAX = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """`version` names the rules themselves: it rises when the same snapshot would be decided differently."""

    version: int = 1
    hold_after_ms: int = HOLD_AFTER_MS  # a gang that waited longer keeps nodes from lower ones
    steps_max: int = (
        STEPS_MAX  # placements tried in one cycle; what is left comes first in the next
    )

    def __post_init__(self) -> None:
        assert self.steps_max >= 1, "a cycle that may do no work would never end"
