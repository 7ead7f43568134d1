"""The twin's engine: carries out the cycle's actions, and says at what virtual time what comes of them is seen.

It keeps the engine contract: a launch starts once, a stop ends what runs, a release forgets. Of a gang it knows how
long it runs if nothing stops it; what was done up to the last checkpoint need not be done again.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from gigawatt.model.action import Action, ReleaseAttempt, StartAttempt, StopAttempt
from gigawatt.model.checkpoint import Checkpoint
from gigawatt.model.launch import AttemptKey, Launch
from gigawatt.model.node import NodeReport
from gigawatt.model.observation import (
    AttemptGone,
    CheckpointSaved,
    LaunchAccepted,
    NodeLost,
    NodeSeen,
    Observation,
    RankExited,
    RankStarted,
    ResumeChosen,
)
from gigawatt.twin.events import Events
from gigawatt.twin.failures import Failures

SIGTERM = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long things take on these machines. `checkpoint_ms` 0: nothing is saved, and all is redone."""

    startup_ms: int = 0
    checkpoint_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """Every rank of the attempt runs now."""

    key: AttemptKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """The attempt has reached its next checkpoint."""

    key: AttemptKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The attempt has run to its end, if nothing stopped it before."""

    key: AttemptKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Fails:
    """A node goes down, and is back after `repair_ms`."""

    node: str
    repair_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    node: str


Event = Started | Saved | Done | Fails | Repaired


@dataclass(slots=True, kw_only=True)
class Running:
    """An attempt that these machines know. `since_ms` is None until its ranks run."""

    launch: Launch
    left_ms: int  # of its work, when it began
    since_ms: int | None = None
    saved_ms: int = 0  # of that, what need not be done again


class Machines:
    """`events` gets what will be seen; `seen` turns what is due into observations."""

    def __init__(
        self,
        reports: Iterable[NodeReport],
        *,
        events: Events[Event],
        timing: Timing,
        failures: Failures | None = None,
    ) -> None:
        self._reports = {report.id: report for report in reports}
        self._events = events
        self._timing = timing
        self._left_ms: dict[str, int] = {}
        self._saved: dict[str, int] = {}
        self._running: dict[AttemptKey, Running] = {}
        self._down: set[str] = set()
        self._failures = failures

    def expect(self, gang: str, run_ms: int) -> None:
        """A gang of this id will come, and run so long."""
        self._left_ms[gang] = run_ms

    def wear(self, now_ms: int) -> None:
        """From now on nodes fail, by the rate that there may be."""
        for node in self._reports:
            self._wears(node, now_ms)

    def carry_out(self, action: Action, *, now_ms: int) -> list[Observation]:
        """Do as the cycle says; what is seen of it at once."""
        match action:
            case StartAttempt():
                return self._launch(action.launch, now_ms)
            case StopAttempt():
                return self._stop(action.key, now_ms)
            case ReleaseAttempt():
                self._running.pop(action.key, None)
            case _:
                pass  # nothing is built or stored here
        return []

    def seen(self, event: Event, *, now_ms: int) -> list[Observation]:
        """What is seen of an event that is due; nothing of an attempt that is over."""
        match event:
            case Started():
                return self._started(event.key, now_ms)
            case Saved():
                return self._checkpoint(event.key, now_ms)
            case Done():
                return self._done(event.key, now_ms)
            case Fails():
                return self._fails(event, now_ms)
            case Repaired():
                self._down.discard(event.node)
                self._wears(event.node, now_ms)
                return [NodeSeen(at_ms=now_ms, report=self._reports[event.node])]

    def _launch(self, launch: Launch, now_ms: int) -> list[Observation]:
        key = AttemptKey(gang=launch.gang, attempt=launch.attempt)
        if key in self._running:
            return []
        self._running[key] = Running(launch=launch, left_ms=self._left_ms[launch.gang])
        told: list[Observation] = []
        if launch.resume:
            path = launch.resume[0].checkpoint.path
            told.append(ResumeChosen(at_ms=now_ms, key=key, path=path))
        told.append(LaunchAccepted(at_ms=now_ms, key=key))
        if self._timing.startup_ms:
            self._events.add(now_ms + self._timing.startup_ms, Started(key=key))
            return told
        return told + self._started(key, now_ms)

    def _started(self, key: AttemptKey, now_ms: int) -> list[Observation]:
        running = self._running.get(key)
        if running is None:
            return []
        running.since_ms = now_ms
        self._events.add(now_ms + running.left_ms, Done(key=key))
        if 0 < self._timing.checkpoint_ms < running.left_ms:
            self._events.add(now_ms + self._timing.checkpoint_ms, Saved(key=key))
        return [
            RankStarted(at_ms=now_ms, key=key, rank=placed.rank, pid=placed.rank + 1, address="")
            for placed in running.launch.placements
        ]

    def _checkpoint(self, key: AttemptKey, now_ms: int) -> list[Observation]:
        running = self._running.get(key)
        if running is None or running.since_ms is None:
            return []
        running.saved_ms = now_ms - running.since_ms
        if running.saved_ms + self._timing.checkpoint_ms < running.left_ms:
            self._events.add(now_ms + self._timing.checkpoint_ms, Saved(key=key))
        step = self._saved[key.gang] = self._saved.get(key.gang, 0) + 1
        saved = Checkpoint(step=step, path=f"step-{step}", at_ms=now_ms)
        return [CheckpointSaved(key=key, rank=0, checkpoint=saved)]

    def _done(self, key: AttemptKey, now_ms: int) -> list[Observation]:
        running = self._running.pop(key, None)
        if running is None:
            return []
        self._left_ms.pop(key.gang, None)
        self._saved.pop(key.gang, None)
        return [
            *(
                RankExited(at_ms=now_ms, key=key, rank=placed.rank, exit_code=0)
                for placed in running.launch.placements
            ),
            AttemptGone(at_ms=now_ms, key=key),
        ]

    def _stop(self, key: AttemptKey, now_ms: int) -> list[Observation]:
        """Ranks of a node that is down have ended already; the others end now."""
        running = self._running.pop(key, None)
        if running is None:
            return [AttemptGone(at_ms=now_ms, key=key)]
        self._left_ms[key.gang] = running.left_ms - running.saved_ms
        return [
            *(
                RankExited(at_ms=now_ms, key=key, rank=placed.rank, signal=SIGTERM, asked=True)
                for placed in running.launch.placements
                if placed.node not in self._down
            ),
            AttemptGone(at_ms=now_ms, key=key),
        ]

    def _wears(self, node: str, now_ms: int) -> None:
        if self._failures is not None:
            at_ms = now_ms + self._failures.next_ms(node)
            self._events.add(at_ms, Fails(node=node, repair_ms=self._failures.rate.repair_ms))

    def _fails(self, event: Fails, now_ms: int) -> list[Observation]:
        if event.node in self._down:
            return []
        self._down.add(event.node)
        self._events.add(now_ms + event.repair_ms, Repaired(node=event.node))
        return [NodeLost(at_ms=now_ms, node=event.node, reason="it failed")]
