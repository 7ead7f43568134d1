"""Plans through the production cycle, with victims that take their time, nodes that are lost and leaders that die."""

from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.model.attempt import Verdict
from gigawatt.model.command import CancelJob
from gigawatt.model.event import Event
from gigawatt.model.gang import Shape
from gigawatt.model.job import Job, JobPhase, JobSpec
from gigawatt.model.launch import AttemptKey
from gigawatt.model.resources import Resources
from gigawatt.scheduler.policy import Policy
from tests.loop import Loop
from tests.machines import Machines, a_report

POLICY = Policy(
    preempt=True,
    consolidate=True,
    min_run_ms=60_000,
    notice_ms=5_000,
    claim_ms=100_000,
    stops_max=3,
)
STEP_MS = 20_000
REST_STEPS = 40  # longer than every claim, every pause after one, and every least run time
DOING = ["submit"] * 4 + ["wait"] * 3 + ["end", "save", "crash", "lose", "cancel"]


@dataclass(slots=True)
class Slow(Machines):
    """What is asked to stop goes on until `let_go`."""

    asked: list[AttemptKey] = field(default_factory=list[AttemptKey])

    def stop(self, key: AttemptKey) -> None:
        if key in self.attempts and self.attempts[key].live:
            self.asked.append(key)
        else:
            Machines.stop(self, key)

    def let_go(self) -> None:
        asked, self.asked = self.asked, []
        for key in asked:
            Machines.stop(self, key)


class History:
    """Jobs of one project come, and things happen to them."""

    def __init__(self, data: st.DataObject) -> None:
        self.draw = data.draw
        names = [f"n{n}" for n in range(self.draw(st.integers(2, 4)))]
        self.machines = Slow({name: a_report(name, gpus=4, milli_cpu=8_000) for name in names})
        self.loop = Loop(self.machines, policy=POLICY)
        self.loop.restart()
        self.jobs: list[str] = []
        self.batches: list[list[Event]] = []
        for _ in range(self.draw(st.integers(2 * len(names), 4 * len(names)))):
            self.ask(1, self.draw(st.sampled_from([1, 1, 2])), 0)
        self.loop.later(POLICY.min_run_ms)

    def play(self) -> None:
        for what in self.draw(st.lists(st.sampled_from(DOING), min_size=3, max_size=12)):
            before = len(self.loop.events)
            getattr(self, what)()
            self.batches.append(self.loop.events[before:])

    def rest(self) -> int:
        """Nothing new for a while; how many plans are made in its last half."""
        before = 0
        for step in range(REST_STEPS):
            before = len(self.loop.events) if step == REST_STEPS // 2 else before
            self.loop.later(STEP_MS)
            self.machines.let_go()
            self.loop.step()
        return sum(event.kind == "job.planned" for event in self.loop.events[before:])

    def live(self) -> list[Job]:
        return [job for job in map(self.loop.job, self.jobs) if not job.ended]

    def submit(self) -> None:
        count, gpus = self.draw(st.sampled_from([(1, 1), (1, 2), (1, 3), (2, 1), (1, 4), (2, 4)]))
        self.ask(count, gpus, self.draw(st.sampled_from([0, 10, 10, 20])))

    def ask(self, count: int, gpus: int, priority: int) -> None:
        amounts = Resources(milli_gpu=1_000 * gpus, milli_cpu=500)
        spec = JobSpec(
            name="job",
            command=("true",),
            shape=Shape(nodes_min=count, nodes_max=count, per_node=amounts),
            environment="host",
            priority=priority,
            retries_infrastructure=100,
        )
        self.jobs.append(f"job-{len(self.jobs)}")
        self.loop.submit(spec, id=self.jobs[-1])

    def wait(self) -> None:
        self.loop.later(STEP_MS * self.draw(st.sampled_from([1, 1, 3, 10])))
        self.machines.let_go()
        self.loop.step()

    def end(self) -> None:
        for job in self.live()[:1]:
            key = AttemptKey(gang=job.id, attempt=len(job.attempts))
            for rank in range(job.spec.shape.nodes_min):
                self.machines.exit(key, rank)
        self.loop.step()

    def save(self) -> None:
        for job in self.live()[:3]:
            step = 1 + len(job.checkpoints)
            self.machines.checkpoint(AttemptKey(gang=job.id, attempt=len(job.attempts)), step)
        self.loop.step()

    def crash(self) -> None:
        self.loop.restart()

    def lose(self) -> None:
        """A node is lost, and comes back."""
        self.machines.lose(self.draw(st.sampled_from(["n0", "n1"])))
        self.loop.step()
        self.loop.later(STEP_MS)
        for node in sorted(self.machines.down):
            self.machines.back(node)
        self.loop.step()

    def cancel(self) -> None:
        for job in self.live()[-1:]:
            self.loop.ask(CancelJob(id=job.id, by="tester"))


def played(data: st.DataObject) -> History:
    history = History(data)
    history.play()
    return history


@settings(max_examples=20)
@given(data=st.data())
def test_with_nothing_new_plans_come_to_an_end_and_everything_planned_for_has_started(
    data: st.DataObject,
) -> None:
    history = played(data)
    assert history.rest() == 0
    for job in history.live():
        assert job.claim is None or job.claim.lapsed_ms, job.claim
        assert job.phase is not JobPhase.STOPPING


@settings(max_examples=20)
@given(data=st.data())
def test_nobody_is_stopped_without_a_start_of_whom_it_was_for(data: st.DataObject) -> None:
    history = played(data)
    history.rest()
    waits: set[str] = set()
    for event in history.loop.events:
        if event.kind == "job.planned":
            assert event.subject not in waits
            waits.add(event.subject)
        elif event.kind in {"job.placed", "job.plan_lapsed", "job.cancelled"}:
            waits.discard(event.subject)
    assert waits == set()


@settings(max_examples=20)
@given(data=st.data())
def test_all_victims_of_a_plan_are_stopped_with_it_or_none(data: st.DataObject) -> None:
    history = played(data)
    for batch in history.batches:
        planned = [event for event in batch if event.kind == "job.planned"]
        stopped = Counter(dict(e.data)["for"] for e in batch if e.kind == "job.preempted")
        assert set(stopped) == {event.subject for event in planned}
        for event in planned:
            first, second = event.message.split(": ")[1].split(" stop and ")
            assert stopped[event.subject] == int(first) + int(second.split(" ")[0])


@settings(max_examples=20)
@given(data=st.data())
def test_what_is_stopped_for_another_is_charged_to_nobody_and_had_its_least_run_time(
    data: st.DataObject,
) -> None:
    history = played(data)
    history.rest()
    for job in map(history.loop.job, history.jobs):
        stopped = [attempt for attempt in job.attempts if attempt.stopped_for]
        assert len(stopped) <= POLICY.stops_max
        for attempt in stopped:
            assert attempt.stopping_ms is not None
            assert attempt.stopping_ms - attempt.placed_ms >= POLICY.min_run_ms
            if attempt.verdict is Verdict.PREEMPTION:
                assert attempt.charged_to == ""
        assert job.phase is not JobPhase.FAILED
    assert history.loop.unaccounted() == 0


@settings(max_examples=20)
@given(data=st.data())
def test_what_moves_starts_again_as_soon_as_it_has_stopped(data: st.DataObject) -> None:
    history = played(data)
    moved = [job for job in history.live() if job.claim and not job.claim.lapsed_ms]
    moved = [
        job for job in moved if job.phase is JobPhase.STOPPING and job.attempts[-1].stopped_for
    ]
    history.machines.let_go()
    history.loop.step()
    for job in moved:
        after = history.loop.job(job.id)
        assert job.claim
        assert after.attempts[-1].nodes == job.claim.nodes
        assert after.phase is JobPhase.RUNNING


def test_the_histories_do_lead_to_plans() -> None:
    """Or nothing above would have been checked."""
    counts: Counter[str] = Counter()

    @settings(max_examples=30)
    @given(data=st.data())
    def count(data: st.DataObject) -> None:
        history = played(data)
        history.rest()
        counts.update(event.kind for event in history.loop.events)

    count()
    for kind in ("job.planned", "job.preempted", "job.plan_lapsed", "job.cancelled"):
        assert counts[kind] > 0, counts
