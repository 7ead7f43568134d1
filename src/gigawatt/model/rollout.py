"""How a new revision of an endpoint takes the place of the old one: what a person says of it, and what was counted."""

from dataclasses import dataclass
from enum import StrEnum

WHOLE = 100  # percent of the requests
TTFT_BUCKETS = (
    80  # four for each doubling, up to a quarter of an hour; what took longer is in the last
)


class Strategy(StrEnum):
    ALL_AT_ONCE = "all-at-once"  # as soon as enough replicas are ready
    CANARY = "canary"  # a part of the requests first, then more


class NoRoom(StrEnum):
    """What happens where there is no place for new replicas beside the old ones."""

    WAIT = "wait"
    IN_TURN = "in-turn"  # old ones make room, as many at a time as new ones are wanted


class Steer(StrEnum):
    """What a person may do to a rollout that is under way."""

    PROMOTE = (
        "promote"  # all requests to the new revision as soon as it is ready, and no going back
    )
    ROLLBACK = "rollback"
    PAUSE = "pause"  # no further step; going back by itself is still done
    RESUME = "resume"


class RevisionPhase(StrEnum):
    ROLLING = "rolling"
    LIVE = "live"
    ROLLED_BACK = "rolled_back"
    REPLACED = "replaced"  # by another spec, before it was live


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutPlan:
    """Percentages are of requests in `steps`, and of the old revision's p99 TTFT in `slower_percent` (0: not judged)."""

    strategy: Strategy = Strategy.ALL_AT_ONCE
    steps: tuple[int, ...] = (5, 25, 50)  # of a canary, rising; all of them is what follows
    pause_s: int = 60  # at each step at least
    bake_s: int = 60  # with all requests, while the old revision is kept
    start_s: int = 600  # within which the replicas for a step have to be ready
    more_errors_milli: int = (
        20  # thousandths of the requests: so many more than of the old one are borne
    )
    slower_percent: int = 150
    requests_min: int = 30  # of a revision, before anything is made of it
    no_room: NoRoom = NoRoom.WAIT
    drain_s: int = 300  # that requests of a replaced replica have to end


DEFAULT_PLAN = RolloutPlan()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What came of a revision's requests. `ttft` counts them by bucket (`routing/latency.py`): pairs, sorted."""

    requests: int = 0
    errors: int = 0
    ttft: tuple[tuple[int, int], ...] = ()

    def plus(self, other: "Seen") -> "Seen":
        counts = dict(self.ttft)
        for bucket, count in other.ttft:
            counts[bucket] = counts.get(bucket, 0) + count
        return Seen(
            requests=self.requests + other.requests,
            errors=self.errors + other.errors,
            ttft=tuple(sorted(counts.items())),
        )


NOTHING_SEEN = Seen()
