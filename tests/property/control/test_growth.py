"""Elastic jobs among others that preempt and reclaim, through the production cycle, with lost nodes and dying leaders."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.model.attempt import Attempt, Verdict
from gigawatt.model.command import CreateProject, SetEntitlement, SubmitJob
from gigawatt.model.gang import Shape
from gigawatt.model.job import Job, JobSpec
from gigawatt.model.launch import AttemptKey
from gigawatt.model.quota import Bounds, Entitlement
from gigawatt.model.resources import Resources
from gigawatt.scheduler.policy import Policy
from tests.loop import Loop
from tests.machines import Machines, a_report

GRACE_S = 10
POLICY = Policy(
    preempt=True,
    min_run_ms=60_000,
    notice_ms=5_000,
    claim_ms=100_000,
    restart_ms=20_000,
    grow_every_ms=120_000,
)
STEP_MS = 20_000
REST_STEPS = 60
DOING = ["submit", "wait", "save", "end", "end", "lose", "crash"]
PROJECTS = ["default", "default", "owner"]


class History:
    """Jobs of two projects, of which one owns half of the GPUs, come and go."""

    def __init__(self, data: st.DataObject) -> None:
        self.draw = data.draw
        self.names = [f"n{n}" for n in range(self.draw(st.integers(2, 5)))]
        self.machines = Machines({name: a_report(name, gpus=1) for name in self.names})
        policy = replace(POLICY, reclaim=self.draw(st.booleans()))
        self.loop = Loop(self.machines, policy=policy)
        self.loop.restart()
        self.loop.ask(CreateProject(tenant="default", name="owner", by="tester"))
        half = Entitlement(quota=Bounds(milli_gpu=1_000 * (len(self.names) // 2)))
        self.loop.ask(SetEntitlement(tenant="default", name="owner", entitlement=half, by="tester"))
        self.jobs: list[str] = []
        for _ in self.names[1:]:
            self.submit(most=1)
        self.submit(most=len(self.names))

    def play(self) -> None:
        for what in self.draw(st.lists(st.sampled_from(DOING), min_size=4, max_size=14)):
            getattr(self, what)()

    def rest(self) -> int:
        """Those of one node end, and then nothing comes for a while, and all save now and then; how many gangs stop in
        its last half, for whatever reason.
        """
        ended, every = 0, self.draw(st.sampled_from([1, 4, 5]))
        for job in self.live():
            if job.spec.shape.nodes_max == 1:
                self.finish(job)
        for step in range(REST_STEPS):
            if step == REST_STEPS // 2:
                ended = len(self.ended())
            self.loop.later(STEP_MS)
            self.loop.step()
            if step % every == 0:
                self.save()
        return len(self.ended()) - ended

    def ended(self) -> list[Attempt]:
        every = [attempt for job in map(self.loop.job, self.jobs) for attempt in job.attempts]
        return [attempt for attempt in every if not attempt.live]

    def live(self) -> list[Job]:
        return [job for job in map(self.loop.job, self.jobs) if not job.ended]

    def submit(self, *, most: int = 0) -> None:
        least = min(most or 2, self.draw(st.sampled_from([1, 1, 2])))
        shape = Shape(
            nodes_min=least,
            nodes_max=max(least, most or self.draw(st.integers(1, len(self.names)))),
            per_node=Resources(milli_gpu=1_000),
        )
        spec = JobSpec(
            name="job",
            command=("true",),
            shape=shape,
            environment="host",
            priority=self.draw(st.sampled_from([0, 0, 10])),
            grace_s=GRACE_S,
            retries_infrastructure=100,
        )
        self.jobs.append(f"job-{len(self.jobs)}")
        project = self.draw(st.sampled_from(PROJECTS))
        submit = SubmitJob(
            id=self.jobs[-1], tenant="default", project=project, by="tester", spec=spec
        )
        self.loop.ask(submit)

    def wait(self) -> None:
        self.loop.later(STEP_MS * self.draw(st.sampled_from([1, 3, 10])))
        self.loop.step()

    def save(self) -> None:
        for job in self.live():
            step = 1 + len(job.checkpoints)
            self.machines.checkpoint(AttemptKey(gang=job.id, attempt=len(job.attempts)), step)
        self.loop.step()

    def end(self) -> None:
        live = self.live()
        if live:
            self.finish(self.draw(st.sampled_from(live)))

    def finish(self, job: Job) -> None:
        for rank in range(len(job.attempts[-1].ranks) if job.attempts else 0):
            self.machines.exit(AttemptKey(gang=job.id, attempt=len(job.attempts)), rank)
        self.loop.step()

    def lose(self) -> None:
        self.machines.lose(self.draw(st.sampled_from(self.names)))
        self.loop.step()
        self.loop.later(STEP_MS)
        for node in sorted(self.machines.down):
            self.machines.back(node)
        self.loop.step()

    def crash(self) -> None:
        self.loop.restart()


def grown(job: Job) -> list[Attempt]:
    return [attempt for attempt in job.attempts if attempt.stopped_for == job.id]


@settings(max_examples=40)
@given(data=st.data())
def test_what_stops_to_grow_has_saved_just_before_and_pays_for_it_nothing(
    data: st.DataObject,
) -> None:
    history = History(data)
    history.play()
    history.rest()
    for job in map(history.loop.job, history.jobs):
        shape = job.spec.shape
        assert all(shape.nodes_min <= len(each.nodes) <= shape.nodes_max for each in job.attempts)
        for attempt in grown(job):
            if attempt.live:
                continue
            assert (attempt.verdict, attempt.charged_to) == (Verdict.PREEMPTION, "")
            assert attempt.stopping_ms is not None
            saved = [each.at_ms for each in job.checkpoints if each.attempt == attempt.n]
            assert 0 <= attempt.stopping_ms - max(saved) <= 1_000 * GRACE_S
            assert attempt.stopping_ms - attempt.placed_ms >= POLICY.grow_every_ms


@settings(max_examples=40)
@given(data=st.data())
def test_with_nothing_new_growing_comes_to_an_end_and_nobody_is_stopped_for_what_grew(
    data: st.DataObject,
) -> None:
    history = History(data)
    history.play()
    assert history.rest() == 0


@settings(max_examples=40)
@given(data=st.data())
def test_what_grew_has_more_nodes_than_before(data: st.DataObject) -> None:
    history = History(data)
    history.play()
    for job in map(history.loop.job, history.jobs):
        for attempt in grown(job):
            after = job.attempts[attempt.n : attempt.n + 1]
            assert all(len(each.nodes) > len(attempt.nodes) for each in after)
