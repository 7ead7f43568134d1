"""Dated estimates of everything that waits: made from plays of the line ahead, put right by how past ones came true.

A refresh is two plays, one in which all run as long as the median of gangs alike, one in which each draws its own time.
The work of a play is bounded by the gangs that it looks at: the longer the line, the fewer rounds, and the coarser.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import exp, log

from gigawatt.model.calibration import Calibration
from gigawatt.model.change import Entity
from gigawatt.model.endpoint import Replica
from gigawatt.model.gang import Gang
from gigawatt.model.job import Job
from gigawatt.model.workspace import Workspace
from gigawatt.model.world import World
from gigawatt.scheduler.ahead import ROUNDS_MAX, Ahead
from gigawatt.scheduler.dry_run import with_gang
from gigawatt.scheduler.durations import Likeness
from gigawatt.scheduler.facts import waiting
from gigawatt.scheduler.forecast import Asking, ahead_of, drawn, middle
from gigawatt.scheduler.outlook import Outlook
from gigawatt.scheduler.policy import Policy
from gigawatt.scheduler.scores import GRAIN_MS, P90, Estimate, Score, Scores
from gigawatt.scheduler.snapshot import Snapshot

ROUND_GANGS = 200  # what a round costs whatever the line, in gangs looked at
GANGS_LOOKED_MAX = 200_000  # in one play: the longer the line, the fewer rounds, and the coarser
ROUNDS_MIN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Plays:
    """Several plays of one moment. They are values of their own: `run` may be called in any thread."""

    now_ms: int
    aheads: tuple[Ahead, ...]

    def run(self) -> Mapping[str, int]:
        """How far ahead each gang starts: the middle of the plays, by factors. What no play lets start is left out."""
        for ahead in self.aheads:
            while ahead.advance():
                pass
        gangs = dict.fromkeys(gang for ahead in self.aheads for gang in ahead.known())
        found: dict[str, int] = {}
        for gang in gangs:
            times = [at_ms for ahead in self.aheads if (at_ms := ahead.start_ms(gang)) is not None]
            logs = [log(at_ms - self.now_ms + GRAIN_MS) for at_ms in times]
            found[gang] = max(round(exp(sum(logs) / len(logs))) - GRAIN_MS, 0)
        return found

    @property
    def looked(self) -> int:
        """The work that they were."""
        return sum(ahead.looked + ROUND_GANGS * ahead.rounds for ahead in self.aheads)


class Estimates:
    """What a leader keeps of them. It is told of every change; when to refresh them is its caller's business."""

    def __init__(self, outlook: Outlook | None = None, kept: Calibration | None = None) -> None:
        self.outlook = outlook or Outlook()
        self.scores = Scores.of(kept) if kept else Scores()
        self._newest: dict[str, Estimate] = {}
        self._untold: set[str] = set()
        self._refreshes = 0

    @classmethod
    def of(cls, world: World, ended: Iterable[Job], kept: Calibration | None = None) -> "Estimates":
        """Those of a leader with this world, which learns from jobs that ended before, oldest first.

        It goes on from what an earlier one `kept` of how its estimates came true.
        """
        return cls(Outlook.of(world, ended), kept)

    def apply(self, entity: Entity, *, now_ms: int) -> None:
        """Take in what was put into the world."""
        self.outlook.apply(entity)
        if not isinstance(entity, Job | Replica | Workspace):
            return
        gang, attempt = entity.id, entity.attempt
        if attempt is not None and attempt.live:
            self._forget(gang)
            self.scores.started(gang, attempt.placed_ms)
        elif entity.ended_ms is not None:
            self._forget(gang)
            self.scores.left(gang, now_ms)
        elif gang not in self._newest and waiting(entity) is not None:
            self._untold.add(gang)

    def plays(self, snapshot: Snapshot, policy: Policy) -> Plays:
        """What a refresh is to run, from a snapshot on in which nothing is left to start."""
        self._refreshes += 1
        return self._plays(snapshot, policy, {}, self._refreshes)

    def refreshed(
        self, plays: Plays, found: Mapping[str, int], still: Callable[[str], bool]
    ) -> None:
        """Tell what the plays came to of gangs that `still` wait."""
        told = {gang: ahead_ms for gang, ahead_ms in found.items() if still(gang)}
        self._newest.update(self.scores.tell(told, now_ms=plays.now_ms))
        self._untold.difference_update(told)

    def newest(self, gang: str) -> Estimate | None:
        """The last that was told of a gang that waits."""
        return self._newest.get(gang)

    @property
    def untold(self) -> bool:
        """Whether anything waits of which nothing was told yet."""
        return bool(self._untold)

    def asking(self, snapshot: Snapshot, policy: Policy, gang: Gang, like: Likeness) -> Plays:
        """Plays in which a gang that nobody has submitted, or another form of one that waits, is in the line."""
        return self._plays(with_gang(snapshot, gang), policy, {gang.id: like}, self._refreshes)

    def likely_ms(self, gang: str, now_ms: int) -> int:
        """What nine tenths of gangs alike take at most; 0 where nothing is known of them."""
        like = self.outlook.like(gang)
        if like is None or not self.outlook.durations.knows(like):
            return 0
        return int(self.outlook.durations.spread(like, now_ms=now_ms).quantile(P90))

    def estimate(self, plays: Plays, ahead_ms: int) -> Estimate:
        """Of what plays said, without its being kept."""
        return self.scores.estimate(ahead_ms, now_ms=plays.now_ms)

    def surely_ms(self, plays: Plays, ahead_ms: int) -> int:
        """By when it starts all but for sure."""
        return self.scores.surely_ms(ahead_ms, now_ms=plays.now_ms)

    def score(self) -> Score:
        return self.scores.score()

    def _forget(self, gang: str) -> None:
        self._newest.pop(gang, None)
        self._untold.discard(gang)

    def _plays(self, snapshot: Snapshot, policy: Policy, asking: Asking, number: int) -> Plays:
        gangs = len(snapshot.gangs.ids)
        rounds_max = min(max(GANGS_LOOKED_MAX // max(gangs, 1), ROUNDS_MIN), ROUNDS_MAX)
        aheads = [
            ahead_of(snapshot, policy, self.outlook, part, asking=asking, rounds_max=rounds_max)
            for part in (middle, drawn(number))
        ]
        return Plays(now_ms=snapshot.now_ms, aheads=tuple(aheads))
