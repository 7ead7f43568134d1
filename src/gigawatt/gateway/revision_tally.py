"""What came of a revision's requests, counted for whoever decides whether it may take the place of another."""

from collections.abc import Mapping
from typing import TypedDict

from gigawatt.model.rollout import TTFT_BUCKETS
from gigawatt.routing.latency import bucket_of

# Of client errors, those that a server also gives that is set up wrongly: such a revision answers nothing else.
ERRORS = frozenset({401, 403, 404, 405, 408})
FAULT_FROM = 500


class RevisionDemand(TypedDict):
    """One revision in a report: what is new since the last one. `ttft` has requests by bucket, a number as text."""

    requests: int
    errors: int
    ttft: dict[str, int]


class RevisionTally:
    """Counts that only grow, since the gateway started. The last report that was acknowledged is counted apart."""

    __slots__ = ("_told", "counts")

    def __init__(self) -> None:
        self.counts = [0] * (TTFT_BUCKETS + 2)  # requests, errors, and times by bucket
        self._told = tuple(self.counts)

    def answered(self, status: int, ttft_s: float) -> None:
        """A reply has ended, whose first byte came so long after the request was sent."""
        self.counts[0] += 1
        if status >= FAULT_FROM or status in ERRORS:
            self.counts[1] += 1
        else:
            self.counts[2 + bucket_of(ttft_s * 1000)] += 1

    def failed(self) -> None:
        """A replica did not answer, or not to the end."""
        self.counts[0] += 1
        self.counts[1] += 1

    def add(self, more: RevisionDemand) -> None:
        """What another process has counted."""
        self.counts[0] += more["requests"]
        self.counts[1] += more["errors"]
        for bucket, count in more["ttft"].items():
            self.counts[2 + int(bucket)] += count

    def more(self, counts: tuple[int, ...]) -> RevisionDemand:
        """What `counts`, taken before, have beyond what was acknowledged."""
        requests, errors, *ttft = (now - told for now, told in zip(counts, self._told, strict=True))
        found = {str(bucket): count for bucket, count in enumerate(ttft) if count}
        return RevisionDemand(requests=requests, errors=errors, ttft=found)

    def acknowledge(self, counts: tuple[int, ...]) -> None:
        self._told = counts

    @property
    def settled(self) -> bool:
        """All of it was reported."""
        return tuple(self.counts) == self._told


def news(
    tallies: Mapping[int, RevisionTally], counts: Mapping[int, tuple[int, ...]]
) -> dict[str, RevisionDemand]:
    """Of each revision that has any; the number as text."""
    found = {str(each): tallies[each].more(counted) for each, counted in sorted(counts.items())}
    return {each: more for each, more in found.items() if more["requests"]}
