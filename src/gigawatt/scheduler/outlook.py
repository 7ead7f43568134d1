"""What estimates are made of: which gangs run since when, what each is like, and what gangs like it took.

Kept up change by change, like a snapshot, and worth nothing without one: where a gang is, is looked up there.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gigawatt.model.attempt import Attempt, Verdict
from gigawatt.model.change import Entity
from gigawatt.model.endpoint import Replica
from gigawatt.model.gang import Gang
from gigawatt.model.job import Job
from gigawatt.model.node import Node
from gigawatt.model.values import replace
from gigawatt.model.workspace import Workspace
from gigawatt.model.world import World
from gigawatt.scheduler.durations import Durations, Likeness, Run
from gigawatt.scheduler.facts import Footprint, footprint

OWN_ENDS = frozenset({Verdict.SUCCESS, Verdict.USER, Verdict.TIMEOUT, Verdict.CANCELLED})
"""Ends that say how long it took. What another gang or a broken node ended would have gone on."""

_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """Attempt `n` of a gang, which holds nodes. `like` and `run` are None of what runs until somebody ends it."""

    held: Footprint
    n: int
    owner: str  # tenant/project
    since_ms: int
    like: Likeness | None
    run: Run | None


class Outlook:
    """`apply` every entity that is put into the world."""

    def __init__(self) -> None:
        self.durations = Durations()
        self.runners: dict[str, Runner] = {}
        self.nodes: dict[str, Node] = {}
        self._likes: dict[str, Likeness] = {}

    @classmethod
    def of(cls, world: World, ended: Iterable[Job] = ()) -> "Outlook":
        """One that has learned from what has `ended`, oldest first, and knows all that is live in `world`."""
        outlook = cls()
        outlook._learn(ended)
        tables: tuple[dict[str, Any], ...] = (
            world.nodes,
            world.jobs,
            world.replicas,
            world.workspaces,
        )
        for table in tables:
            for entity in table.values():
                outlook.apply(entity)
        return outlook

    def apply(self, entity: Entity) -> None:
        """Take the new value; entities that have no gang are ignored."""
        match entity:
            case Node():
                self.nodes[entity.id] = entity
            case Job():
                self._job(entity)
            case Replica() | Workspace():
                self._hold(entity, None)
            case _:
                pass

    def like(self, gang: str) -> Likeness | None:
        """What a job that waits or runs is like; None of anything else."""
        return self._likes.get(gang)

    def _learn(self, ended: Iterable[Job]) -> None:
        """What ended jobs say that are on record, oldest first."""
        for job in ended:
            attempt = job.attempt
            if attempt is not None and attempt.running_ms is not None:
                _end(self.durations.began(likeness(job), attempt.running_ms), attempt)

    def _job(self, job: Job) -> None:
        like = self._likes.get(job.id)
        if like is None and not job.ended:
            like = self._likes[job.id] = likeness(job)
        self._hold(job, like)
        if job.ended:
            self._likes.pop(job.id, None)

    def _hold(self, work: Job | Replica | Workspace, like: Likeness | None) -> None:
        attempt, runner = work.attempt, self.runners.get(work.id)
        if attempt is None or not attempt.live:
            if runner is not None:
                del self.runners[work.id]
                _end(runner.run, attempt)
            return
        since_ms = attempt.running_ms or attempt.placed_ms
        if runner is not None and runner.n == attempt.n:
            if runner.since_ms != since_ms:
                self.runners[work.id] = replace(runner, since_ms=since_ms)
                if runner.run is not None:
                    runner.run.began_ms = since_ms
            return
        held = footprint(work)
        assert held is not None, "a live attempt holds something"
        self.runners[work.id] = Runner(
            held=held,
            n=attempt.n,
            owner=f"{work.tenant}/{work.project}",
            since_ms=since_ms,
            like=like,
            run=None if like is None else self.durations.began(like, since_ms),
        )


def likeness(job: Job) -> Likeness:
    """What is alike about a job and others."""
    return _like(job.gang(), user=job.submitted_by, name=job.spec.name)


def likeness_asked(gang: Gang, *, user: str, name: str = "") -> Likeness:
    """Of a gang that nobody has submitted."""
    return _like(gang, user=user, name=name)


def _end(run: Run | None, attempt: Attempt | None) -> None:
    """What came of a run: how long it ran, and whether it would have gone on."""
    if run is None or attempt is None or attempt.ended_ms is None:
        return
    run.ran_ms = max(attempt.ended_ms - run.began_ms, 1)
    run.whole = attempt.verdict in OWN_ENDS


def _like(gang: Gang, *, user: str, name: str) -> Likeness:
    shape = gang.shape
    return Likeness(
        project=f"{gang.tenant}/{gang.project}",
        user=user,
        stem=_NUMBER.sub("#", name),
        shape=(shape.nodes_min, *shape.per_node.vector()),
        limit_ms=gang.duration_ms,
    )
