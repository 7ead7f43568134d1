"""What keeps the instance tidy by itself: a pass by the projects' policies now and then, and more under pressure.

It works beside the loop: looking and deleting are in threads, records go through the leader like everyone's writes.
"""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable

from gigawatt.clock import monotonic_s, now_ms
from gigawatt.model.observation import RetentionNoted
from gigawatt.model.refusal import RefusalError
from gigawatt.model.retention import FOR_EVER, POLICED, Kind, Retention
from gigawatt.reconcile.pressure import Level
from gigawatt.service.retention import Ask, Pruned, prune_once
from gigawatt.service.services import Services

log = logging.getLogger(__name__)

DISK_LOOK_S = 15.0
REMOVED_A_PASS_MAX = 500
CACHES_AGAIN_S = 60.0  # after a pass that could not relieve the disk


class Caretaker:
    """`observe` takes in what is to be told. One for an instance."""

    def __init__(
        self, services: Services, *, observe: Callable[[RetentionNoted], None], every_s: float
    ) -> None:
        self._services = services
        self._observe = observe
        self._every_s = every_s
        self._told = Level.WELL

    async def keep(self) -> None:
        """Look after the disk and the policies, until cancelled or the instance closes."""
        next_pass_s = monotonic_s() + self._every_s
        caches_from_s = 0.0
        while not self._services.closing.is_set():
            self._look()
            await self._services.keyring.uses.record(self._services.leader)
            now_s = monotonic_s()
            if self._services.disk.level is not Level.WELL and now_s >= caches_from_s:
                await self._guarded(self._relieve)
                caches_from_s = monotonic_s() + CACHES_AGAIN_S
                self._look()
            if now_s >= next_pass_s:
                await self._guarded(self._pass)
                next_pass_s = monotonic_s() + self._every_s
            await self._pause(min(DISK_LOOK_S, self._every_s))

    def _look(self) -> None:
        """Tell when the disk has come to another level."""
        try:
            after = self._services.disk.look()
        except OSError:
            log.exception("the disk cannot be looked at")
            return
        if after is not self._told:
            self._told = after
            self._tell_level(after)

    def _tell_level(self, after: Level) -> None:
        room = self._services.disk.room
        free = f"{room.free_bytes >> 20} of {room.total_bytes >> 20} MiB free"
        messages = {
            Level.WELL: "the disk has room again",
            Level.SOFT: "the disk fills up: caches go",
            Level.HARD: "the disk is nearly full: nothing new is built or uploaded",
        }
        if after is not Level.WELL:
            log.warning("%s (%s)", messages[after], free)
        self._note(f"disk_{after.value}", f"{messages[after]} ({free})")

    async def _relieve(self) -> None:
        """Caches go, the one longest unused first, until the disk is away from its mark."""
        disk = self._services.disk
        ask = Ask(
            kinds=frozenset({Kind.CACHES}),
            limit=REMOVED_A_PASS_MAX,
            enough=lambda: disk.look() is Level.WELL,
        )
        self._tell_removed(await prune_once(self._services, ask))

    async def _pass(self) -> None:
        """By the projects' policies. Where there are none, nothing is even looked at."""
        policies = (self._services.retention, *self._services.leader.policies().values())
        if any(map(_limits_anything, policies)):
            ask = Ask(limit=REMOVED_A_PASS_MAX)
            self._tell_removed(await prune_once(self._services, ask))

    def _tell_removed(self, done: Pruned) -> None:
        for error in done.errors:
            log.warning("not removed: %s", error)
        if not done.removed:
            return
        counts = Counter(item.kind for item in done.removed)
        total = sum(item.size_bytes for item in done.removed)
        told = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
        data = tuple((kind, str(count)) for kind, count in sorted(counts.items()))
        self._note("pruned", f"{told}: {total} bytes", (*data, ("bytes", str(total))))

    def _note(self, what: str, message: str, data: tuple[tuple[str, str], ...] = ()) -> None:
        self._observe(RetentionNoted(at_ms=now_ms(), what=what, message=message, data=data))

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        """A pass that fails is told and tried again next time: the instance goes on without it."""
        try:
            await work()
        except (RefusalError, OSError):
            log.exception("a pass of the retention failed")

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._services.closing.wait()


def _limits_anything(policy: Retention) -> bool:
    return any(policy.of(kind) not in {None, FOR_EVER} for kind in POLICED)
