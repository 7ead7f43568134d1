"""How near to full a disk is: two marks, and a way back that is longer than the way there."""

from dataclasses import dataclass
from enum import StrEnum

SOFT_PART_MAX = (
    10  # a mark is at most this part of the disk, so that small disks are not always under pressure
)
HARD_PART_MAX = 20
RELIEF_PERCENT = 125  # of a mark must be free before the disk is away from it


class Level(StrEnum):
    WELL = "well"
    SOFT = "soft"  # caches go
    HARD = "hard"  # and nothing new is built or uploaded


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """Free bytes below which a level begins. 0 switches it off."""

    soft_bytes: int
    hard_bytes: int

    def of(self, level: Level, *, total_bytes: int) -> int:
        """The mark of a level on a disk of that size."""
        if level is Level.SOFT:
            return min(self.soft_bytes, total_bytes // SOFT_PART_MAX)
        return min(self.hard_bytes, total_bytes // HARD_PART_MAX)


def level(before: Level, marks: Marks, *, free_bytes: int, total_bytes: int) -> Level:
    """The level now. One that was reached is left only with RELIEF_PERCENT of its mark free."""
    for each, held in ((Level.HARD, before is Level.HARD), (Level.SOFT, before is not Level.WELL)):
        mark = marks.of(each, total_bytes=total_bytes)
        if free_bytes < (mark * RELIEF_PERCENT // 100 if held else mark):
            return each
    return Level.WELL
