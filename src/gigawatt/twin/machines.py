"""The twin's engine: carries out the cycle's actions, and says at what virtual time what comes of them is seen.

It keeps the engine contract: a launch starts once, a stop ends what runs, a release forgets. Of a gang it knows how
long it runs if nothing stops it, on as many nodes as it takes; on fewer it takes that much longer. What was done up to
the last checkpoint need not be done again.
"""

from collections.abc import Callable, Iterable

from gigawatt.model.action import (
    Action,
    NotifyAttempt,
    ReleaseAttempt,
    SetNode,
    StartAttempt,
    StopAttempt,
)
from gigawatt.model.gang import GangKind, Shape
from gigawatt.model.launch import AttemptKey, Launch
from gigawatt.model.node import NodeReport, NodeState
from gigawatt.model.observation import (
    AttemptGone,
    LaunchFailed,
    NodeLost,
    NodeSeen,
    Observation,
    RankExited,
    ReplicaReadiness,
)
from gigawatt.twin.attempts import Running, accepted, ranks_started
from gigawatt.twin.events import Events
from gigawatt.twin.failures import Failures, Unit
from gigawatt.twin.happenings import (
    Abandons,
    Answers,
    Course,
    Done,
    Ends,
    Event,
    Fails,
    OfAttempt,
    Repaired,
    Saved,
    Started,
    Stops,
    Timing,
    Told,
)
from gigawatt.twin.saves import Saves
from gigawatt.twin.serving import Looks, Serving

SIGKILL, SIGTERM = 9, 15
Courses = Callable[[Launch], tuple[Course, ...] | None]


class Machines:
    """`events` gets what will be seen; `seen` turns what is due into observations.

    With `courses` each rank of a launch goes by its own; a launch that they know nothing of fails.
    """

    def __init__(
        self,
        reports: Iterable[NodeReport],
        *,
        events: Events[Event],
        timing: Timing,
        failures: Failures | None = None,
        serving: Serving | None = None,
        courses: Courses | None = None,
    ) -> None:
        self._reports = {report.id: report for report in reports}
        self._events = events
        self._timing = timing
        self._left_ms: dict[str, int] = {}  # on as many nodes as they take
        self._most: dict[str, int] = {}  # of elastic gangs
        self._running: dict[AttemptKey, Running] = {}
        self._down: dict[str, int] = {}  # how many failures each node is down by
        self._closed: dict[str, NodeState] = {}  # nodes that take nothing
        self._courses = courses
        self._failures = failures
        self._serving = serving or Serving(())
        self._answer: dict[str, None] = {}  # replicas that do, in the order in which they began to
        self._on: dict[type[OfAttempt], Callable[[AttemptKey, int], list[Observation]]] = {
            Started: self._started,
            Answers: self._answers,
            Saved: self._checkpoint,
            Stops: self._stopped,
            Done: self._done,
        }
        self.saves = Saves(timing, events)
        self.failed: dict[str, int] = {}  # how often, by cause

    def expect(self, gang: str, run_ms: int, shape: Shape | None = None) -> None:
        """A gang of this id will come, and run so long on as many nodes as its shape takes."""
        self._left_ms[gang] = run_ms
        if shape is not None and shape.nodes_min < shape.nodes_max:
            self._most[gang] = shape.nodes_max

    def wear(self, now_ms: int) -> None:
        """From now on nodes and domains fail, by the rates that there may be."""
        if self._failures is not None:
            for unit in self._failures.units:
                self._wears(unit, now_ms)

    def carry_out(self, action: Action, *, now_ms: int) -> list[Observation]:
        """Do as the cycle says; what is seen of it at once."""
        match action:
            case StartAttempt():
                return self._launch(action.launch, now_ms)
            case NotifyAttempt():
                return self._tell(action, now_ms)
            case StopAttempt():
                return self._stop(action, now_ms)
            case ReleaseAttempt():
                self._running.pop(action.key, None)
                self._answer.pop(action.key.gang, None)
            case SetNode():
                self._set(action)
            case _:
                pass  # nothing is built or stored here
        return []

    def seen(self, event: Event, *, now_ms: int) -> list[Observation]:
        """What is seen of an event that is due; nothing of an attempt that is over."""
        match event:
            case Fails():
                return self._fails(event, now_ms)
            case Repaired():
                return self._repaired(event, now_ms)
            case Looks():
                return self._looks(event, now_ms)
            case Told():
                return self._saved_in_time(event, now_ms)
            case Ends():
                return self._ends(event, now_ms)
            case Abandons():
                return self._lost_on(event.node, now_ms)
            case _:
                return self._on[type(event)](event.key, now_ms)

    def _launch(self, launch: Launch, now_ms: int) -> list[Observation]:
        key = AttemptKey(gang=launch.gang, attempt=launch.attempt)
        if key in self._running:
            return []
        courses = self._courses(launch) if self._courses else ()
        why = self._refusal(launch)
        if why or courses is None:
            told = why or f"nothing is known of {launch.command[0]!r}"
            return [LaunchFailed(at_ms=now_ms, key=key, reason=told, user=not why)]
        nodes = len({placed.node for placed in launch.placements})
        most = self._most.get(launch.gang, nodes)
        left_ms = -(-self._left_ms.get(launch.gang, 0) * most // nodes)
        self._running[key] = Running(
            launch=launch, nodes=nodes, most=most, left_ms=left_ms, courses=courses
        )
        told = accepted(launch, key, now_ms)
        starting_ms = self._timing.startup_ms
        if launch.attempt > 1 and self._timing.restart_ms is not None:
            starting_ms = self._timing.restart_ms
        if starting_ms:
            self._events.add(now_ms + starting_ms, Started(key=key))
            return told
        return told + self._started(key, now_ms)

    def _refusal(self, launch: Launch) -> str:
        """Why none of it starts."""
        for placed in launch.placements:
            if placed.node not in self._reports:
                return f"there is no node {placed.node}"
            if placed.node in self._down:
                return f"node {placed.node} is down"
            if placed.node in self._closed:
                return f"node {placed.node} is {self._closed[placed.node].value}"
        return ""

    def _set(self, action: SetNode) -> None:
        if action.state is NodeState.READY:
            self._closed.pop(action.node, None)
        else:
            self._closed[action.node] = action.state

    def _started(self, key: AttemptKey, now_ms: int) -> list[Observation]:
        running = self._running.get(key)
        if running is None:
            return []
        running.since_ms = now_ms
        if running.launch.kind is GangKind.REPLICA:
            ready_ms = self._serving.ready_ms(key.gang)
            self._events.add(now_ms + ready_ms, Answers(key=key))
            return ranks_started(running.launch, key, now_ms)
        if running.courses:
            return self._set_out(running, key, now_ms)
        timing, saves = self._timing, self.saves.count(running)
        self._events.add(now_ms + running.left_ms + saves * timing.save_ms, Done(key=key))
        self.saves.go_on(key, running, now_ms)
        return ranks_started(running.launch, key, now_ms)

    def _set_out(self, running: Running, key: AttemptKey, now_ms: int) -> list[Observation]:
        for placed, course in zip(running.launch.placements, running.courses, strict=True):
            ends = Ends(key=key, rank=placed.rank, course=course)
            self._events.add(now_ms + course.run_ms, ends)
        return ranks_started(running.launch, key, now_ms)

    def _ends(self, event: Ends, now_ms: int) -> list[Observation]:
        running, course = self._running.get(event.key), event.course
        if running is None or event.rank in running.over:
            return []
        if running.launch.placements[event.rank].node in self._down:
            return []
        exited = RankExited(
            at_ms=now_ms,
            key=event.key,
            rank=event.rank,
            exit_code=course.exit_code,
            signal=course.signal,
        )
        return [exited, *self._over(event.key, {event.rank}, now_ms)]

    def _over(self, key: AttemptKey, ranks: set[int], now_ms: int) -> list[Observation]:
        """These ranks have ended; with the last of them the attempt is gone."""
        running = self._running[key]
        running.over |= ranks
        if len(running.over) < len(running.launch.placements):
            return []
        self._stopped(key, now_ms)
        return [AttemptGone(at_ms=now_ms, key=key)]

    def _lost_on(self, node: str, now_ms: int) -> list[Observation]:
        """Ranks that were there are: nobody knows how they ended."""
        told: list[Observation] = []
        for key, running in tuple(self._running.items()):
            ranks = [each.rank for each in running.launch.placements if each.node == node]
            gone = {rank for rank in ranks if rank not in running.over}
            if gone and running.since_ms is not None:
                told += [
                    RankExited(at_ms=now_ms, key=key, rank=rank, lost=True) for rank in sorted(gone)
                ]
                told += self._over(key, gone, now_ms)
        return told

    def _answers(self, key: AttemptKey, now_ms: int) -> list[Observation]:
        if key not in self._running:
            return []
        self._answer[key.gang] = None
        return [ReplicaReadiness(at_ms=now_ms, key=key, ready=True)]

    def _looks(self, look: Looks, now_ms: int) -> list[Observation]:
        after = self._serving.next_look(look)
        if after is not None:
            self._events.add(now_ms + after.at_ms - look.at_ms, after)
        return [*self._serving.looks(look, tuple(self._answer), now_ms=now_ms)]

    def _checkpoint(self, key: AttemptKey, now_ms: int) -> list[Observation]:
        running = self._running.get(key)
        if running is None or running.since_ms is None or self._broken(running):
            return []
        self.saves.save(running, running.saves + 1)
        told = self.saves.told(key, now_ms)
        self.saves.go_on(key, running, now_ms)
        return [told]

    def _tell(self, action: NotifyAttempt, now_ms: int) -> list[Observation]:
        """It saves what it has done by now, if that is saved before it is stopped."""
        running, timing = self._running.get(action.key), self._timing
        if running is None or running.since_ms is None or not timing.saves_when_told:
            return []
        told = self.saves.off_tempo(action.key, running, now_ms)
        if timing.checkpoint_ms and now_ms + timing.save_ms <= action.checkpoint_by_ms:
            done_ms = self.saves.work_ms(running, now_ms)
            self._events.add(now_ms + timing.save_ms, Told(key=action.key, done_ms=done_ms))
        return told

    def _saved_in_time(self, event: Told, now_ms: int) -> list[Observation]:
        running = self._running.get(event.key)
        if running is None or self._broken(running) or event.done_ms <= running.saved_ms:
            return []
        running.saved_ms = event.done_ms
        self.saves.stood_still(running)
        return [self.saves.told(event.key, now_ms)]

    def _done(self, key: AttemptKey, now_ms: int) -> list[Observation]:
        running = self._running.get(key)
        if running is None or self._broken(running):
            return []
        self.saves.done(key, running)
        del self._running[key]
        for known in (self._left_ms, self._most):
            known.pop(key.gang, None)
        return [
            *(
                RankExited(at_ms=now_ms, key=key, rank=placed.rank, exit_code=0)
                for placed in running.launch.placements
            ),
            AttemptGone(at_ms=now_ms, key=key),
        ]

    def _stop(self, action: StopAttempt, now_ms: int) -> list[Observation]:
        """At once, unless it was given notice or takes its time; then it goes on until that is over."""
        running, grace_ms = self._running.get(action.key), round(action.grace_s * 1000)
        deaf = running is not None and any(course.deaf for course in running.courses)
        takes_ms = grace_ms if deaf else min(self._timing.stop_ms, grace_ms)
        after_ms = round(action.after_s * 1000) + takes_ms
        told = self.saves.off_tempo(action.key, running, now_ms)
        if running is None or not after_ms or running.since_ms is None or self._broken(running):
            return told + self._stopped(action.key, now_ms)
        at_ms = now_ms + after_ms
        if running.stops_ms is None or at_ms < running.stops_ms:
            running.stops_ms = at_ms
            self._events.add(at_ms, Stops(key=action.key))
        return told

    def _broken(self, running: Running) -> bool:
        """Whether one of its nodes is down: it gets no further, and will be stopped."""
        down = self._down
        return bool(down) and any(each.node in down for each in running.launch.placements)

    def _stopped(self, key: AttemptKey, now_ms: int) -> list[Observation]:
        """Ranks of a node that is down have ended already; the others end now."""
        running = self._running.pop(key, None)
        self._answer.pop(key.gang, None)
        if running is None:
            return [AttemptGone(at_ms=now_ms, key=key)]
        if running.launch.kind is GangKind.JOB:
            left_ms = running.left_ms - running.saved_ms
            self._left_ms[key.gang] = -(-left_ms * running.nodes // running.most)
        number = SIGKILL if any(course.deaf for course in running.courses) else SIGTERM
        return [
            *(
                RankExited(at_ms=now_ms, key=key, rank=placed.rank, signal=number, asked=True)
                for placed in running.launch.placements
                if placed.node not in self._down and placed.rank not in running.over
            ),
            AttemptGone(at_ms=now_ms, key=key),
        ]

    def _wears(self, unit: Unit, now_ms: int) -> None:
        assert self._failures is not None
        failure = self._failures.next_of(unit)
        fails = Fails(nodes=unit.nodes, repair_ms=failure.repair_ms, cause=failure.cause, unit=unit)
        self._events.add(now_ms + failure.after_ms, fails)

    def _fails(self, event: Fails, now_ms: int) -> list[Observation]:
        lost = self._off_tempo_on(frozenset(event.nodes), now_ms)
        for node in event.nodes:
            self._down[node] = self._down.get(node, 0) + 1
            if self._down[node] == 1:
                lost.append(NodeLost(at_ms=now_ms, node=node, reason=event.cause))
        self.failed[event.cause] = self.failed.get(event.cause, 0) + 1
        repaired = Repaired(nodes=event.nodes, unit=event.unit)
        self._events.add(now_ms + event.repair_ms, repaired)
        return lost

    def _off_tempo_on(self, nodes: frozenset[str], now_ms: int) -> list[Observation]:
        """What runs there is disturbed from now on: what it would save just now it does not."""
        told: list[Observation] = []
        for key, running in self._running.items():
            if any(placed.node in nodes for placed in running.launch.placements):
                told += self.saves.off_tempo(key, running, now_ms - 1)
        return told

    def _repaired(self, event: Repaired, now_ms: int) -> list[Observation]:
        """A node that is down by another failure too stays down."""
        back: list[Observation] = []
        for node in event.nodes:
            self._down[node] -= 1
            if not self._down[node]:
                del self._down[node]
                back.append(NodeSeen(at_ms=now_ms, report=self._reports[node]))
                back += self._lost_on(node, now_ms)
        if event.unit is not None:
            self._wears(event.unit, now_ms)
        return back
