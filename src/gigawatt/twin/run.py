"""A run of the twin: the production cycle on a virtual clock, from the first arrival until nothing more can happen.

workload ─► commands ─┐                      ┌─► tally ─► report
                      ├─► control.cycle.run ─┤
events ─► observations┘                      └─► actions ─► machines ─► events
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from gigawatt.control import cycle
from gigawatt.model.command import CreateProject, SetEntitlement, SubmitJob
from gigawatt.model.gang import Gang, GangKind, Shape
from gigawatt.model.node import NodeReport
from gigawatt.model.observation import NodeSeen, Observation
from gigawatt.model.order import MakeReservation, SetFeed
from gigawatt.model.power import Feed
from gigawatt.model.quota import Entitlement
from gigawatt.model.reason import Reason
from gigawatt.model.tenant import DEFAULT_PROJECT, DEFAULT_TENANT
from gigawatt.model.values import replace
from gigawatt.model.world import World
from gigawatt.reconcile.adopt import Found
from gigawatt.reconcile.turn import Site
from gigawatt.scheduler.dry_run import feasible
from gigawatt.scheduler.encode import Encoder
from gigawatt.scheduler.estimates import Estimates
from gigawatt.scheduler.policy import Policy
from gigawatt.scheduler.running import Pace
from gigawatt.twin.events import Events
from gigawatt.twin.failures import Failures
from gigawatt.twin.foreteller import Foreteller
from gigawatt.twin.happenings import Event, Timing
from gigawatt.twin.history import History
from gigawatt.twin.invariants import Invariants
from gigawatt.twin.machines import Machines
from gigawatt.twin.report import Asked, Report, report_of
from gigawatt.twin.serving import Load, Looks, Serving
from gigawatt.twin.tally import Tally
from gigawatt.twin.work import START_MS, Work

BY = "twin"
HORIZON_MS = (
    START_MS + 50 * 365 * 86_400_000
)  # work that never ends, because nodes fail first, is given up
SITE = Site(work_dir="", api_url="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """All that a run depends on. `workload` is in the order of its times, and is read once, as it comes.

    `faults` are events at virtual times since the start, in any order.
    """

    nodes: tuple[NodeReport, ...]
    workload: Iterable[Work]
    policy: Policy = field(default_factory=Policy)
    policy_name: str = "default"
    timing: Timing = field(default_factory=Timing)
    faults: Iterable[tuple[int, Event]] = ()
    failures: Failures | None = None
    check: bool = True
    estimates: bool = False  # foretell starts, and keep score
    loads: tuple[Load, ...] = ()
    projects: tuple[tuple[str, Entitlement], ...] = ()  # each after those that it is part of
    feeds: tuple[Feed, ...] = ()  # each after the one that carries it
    reservations: tuple[MakeReservation, ...] = ()


def run(scenario: Scenario, history: History | None = None) -> Report:
    """Play the scenario to its end, and keep how it went. Raises BrokenError where an invariant does not hold."""
    twin = Twin(scenario, history)
    twin.play()
    return twin.report()


class Twin:
    """One run under way: `play` goes on to the end, `step` to the next time at which anything happens."""

    def __init__(self, scenario: Scenario, history: History | None = None) -> None:
        self._scenario = scenario
        self._history = history
        self._events = Events[Event]()
        for at_ms, event in scenario.faults:
            self._events.add(START_MS + at_ms, event)
        self._serving = Serving(scenario.loads)
        self.machines = Machines(
            scenario.nodes,
            events=self._events,
            timing=scenario.timing,
            failures=scenario.failures,
            serving=self._serving,
        )
        if not scenario.estimates:  # which are made whenever anything happens
            self.machines.saves.tempo = self._saves
        self._arrivals = _Arrivals(scenario.workload)
        world = World(epoch=1)
        self.state = cycle.State(
            world=world,
            encoder=Encoder.of(world, plans=scenario.policy.plans),
            site=SITE,
            policy=scenario.policy,
            estimates=Estimates() if scenario.estimates or scenario.policy.learned else None,
        )
        self.tally = Tally()
        self._foreteller = Foreteller() if scenario.estimates else None
        self._invariants = Invariants() if scenario.check else None
        self._submitted = 0
        self._impossible = 0
        self._projects = {DEFAULT_PROJECT}
        self._possible: dict[Shape, bool] = {}
        self.now_ms = START_MS
        self._open()

    def play(self) -> None:
        """Until every job has ended, or nothing is left that could change anything."""
        while self.step():
            pass
        self.tally.closed(self.state.world, now_ms=self.now_ms)
        if self._history is not None:
            self._history.closed(now_ms=self.now_ms)

    def step(self) -> bool:
        """Go on to the next time at which something is due, and all that follows at once; False at the end."""
        next_ms = self._next_ms()
        if next_ms is None or next_ms > HORIZON_MS:
            return False
        self.now_ms = max(next_ms, self.now_ms)
        inputs: list[cycle.Input] = []
        for event in self._events.take(self.now_ms):
            inputs += self.machines.seen(event, now_ms=self.now_ms)
        inputs += self._submissions()
        self.take(inputs)
        if self._foreteller is not None:
            self._foreteller.step(self.state, now_ms=self.now_ms)
        return True

    def take(self, inputs: Iterable[cycle.Input]) -> None:
        """What comes now, and all that follows from it at once."""
        while True:
            seen = self._cycle(inputs)
            if not seen:
                return
            inputs = [*seen]

    def report(self) -> Report:
        """What the run has come to, once it has been played."""
        asked = Asked(
            policy=self._scenario.policy_name,
            nodes=len(self._scenario.nodes),
            submitted=self._submitted,
            impossible=self._impossible,
            waiting=len(self.state.world.jobs),
            began_ms=START_MS + self._arrivals.first_ms,
            failures=tuple(sorted(self.machines.failed.items())),
            served=self._serving.served(),
            saving_ms=self.machines.saves.saving_ms.get(self.tally.unit, 0),
        )
        estimates = self.state.estimates
        return report_of(self.tally, asked, estimates.score() if estimates else None)

    def _saves(self, gang: str, pace: Pace | None) -> None:
        """Nothing but the price of stopping it depends on when it saves, so that alone is told."""
        self.state.encoder.saves(gang, pace)

    def _open(self) -> None:
        """The first cycle of a leader, which finds the site's nodes."""
        seen = [NodeSeen(at_ms=self.now_ms, report=report) for report in self._scenario.nodes]
        ids = tuple(report.id for report in self._scenario.nodes)
        found = Found(nodes=ids, attempts=(), observations=tuple(seen))
        self._conclude(cycle.first(self.state, found, now_ms=self.now_ms))
        wanted = [*self._entitlements(), *_fed(self._scenario.feeds)]
        wanted += [cycle.Asked(ticket=0, command=each) for each in self._scenario.reservations]
        if wanted:
            self._cycle(wanted)
        if self._scenario.loads:
            self._cycle(self._endpoints())
        self.machines.wear(self.now_ms)

    def _entitlements(self) -> list[cycle.Input]:
        """Commands that make the scenario's projects, and give each its quota, limit and weight."""
        commands: list[cycle.Input] = []
        for name, entitlement in self._scenario.projects:
            if name not in self._projects:
                self._projects.add(name)
                create = CreateProject(tenant=DEFAULT_TENANT, name=name, by=BY)
                commands.append(cycle.Asked(ticket=0, command=create))
            change = SetEntitlement(
                tenant=DEFAULT_TENANT, name=name, entitlement=entitlement, by=BY
            )
            commands.append(cycle.Asked(ticket=0, command=change))
        return commands

    def _endpoints(self) -> list[cycle.Input]:
        """Commands that make the endpoints of all loads, and the first look at each."""
        commands: list[cycle.Input] = []
        for load in self._scenario.loads:
            if load.project not in self._projects:
                self._projects.add(load.project)
                create = CreateProject(tenant=DEFAULT_TENANT, name=load.project, by=BY)
                commands.append(cycle.Asked(ticket=0, command=create))
        commands += [cycle.Asked(ticket=0, command=put) for put in self._serving.endpoints()]
        for place in range(len(self._scenario.loads)):
            self._events.add(START_MS, Looks(load=place, at_ms=0))
        return commands

    def _next_ms(self) -> int | None:
        world = self.state.world
        if self._arrivals.next_ms is None and not (world.jobs or self._serves()):
            return None
        times = (self._arrivals.next_ms, self._events.next_ms, self.state.timers.next_ms)
        return min((time for time in times if time is not None), default=None)

    def _serves(self) -> bool:
        """Whether there is load, or a replica is left of it."""
        ends = max((load.until_ms for load in self._scenario.loads), default=0)
        return self.now_ms < START_MS + ends or bool(self.state.world.replicas)

    def _submissions(self) -> list[cycle.Input]:
        """Commands of everyone who comes now; a project is made when the first of its jobs comes."""
        commands: list[cycle.Input] = []
        for work in self._arrivals.take(self.now_ms):
            if not self._fits(work.shape):
                self._impossible += 1
                continue
            if work.project not in self._projects:
                self._projects.add(work.project)
                create = CreateProject(tenant=DEFAULT_TENANT, name=work.project, by=BY)
                commands.append(cycle.Asked(ticket=0, command=create))
            commands.append(cycle.Asked(ticket=0, command=self._submission(work)))
        return commands

    def _submission(self, work: Work) -> SubmitJob:
        self._submitted += 1
        name = f"job-{self._submitted:09d}"
        self.machines.expect(name, work.run_ms, work.shape)
        spec = work.spec("job")
        by = work.user or BY
        return SubmitJob(id=name, tenant=DEFAULT_TENANT, project=work.project, by=by, spec=spec)

    def _fits(self, shape: Shape) -> bool:
        """Whether the site could hold it at all; asked once for each shape."""
        known = self._possible.get(shape)
        if known is None:
            gang = Gang(
                id="asked",
                kind=GangKind.JOB,
                tenant=DEFAULT_TENANT,
                project=DEFAULT_PROJECT,
                shape=shape,
                priority=0,
                queued_ms=0,
            )
            known = self._possible[shape] = self._never(gang) is None
        return known

    def _never(self, gang: Gang) -> Reason | None:
        """Why nodes and power could never hold it, as the leader says it; limits of projects make nothing impossible here."""
        state = self.state
        unlimited = replace(state.snapshot(self.now_ms), shares=None, kinds=None)
        return feasible(unlimited, gang, state.encoder.memo)

    def _cycle(self, inputs: Iterable[cycle.Input]) -> list[Observation]:
        return self._conclude(cycle.run(self.state, inputs, now_ms=self.now_ms))

    def _conclude(self, outcome: cycle.Outcome) -> list[Observation]:
        """Commit to the tally, then act; what is seen of it at once."""
        self.tally.took(outcome, now_ms=self.now_ms)
        if self._foreteller is not None and outcome.snapshot is not None:
            self._foreteller.decided(len(outcome.snapshot.gangs.ids))
        if self._history is not None:
            self._history.took(outcome, now_ms=self.now_ms)
        seen: list[Observation] = []
        for action in outcome.actions:
            seen += self.machines.carry_out(action, now_ms=self.now_ms)
        if self._invariants is not None:
            self._invariants.check(self.state, outcome, now_ms=self.now_ms)
        return seen


def _fed(feeds: Iterable[Feed]) -> Iterator[cycle.Input]:
    """Commands that make the scenario's power tree."""
    for feed in feeds:
        command = SetFeed(
            name=feed.id,
            parent=feed.parent,
            cap_milliwatts=feed.cap_milliwatts,
            supplies=feed.supplies,
            by=BY,
        )
        yield cycle.Asked(ticket=0, command=command)


class _Arrivals:
    """A workload, taken as time goes on."""

    def __init__(self, workload: Iterable[Work]) -> None:
        self._rest: Iterator[Work] = iter(workload)
        self._next = next(self._rest, None)
        self.first_ms = self._next.at_ms if self._next else 0

    @property
    def next_ms(self) -> int | None:
        return START_MS + self._next.at_ms if self._next else None

    def take(self, now_ms: int) -> list[Work]:
        taken: list[Work] = []
        while self._next is not None and START_MS + self._next.at_ms <= now_ms:
            taken.append(self._next)
            after = next(self._rest, None)
            assert after is None or after.at_ms >= self._next.at_ms, "a workload is in order"
            self._next = after
        return taken
