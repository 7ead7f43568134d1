"""Asks Slurm once a cycle what it has, and follows up what that means for each attempt and node.

While the controller does not answer, nothing is concluded: what runs goes on and is heard of by its supervisors.
"""

import asyncio
import logging
from dataclasses import dataclass

from gigawatt.clock import monotonic_s, now_ms
from gigawatt.engine.local.outbox import Outbox
from gigawatt.engine.local.translate import parse_key
from gigawatt.engine.slurm.client import Slurm, SlurmRefusedError, SlurmUnavailableError
from gigawatt.engine.slurm.crews import Crews
from gigawatt.engine.slurm.files import Files
from gigawatt.engine.slurm.fleet import Fleet
from gigawatt.engine.slurm.post import Crew
from gigawatt.engine.slurm.tables import SlurmJob
from gigawatt.model.observation import LaunchPreparing

log = logging.getLogger(__name__)

CYCLE_S = 1.0
CYCLE_COST = 10  # at most every tenth moment is spent asking
START_S = 30.0  # for Slurm to start what was placed where there is room
PREPARING_TOLD_EVERY_S = 10.0
PING_EVERY_S = 5.0
ENDING_S = 10.0  # from a release to the end of its job, before it is cancelled
OVER_S = 5.0  # what a supervisor still has to say after the end of its job


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    slurm: Slurm
    files: Files
    fleet: Fleet
    crews: Crews
    outbox: Outbox


class Watch:
    """`prefix` begins the names of our jobs."""

    def __init__(self, parts: Parts, *, partition: str, prefix: str) -> None:
        self._parts = parts
        self._partition = partition
        self._prefix = prefix
        self._over_s: dict[str, float] = {}
        self._silent = False

    async def run(self) -> None:
        while True:
            begun_s = monotonic_s()
            await asyncio.sleep(CYCLE_S)
            asked_s = monotonic_s()
            try:
                await self.look()
            except (
                Exception
            ):  # it must not end: what is wrong with one look may be right in the next
                log.exception("a look at Slurm failed; the next one follows")
            spent_s = monotonic_s() - asked_s
            await asyncio.sleep(max(spent_s * CYCLE_COST - (monotonic_s() - begun_s), 0))

    async def look(self, *, concludes: bool = True) -> bool:
        """Whether Slurm answered. As long as our attempts are not known, nothing is concluded of their jobs."""
        parts, asked_s = self._parts, monotonic_s()
        try:
            jobs = await parts.slurm.jobs()
            nodes = await parts.slurm.nodes(self._partition)
        except (SlurmUnavailableError, SlurmRefusedError, ValueError) as error:
            if not self._silent:
                log.warning("Slurm does not tell what it has; what runs goes on: %s", error)
            self._silent = True
            return False
        self._silent = False
        ours = [job for job in jobs if job.name.startswith(self._prefix) and not job.over]
        jobs_by_key = {self._key(job): job for job in ours}
        changes = parts.fleet.take(
            nodes,
            jobs_by_key,
            parts.crews.plans,
            silent=self._silent_nodes(jobs_by_key),
            now_ms=now_ms(),
        )
        parts.crews.specs = parts.fleet.specs
        parts.outbox.put(*changes.seen)
        if concludes:
            for node in changes.lost:
                self._lose(node)
            await self._follow_up(ours, asked_s)
        return True

    def _silent_nodes(self, jobs: dict[str, SlurmJob]) -> frozenset[str]:
        """Where nothing of ours answers any more, or Slurm is ending what has not ended by itself."""
        up: set[str] = set()
        down: set[str] = set()
        for crew in self._parts.crews.all.values():
            job = jobs.get(crew.key)
            fails = job is not None and job.ending and not crew.stopped
            for post in crew.posts.values():
                if post.staged and not post.gone:
                    (up if post.up and not fails else down).add(post.node)
        return frozenset(down - up)

    def _lose(self, node: str) -> None:
        crews = self._parts.crews
        for crew in crews.all.values():
            post = crew.posts.get(node)
            if post is not None and post.staged and not post.gone:
                crews.spawn(crews.lose(crew, post))

    def _key(self, job: SlurmJob) -> str:
        return job.name.removeprefix(self._prefix)

    async def _follow_up(self, ours: list[SlurmJob], asked_s: float) -> None:
        crews = self._parts.crews.all
        by_number = {job.id: job for job in ours}
        cancel = [job.id for job in ours if self._is_stray(job)]
        for crew in tuple(crews.values()):
            job = by_number.get(crew.number)
            if job is not None:
                self._goes_on(crew, job, asked_s)
                if crew.cancelled or self._lingers(crew, asked_s):
                    cancel.append(job.id)
            elif crew.over or (crew.number and crew.submitted_s < asked_s):
                await self._is_over(crew, asked_s)
            self._ping(crew, asked_s)
        if cancel:
            await self._cancel(tuple(sorted(cancel)))

    def _is_stray(self, job: SlurmJob) -> bool:
        """Nobody wants it: submitted by a control plane that ended before it knew."""
        crew = self._parts.crews.all.get(self._key(job))
        return crew is None or crew.number not in {0, job.id}

    def _goes_on(self, crew: Crew, job: SlurmJob, asked_s: float) -> None:
        if crew.arrived:
            return
        if crew.told_s + PREPARING_TOLD_EVERY_S < asked_s:
            crew.told_s = asked_s
            self._parts.outbox.put(LaunchPreparing(at_ms=now_ms(), key=parse_key(crew.key)))
        if not job.waits:
            crew.waiting_since_s = asked_s
            for (
                post
            ) in crew.posts.values():  # its call was perhaps not heard; a file says where it is
                if not post.arrived.done() and post.calling is None:
                    self._parts.crews.arrive(crew, post.node)
        elif asked_s - crew.waiting_since_s > START_S:
            crew.cancelled = True
            crew.fail(f"Slurm did not start it in {START_S:g} s: {job.reason}")

    def _lingers(self, crew: Crew, asked_s: float) -> bool:
        if not crew.released:
            return False
        return asked_s - self._over_s.setdefault(crew.key, asked_s) > ENDING_S

    async def _is_over(self, crew: Crew, asked_s: float) -> None:
        """Slurm has nothing of it: what its supervisors do not tell now, they never will."""
        parts = self._parts
        since_s = self._over_s.setdefault(crew.key, asked_s)
        if not crew.over:
            crew.over = True
            if not crew.arrived:
                crew.fail(await self._why(crew))
        for post in crew.posts.values():
            if not post.gone and (not post.up or asked_s - since_s > OVER_S):
                await parts.crews.write_off(crew, post)
        if crew.released:
            self._over_s.pop(crew.key, None)
            await parts.crews.forget(crew)

    async def _why(self, crew: Crew) -> str:
        """Its job ended before its supervisors came."""
        said = await asyncio.to_thread(self._parts.files.said, crew.spec)
        try:
            ended = await self._parts.slurm.describe(crew.number)
        except (SlurmUnavailableError, SlurmRefusedError):
            ended = ""
        return f"Slurm job {crew.number} ended at once ({ended or 'how is not known'}): {said}"

    async def _cancel(self, numbers: tuple[int, ...]) -> None:
        try:
            await self._parts.slurm.cancel(numbers)
        except (SlurmUnavailableError, SlurmRefusedError) as error:
            log.warning("jobs were not cancelled, and will be: %s", error)

    def _ping(self, crew: Crew, asked_s: float) -> None:
        for post in crew.posts.values():
            if post.up and not post.gone and asked_s - post.pinged_s > PING_EVERY_S:
                self._parts.crews.spawn(self._parts.crews.ping(crew, post))
