"""The encoder that follows changes gives what one from scratch gives, byte for byte, after any history."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gigawatt.model.attempt import AttemptPhase
from gigawatt.model.change import Entity
from gigawatt.model.checkpoint import Checkpoint
from gigawatt.model.endpoint import Replica
from gigawatt.model.job import Job, JobPhase
from gigawatt.model.world import World
from gigawatt.scheduler.decide import decide
from gigawatt.scheduler.encode import Encoder, encode_cold
from gigawatt.scheduler.policy import Policy
from gigawatt.scheduler.record import dump
from tests.property.scheduler.power_trees import FEEDS, feeds
from tests.property.scheduler.strategies import (
    NODE_IDS,
    PROJECTS,
    entitled,
    nodes,
    shared_worlds,
    states,
    waiting_jobs,
    waiting_replicas,
    worlds,
)
from tests.property.scheduler.test_reserved import reservations
from tests.scenario.build import NOW_MS, apply_starts

POLICY = Policy()
TIMES = (NOW_MS - 500, NOW_MS, NOW_MS + 700)
PLANNING = Policy(preempt=True, consolidate=True, min_run_ms=0)


class History:
    """A world, and an encoder that is told of every change of it."""

    def __init__(self, data: st.DataObject, world: World) -> None:
        self.draw = data.draw
        self.world = world
        self.encoder = Encoder.of(world, plans=True)
        self.steps = {
            "put node": self.put_node,
            "change state": self.change_state,
            "cache data": self.cache_data,
            "remove node": self.remove_node,
            "submit job": self.submit_job,
            "add replica": self.add_replica,
            "decide": self.decide,
            "plan": self.plan,
            "run": self.run,
            "save": self.save,
            "lapse": self.lapse,
            "end attempt": self.end_attempt,
            "cancel": self.cancel,
            "repeat": self.repeat,
            "entitle": self.entitle,
            "entitle by kind": self.entitle_by_kind,
            "accrue": self.accrue,
            "feed": self.feed,
            "state watts": self.state_watts,
            "reserve": self.reserve,
        }

    def put(self, entity: Entity) -> None:
        self.world.put(entity)
        self.encoder.apply(entity)

    def put_node(self) -> None:
        self.put(self.draw(nodes(self.draw(st.sampled_from(NODE_IDS)))))

    def change_state(self) -> None:
        if self.world.nodes:
            node = self.world.nodes[self.draw(st.sampled_from(sorted(self.world.nodes)))]
            self.put(replace(node, state=self.draw(states)))

    def cache_data(self) -> None:
        if self.world.nodes:
            node = self.world.nodes[self.draw(st.sampled_from(sorted(self.world.nodes)))]
            cached = self.draw(st.lists(st.sampled_from("abcd"), max_size=3, unique=True))
            self.put(replace(node, cached=tuple(sorted(cached))))

    def remove_node(self) -> None:
        node = self.draw(st.sampled_from(NODE_IDS))
        self.world.nodes.pop(node, None)
        self.encoder.remove_node(node)

    def submit_job(self) -> None:
        job = f"job-{self.draw(st.integers(0, 9))}"
        if job not in self.world.jobs:
            self.put(self.draw(waiting_jobs(job)))

    def add_replica(self) -> None:
        replica = f"rep-{self.draw(st.integers(0, 3))}"
        if replica not in self.world.replicas:
            self.put(self.draw(waiting_replicas(replica)))

    def decide(self) -> None:
        for work in apply_starts(self.world, decide(self.encoder.snapshot(NOW_MS), POLICY)):
            self.encoder.apply(work)

    def plan(self) -> None:
        """Whatever is planned is on record: claims, and attempts that are being stopped."""
        snapshot = self.encoder.snapshot(NOW_MS)
        for plan in decide(snapshot, PLANNING).plans:
            self.put(replace(self.find(plan.gang), claim=plan.claim))
            for victim in plan.victims:
                work = self.find(victim.gang)
                assert work.attempt
                told = replace(work.attempt.moved(AttemptPhase.STOPPING), stopped_for=plan.gang)
                self.put(replace(work.with_attempt(told), claim=victim.claim))

    def run(self) -> None:
        """All that was placed runs, has saved, and would take one node more where it may."""
        for job in tuple(self.world.jobs.values()):
            attempt, shape = job.attempt, job.spec.shape
            if attempt and attempt.phase is AttemptPhase.PLACED:
                most = shape.nodes_max if shape.stacked else len(attempt.nodes) + 1
                saved = Checkpoint(step=1, path="c", at_ms=NOW_MS, attempt=attempt.n)
                spec = replace(job.spec, shape=replace(shape, nodes_max=most))
                running = job.with_attempt(attempt.moved(AttemptPhase.RUNNING))
                self.put(replace(running, spec=spec, checkpoint=saved))

    def save(self) -> None:
        """A job has a checkpoint, or a part of one."""
        if self.world.jobs:
            job = self.world.jobs[self.draw(st.sampled_from(sorted(self.world.jobs)))]
            step, rank = self.draw(st.integers(1, 3)), self.draw(st.integers(0, 1))
            at_ms, n = NOW_MS + self.draw(st.integers(1, 9)), len(job.attempts)
            saved = Checkpoint(step=step, path="c", at_ms=at_ms, rank=rank, attempt=n)
            self.put(replace(job, checkpoint=saved, checkpoints=(*job.checkpoints, saved)))

    def lapse(self) -> None:
        kept = [work for work in self.work() if work.claim]
        if kept:
            work = self.draw(st.sampled_from(kept))
            assert work.claim
            self.put(replace(work, claim=replace(work.claim, lapsed_ms=NOW_MS, why="late")))

    def find(self, gang: str) -> Job | Replica:
        return self.world.jobs.get(gang) or self.world.replicas[gang]

    def end_attempt(self) -> None:
        running = [work for work in self.work() if work.attempt and work.attempt.live]
        if running:
            work = self.draw(st.sampled_from(running))
            assert work.attempt
            work = work.with_attempt(work.attempt.moved(AttemptPhase.ENDED))
            if isinstance(work, Job):
                work = replace(work, phase=JobPhase.QUEUED, queued_ms=NOW_MS + 1)
            self.put(work)

    def cancel(self) -> None:
        if not self.work():
            return
        work = self.draw(st.sampled_from(self.work()))
        if isinstance(work, Job):
            self.put(replace(work, phase=JobPhase.CANCELLED, ended_ms=NOW_MS, attempts=()))
        else:
            self.put(replace(work, stopping=True))

    def entitle(self) -> None:
        self.put(self.draw(entitled(self.draw(st.sampled_from(PROJECTS)))))

    def entitle_by_kind(self) -> None:
        project = self.draw(entitled(self.draw(st.sampled_from(PROJECTS))))
        kinds = self.draw(st.sampled_from([(), (("h100", 2000),), (("a100", 1000), ("b200", 0))]))
        quota = replace(project.entitlement.quota, kinds=kinds)
        self.put(replace(project, entitlement=replace(project.entitlement, quota=quota)))

    def feed(self) -> None:
        self.put(self.draw(feeds(self.draw(st.sampled_from(FEEDS)))))

    def state_watts(self) -> None:
        """A job that waits says what it draws of each node."""
        queued = [each for each in self.world.jobs.values() if each.phase is JobPhase.QUEUED]
        if queued:
            job = self.draw(st.sampled_from(queued))
            shape = replace(job.spec.shape, milliwatts=self.draw(st.sampled_from([0, 1, 900_000])))
            self.put(replace(job, spec=replace(job.spec, shape=shape)))

    def reserve(self) -> None:
        self.put(self.draw(reservations(self.draw(st.sampled_from(["r0", "r1"])))))

    def accrue(self) -> None:
        for use in self.encoder.accrued(self.draw(st.sampled_from(TIMES)), half_life_ms=1_000):
            self.put(use)

    def repeat(self) -> None:
        shares = (*self.world.projects.values(), *self.world.uses.values())
        for entity in (*self.world.nodes.values(), *self.work(), *shares):
            self.encoder.apply(entity)

    def work(self) -> list[Job | Replica]:
        return [*self.world.jobs.values(), *self.world.replicas.values()]


@given(data=st.data(), world=worlds() | shared_worlds())
def test_after_any_history_the_encoder_equals_one_from_scratch(
    data: st.DataObject, world: World
) -> None:
    history = History(data, world)
    for _ in range(data.draw(st.integers(1, 5))):
        for name in data.draw(st.lists(st.sampled_from(sorted(history.steps)), max_size=4)):
            history.steps[name]()
        cold = encode_cold(history.world, NOW_MS, resume="x", plans=True)
        assert dump(history.encoder.snapshot(NOW_MS, resume="x"), POLICY) == dump(cold, POLICY)


@given(data=st.data(), world=worlds() | shared_worlds())
def test_a_snapshot_stays_what_it_was_whatever_happens_afterwards(
    data: st.DataObject, world: World
) -> None:
    history = History(data, world)
    kept = [history.encoder.snapshot(NOW_MS)]
    before = [dump(kept[0], POLICY)]
    for name in data.draw(st.lists(st.sampled_from(sorted(history.steps)), max_size=8)):
        history.steps[name]()
        kept.append(history.encoder.snapshot(NOW_MS))
        before.append(dump(kept[-1], POLICY))
    assert [dump(snapshot, POLICY) for snapshot in kept] == before
