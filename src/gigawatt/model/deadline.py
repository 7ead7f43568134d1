"""By when a job should be done, and how that looks."""

from dataclasses import dataclass
from enum import StrEnum


class AtDeadline(StrEnum):
    """What becomes of a job that is not done by then."""

    KEEP = "keep"
    STOP = "stop"


class Chance(StrEnum):
    """How it looks for a deadline, by the P50 and P90 of the job's end."""

    LIKELY = "likely"  # P90 is before it
    UNCERTAIN = "uncertain"
    UNLIKELY = "unlikely"  # P50 is after it
    UNKNOWN = "unknown"  # nothing is known of how long the job takes, or nothing lets it start
    MET = "met"
    MISSED = "missed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """One of both: a time, or so long after the job was submitted."""

    at_ms: int = 0
    within_s: int = 0
    then: AtDeadline = AtDeadline.KEEP

    def from_ms(self, submitted_ms: int) -> int:
        """The time that it is."""
        return self.at_ms or submitted_ms + 1_000 * self.within_s


def chance(deadline_ms: int, *, p50_ms: int, p90_ms: int) -> Chance:
    """Of a job that would be done by these times."""
    if p90_ms <= deadline_ms:
        return Chance.LIKELY
    return Chance.UNLIKELY if p50_ms > deadline_ms else Chance.UNCERTAIN
