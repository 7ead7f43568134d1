"""The machines of the twin as control planes find them: they outlive each, and what they told stays until its release.

Time is the caller's: nothing happens before it is asked what has happened by now.
"""

from collections.abc import Iterable

from gigawatt.model.action import Action, ReleaseAttempt, SetNode, StartAttempt
from gigawatt.model.launch import AttemptKey
from gigawatt.model.node import NodeReport, NodeState
from gigawatt.model.observation import NodeLost, NodeSeen, Observation
from gigawatt.twin.events import Events
from gigawatt.twin.happenings import Event, Timing
from gigawatt.twin.machines import Courses, Machines


class Floor:
    """A site of `Machines` with a memory of what was told, and of the highest epoch that asked."""

    def __init__(
        self, reports: Iterable[NodeReport], *, courses: Courses, timing: Timing | None = None
    ) -> None:
        self.reports = {report.id: report for report in reports}
        self.epoch = 0
        self._events = Events[Event]()
        self._machines = Machines(
            self.reports.values(),
            events=self._events,
            timing=timing or Timing(),
            courses=courses,
        )
        self._told: dict[AttemptKey, list[Observation]] = {}
        self._lost: set[str] = set()

    @property
    def next_ms(self) -> int | None:
        """When anything happens by itself."""
        return self._events.next_ms

    @property
    def nodes(self) -> tuple[NodeReport, ...]:
        """Those that answer."""
        return tuple(each for name, each in self.reports.items() if name not in self._lost)

    @property
    def attempts(self) -> tuple[AttemptKey, ...]:
        return tuple(self._told)

    @property
    def retold(self) -> tuple[Observation, ...]:
        """Everything of attempts that are not released."""
        return tuple(seen for told in self._told.values() for seen in told)

    def led_by(self, epoch: int) -> bool:
        """Whether whoever asks with this epoch may; a new leader finds every node open."""
        if epoch > self.epoch:
            self.epoch = epoch
            for node in self.reports:
                opened = SetNode(node=node, state=NodeState.READY, reason="")
                self._machines.carry_out(opened, now_ms=0)
        return epoch == self.epoch

    def happen(self, event: Event, *, at_ms: int) -> None:
        self._events.add(at_ms, event)

    def carry_out(self, action: Action, *, now_ms: int) -> list[Observation]:
        """As the machines do; a launch that is on record starts nothing more."""
        if isinstance(action, StartAttempt):
            key = AttemptKey(gang=action.launch.gang, attempt=action.launch.attempt)
            if key in self._told:
                return []
            self._told[key] = []
        seen = self._machines.carry_out(action, now_ms=now_ms)
        if isinstance(action, ReleaseAttempt):
            self._told.pop(action.key, None)
        return self._kept(seen)

    def passed(self, now_ms: int) -> list[Observation]:
        """What has happened by now, each thing at its own time."""
        seen: list[Observation] = []
        while (at_ms := self._events.next_ms) is not None and at_ms <= now_ms:
            for event in self._events.take(at_ms):
                seen += self._kept(self._machines.seen(event, now_ms=at_ms))
        return seen

    def _kept(self, seen: list[Observation]) -> list[Observation]:
        for each in seen:
            if isinstance(each, NodeLost):
                self._lost.add(each.node)
            elif isinstance(each, NodeSeen):
                self._lost.discard(each.report.id)
            else:
                key: AttemptKey | None = getattr(each, "key", None)
                if key is not None and key in self._told:
                    self._told[key].append(each)
        return seen
