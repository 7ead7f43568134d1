"""Estimates beside the loop: made anew in a thread while anything waits, and at once where a person asks for one.

Nothing here decides anything, and no decision waits for it. A refresh takes all that it needs on the loop, plays the line
ahead in a thread, and tells what came of it on the loop. It then rests several times as long as it took.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from gigawatt.clock import monotonic_s, now_ms
from gigawatt.control.cycle import State
from gigawatt.model.calibration import Calibration
from gigawatt.model.gang import Gang
from gigawatt.model.job import ENDED, Job
from gigawatt.model.observation import DeadlineUnlikely, Observation
from gigawatt.scheduler.durations import Likeness
from gigawatt.scheduler.estimates import Estimates, Plays
from gigawatt.scheduler.explain import CheapestChange
from gigawatt.scheduler.outlook import likeness_asked
from gigawatt.scheduler.scores import NO_SCORE, Estimate, Score
from gigawatt.scheduler.snapshot import NONE, Snapshot
from gigawatt.scheduler.sooner import Candidate, candidates, soonest
from gigawatt.store.base import Query, Store

REST_S = 2.0  # at least, between refreshes
RESTS = (
    9  # times as long as a refresh took: one core is never busy with more than a tenth of the time
)
HISTORY_MAX = 5_000  # ended jobs that a new leader learns from, the newest
PAGE = 500
KEEP_MS = 300_000  # at least, between times at which what was learned is kept

Keep = Callable[[Calibration], Awaitable[None]]


class Foresight:
    """`changed` after every cycle that decided; `run` beside the loop."""

    def __init__(
        self,
        state: State,
        now: Callable[[], int] = now_ms,
        *,
        tell: Callable[[Observation], None] | None = None,
    ) -> None:
        self._state = state
        self._now_ms = now
        self._tell = tell
        self._changed = asyncio.Event()
        self._kept_ms = 0
        self._kept_count: int = -1

    def changed(self) -> None:
        """What waits or runs is not what it was."""
        self._changed.set()

    async def run(self, keep: Keep) -> None:
        """Refresh whenever something has changed, and now and then `keep` what was learned, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            began_s = monotonic_s()
            await self.refresh()
            took_s = monotonic_s() - began_s
            await self.keep(keep)
            await asyncio.sleep(max(REST_S, RESTS * took_s))

    async def refresh(self) -> None:
        """Say anew of everything that waits when it starts."""
        estimates, snapshot = self._state.estimates, self._snapshot()
        if estimates is not None and snapshot.gangs.ids:
            await self._play_all(estimates, snapshot)
        self._tell_late()

    async def _play_all(self, estimates: Estimates, snapshot: Snapshot) -> None:
        plays = estimates.plays(snapshot, self._state.policy)
        found = await asyncio.to_thread(plays.run)
        estimates.refreshed(plays, found, still=self._waits)

    def end_of(self, job: Job) -> Estimate | None:
        """When a job that waits or runs should be done; None where that is not known."""
        estimates, at_ms = self._state.estimates, self._now_ms()
        if estimates is None or job.ended:
            return None
        return estimates.end_of(job, self.newest(job.id), now_ms=at_ms)

    def expected_ms(self, gang: Gang, *, user: str, name: str) -> int:
        """How long half of the jobs like it took at most; 0 where nothing is known of any."""
        estimates = self._state.estimates
        like = likeness_asked(gang, user=user, name=name)
        return estimates.median_ms(like, self._now_ms()) if estimates else 0

    def _tell_late(self) -> None:
        """Of jobs of which nothing was said yet, those of which the deadline has become unlikely."""
        tell = self._tell
        if tell is None:
            return
        for job in tuple(self._state.world.jobs.values()):
            if job.deadline_ms and not job.deadline_told:
                found = self.end_of(job)
                if found is not None and found.p50_ms > job.deadline_ms:
                    seen = DeadlineUnlikely(at_ms=self._now_ms(), job=job.id, p50_ms=found.p50_ms)
                    tell(seen)

    async def keep(self, keep: Keep) -> None:
        """Keep what was learned, if more of it came true and the last time is long enough ago."""
        estimates, at_ms = self._state.estimates, self._now_ms()
        if estimates is None or at_ms - self._kept_ms < KEEP_MS:
            return
        count = estimates.score().count
        if count != self._kept_count:
            self._kept_ms, self._kept_count = at_ms, count
            await keep(estimates.scores.kept(now_ms=at_ms))

    def newest(self, gang: str) -> Estimate | None:
        """The last that was said of a gang that waits, and of which the time has not passed."""
        estimates = self._state.estimates
        found = estimates.newest(gang) if estimates else None
        if found is None:
            return None
        at_ms = self._now_ms()
        return Estimate(p50_ms=max(found.p50_ms, at_ms), p90_ms=max(found.p90_ms, at_ms))

    async def of(self, gang: str) -> Estimate | None:
        """As `newest`, worked out now where nothing was said yet."""
        if self.newest(gang) is None and self._waits(gang):
            await self.refresh()
        return self.newest(gang)

    async def asked(self, gang: Gang, *, user: str) -> Estimate | None:
        """Of a gang that nobody has submitted; None where nothing lets it start."""
        estimates = self._state.estimates
        if estimates is None:
            return None
        like = likeness_asked(gang, user=user)
        ahead_ms, plays = await self._play(estimates, gang, like)
        return None if ahead_ms is None else estimates.estimate(plays, ahead_ms, like)

    async def sooner(self, id: str) -> CheapestChange | None:
        """A change with which a job that waits would start well before it does without; None where there is none.

        It is dated for one that is taken back and submitted again, so at the end of the line.
        """
        estimates, job = self._state.estimates, self._state.world.jobs.get(id)
        like = estimates.outlook.like(id) if estimates else None
        if estimates is None or job is None or like is None or not self._waits(id):
            return None
        gang, at_ms = job.gang(), self._now_ms()
        tried = candidates(
            replace(gang, queued_ms=at_ms),
            self._state.policy,
            kinds=self._snapshot().nodes.gpu_kinds,
            likely_ms=estimates.likely_ms(id, at_ms),
        )
        present_ms, plays = await self._play(estimates, gang, like)
        if present_ms is None or not tried:
            return None
        better = soonest(await self._dated(estimates, tried, like), tried, present_ms)
        if better is None:
            return None
        change = better[0].change
        start_ms = estimates.surely_ms(plays, better[1], like)
        if start_ms >= estimates.estimate(plays, present_ms, like).p50_ms:
            return None
        return CheapestChange(
            field=change.field, before=change.before, after=change.after, start=_date(start_ms)
        )

    def likely_ms(self, gang: str) -> int:
        """What nine tenths of gangs alike take at most; 0 where nothing is known of them."""
        estimates = self._state.estimates
        return estimates.likely_ms(gang, self._now_ms()) if estimates else 0

    @property
    def score(self) -> Score:
        estimates = self._state.estimates
        return estimates.score() if estimates else NO_SCORE

    async def _dated(
        self, estimates: Estimates, tried: tuple[Candidate, ...], like: Likeness
    ) -> Mapping[str, int]:
        found: dict[str, int] = {}
        for each in tried:
            ahead_ms, _ = await self._play(estimates, each.gang, like)
            if ahead_ms is not None:
                found[each.change.field] = ahead_ms
        return found

    async def _play(
        self, estimates: Estimates, gang: Gang, like: Likeness
    ) -> tuple[int | None, Plays]:
        plays = estimates.asking(self._snapshot(), self._state.policy, gang, like)
        found = await asyncio.to_thread(plays.run)
        return found.get(gang.id), plays

    def _snapshot(self) -> Snapshot:
        return self._state.snapshot(self._now_ms())

    def _waits(self, gang: str) -> bool:
        return self._snapshot().gangs.row(gang) != NONE


def history(store: Store) -> list[Job]:
    """The newest jobs that have ended, in the order of their ends. Blocks."""
    phases = tuple(sorted(phase.value for phase in ENDED))
    found: list[Job] = []
    query = Query(phases=phases, limit=PAGE)
    while len(found) < HISTORY_MAX:
        page = store.page(Job, query)
        found += page.items
        if not page.next:
            break
        query = Query(phases=phases, limit=PAGE, cursor=page.next)
    return sorted(found, key=lambda job: (job.ended_ms or 0, job.id))


def _date(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")
