"""The loop without its effects: cycles on a model of machines, commits kept in a dictionary, restarts from it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from gigawatt.control import cycle
from gigawatt.ledger import account as ledger
from gigawatt.model.action import RecallTask
from gigawatt.model.array import ArraySpec, JobArray, task_id
from gigawatt.model.change import Entity
from gigawatt.model.command import Command, SubmitArray, SubmitJob
from gigawatt.model.event import Event
from gigawatt.model.gang import Shape
from gigawatt.model.job import Job, JobSpec
from gigawatt.model.ledger import LedgerEntry
from gigawatt.model.node import NodeReport
from gigawatt.model.observation import TaskRecalled
from gigawatt.model.refusal import RefusalError
from gigawatt.model.resources import Resources
from gigawatt.model.world import World
from gigawatt.reconcile.turn import Site, entity_id
from gigawatt.scheduler.encode import Encoder
from gigawatt.scheduler.policy import Policy
from tests.machines import Machines

SITE = Site(work_dir="/data", api_url="http://127.0.0.1:1")


def a_spec(
    name: str = "job",
    *,
    nodes: int = 1,
    milli_cpu: int = 500,
    retries_user: int = 0,
    retries_infrastructure: int = 3,
    after: tuple[str, ...] = (),
    timeout_s: int = 0,
    environment: str = "host",
    priority: int = 0,
) -> JobSpec:
    return JobSpec(
        name=name,
        command=("true",),
        shape=Shape(nodes_min=nodes, nodes_max=nodes, per_node=Resources(milli_cpu=milli_cpu)),
        environment=environment,
        retries_user=retries_user,
        retries_infrastructure=retries_infrastructure,
        after=after,
        timeout_s=timeout_s,
        priority=priority,
    )


@dataclass(slots=True)
class Loop:
    """`step` runs cycles until nothing more follows from what was asked."""

    machines: Machines
    kept: dict[tuple[str, str], Entity] = field(default_factory=dict[tuple[str, str], Entity])
    entries: list[LedgerEntry] = field(default_factory=list[LedgerEntry])
    events: list[Event] = field(default_factory=list[Event])
    state: cycle.State = field(init=False)
    epoch: int = 0
    policy: Policy = field(default_factory=Policy)
    site: Site = SITE

    @classmethod
    def of(cls, *reports: NodeReport, policy: Policy | None = None) -> "Loop":
        machines = Machines({report.id: report for report in reports})
        loop = cls(machines, policy=policy or Policy())
        loop.restart()
        return loop

    @property
    def world(self) -> World:
        return self.state.world

    @property
    def now_ms(self) -> int:
        return self.machines.now_ms

    def later(self, ms: int) -> None:
        self.machines.now_ms += ms

    def restart(self) -> None:
        """A new leader, with nothing but what was committed."""
        self.epoch += 1
        world = World(epoch=self.epoch)
        for entity in self.kept.values():
            world.put(entity)
        self.state = cycle.State(
            world=world,
            encoder=Encoder.of(world, plans=self.policy.plans),
            site=self.site,
            policy=self.policy,
        )
        self.machines.told.clear()
        self._conclude(cycle.first(self.state, self.machines.found(), now_ms=self.now_ms))
        self.step()

    def ask(self, command: Command) -> Entity:
        """The answer to a command, everything that follows from it done. Raises its refusal."""
        inputs: list[cycle.Input] = [cycle.Asked(ticket=1, command=command)]
        outcome = cycle.run(self.state, inputs, now_ms=self.now_ms)
        reply = outcome.replies[1]
        self._conclude(outcome)
        self.step()
        if isinstance(reply, RefusalError):
            raise reply
        return reply

    def submit(self, spec: JobSpec, *, id: str = "job-1") -> Job:
        reply = self.ask(
            SubmitJob(id=id, tenant="default", project="default", by="tester", spec=spec)
        )
        assert isinstance(reply, Job)
        return reply

    def submit_array(self, tasks: ArraySpec, spec: JobSpec, *, id: str = "array-1") -> JobArray:
        reply = self.ask(
            SubmitArray(
                id=id, tenant="default", project="default", by="tester", spec=spec, tasks=tasks
            )
        )
        assert isinstance(reply, JobArray)
        return reply

    def array(self, id: str = "array-1") -> JobArray:
        array = self.kept["JobArray", id]
        assert isinstance(array, JobArray)
        return array

    def step(self, more: Iterable[cycle.Input] = ()) -> None:
        inputs: list[cycle.Input] = [*more, *self._taken()]
        while True:
            self._conclude(cycle.run(self.state, inputs, now_ms=self.now_ms))
            inputs = [*self._taken()]
            next_ms = self.state.timers.next_ms
            if not inputs and (next_ms is None or next_ms > self.now_ms):
                return

    def crash_before_acting(self, command: Command) -> None:
        """The commit is made; the leader dies before it acts, and a new one takes over."""
        inputs: list[cycle.Input] = [cycle.Asked(ticket=1, command=command)]
        outcome = cycle.run(self.state, inputs, now_ms=self.now_ms)
        self._keep(outcome)
        self.restart()

    def job(self, id: str = "job-1") -> Job:
        job = self.kept["Job", id]
        assert isinstance(job, Job)
        return job

    def unaccounted(self) -> int:
        """Installed time less all that the ledger has, settled to now: 0 or there is a fault."""
        total = sum(entry.unit_ms for entry in self.entries)
        installed = 0
        for account in self.world.accounts.values():
            settled, more = ledger.settle(account, now_ms=self.now_ms)
            total += sum(entry.unit_ms for entry in more)
            installed += settled.installed * (settled.accounted_to_ms - settled.installed_ms)
        return installed - total

    def _taken(self) -> list[cycle.Input]:
        taken: list[cycle.Input] = [*self.machines.told]
        self.machines.told.clear()
        return taken

    def _keep(self, outcome: cycle.Outcome) -> None:
        for entity in outcome.batch.puts:
            self.kept[type(entity).__name__, entity_id(entity)] = entity
        for entity in outcome.batch.removes:
            self.kept.pop((type(entity).__name__, entity_id(entity)), None)
        self.entries += outcome.batch.entries
        self.events += outcome.batch.events

    def _conclude(self, outcome: cycle.Outcome) -> None:
        self._keep(outcome)
        for action in outcome.actions:
            if isinstance(action, RecallTask):
                self._recall(action)
            else:
                self.machines.carry_out(action)

    def _recall(self, action: RecallTask) -> None:
        job = self.kept.get(("Job", task_id(action.array, action.index)))
        assert isinstance(job, Job | None)
        self.machines.told.append(
            TaskRecalled(at_ms=self.now_ms, array=action.array, index=action.index, job=job)
        )
