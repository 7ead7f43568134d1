"""What looks after budgets, limits and months: it works out what was spent and kept, tells the leader, and closes months.

It works beside the loop, and rests several times as long as a look took.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from gigawatt.clock import monotonic_s, now_ms
from gigawatt.model.observation import BudgetsSeen, LimitsSeen
from gigawatt.model.refusal import RefusalError
from gigawatt.service.closing import close_due
from gigawatt.service.occupied import limits_seen
from gigawatt.service.services import Services
from gigawatt.service.spent import spent_of_budgets

log = logging.getLogger(__name__)

LOOK_S = 5.0
LIMITS_S = 15.0
CLOSE_S = 600.0
RESTS = 9


class Bursar:
    """`observe` takes in what was spent and kept. One for an instance."""

    def __init__(
        self,
        services: Services,
        *,
        observe: Callable[[BudgetsSeen | LimitsSeen], None],
        close_after_days: int = 0,
    ) -> None:
        self._services = services
        self._observe = observe
        self._limits_from_s = 0.0
        self._close_after_days = close_after_days
        self._close_from_s = 0.0

    async def keep(self) -> None:
        """Look after budgets, until cancelled or the instance closes."""
        while not self._services.closing.is_set():
            began_s = monotonic_s()
            try:
                await self._look()
                await self._look_at_limits(began_s)
                await self._close_months(began_s)
            except (RefusalError, OSError, SQLAlchemyError):
                log.exception("budgets and limits could not be looked at")
            took_s = monotonic_s() - began_s
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(LOOK_S, RESTS * took_s)):
                    await self._services.closing.wait()

    async def _look(self) -> None:
        """Where there are no budgets, nothing is worked out."""
        at_ms = now_ms()
        seen = await asyncio.to_thread(spent_of_budgets, self._services.store, at_ms=at_ms)
        if seen is not None:
            self._observe(seen)

    async def _look_at_limits(self, began_s: float) -> None:
        """Where no project has a limit, nothing is looked at."""
        if began_s < self._limits_from_s:
            return
        services, at_ms = self._services, now_ms()
        owed = {name: each.used for name, each in services.leader.owed().items()}
        homes = services.workspaces.homes
        seen = await asyncio.to_thread(limits_seen, services.store, homes, owed=owed, at_ms=at_ms)
        if seen is not None:
            self._observe(seen)
        after_s = monotonic_s()
        self._limits_from_s = after_s + max(LIMITS_S, RESTS * (after_s - began_s))

    async def _close_months(self, began_s: float) -> None:
        """Where months are closed by hand, nothing is done. One that cannot be closed is told, and tried again."""
        if not self._close_after_days or began_s < self._close_from_s:
            return
        self._close_from_s = began_s + CLOSE_S
        try:
            made = await close_due(self._services, days=self._close_after_days, at_ms=now_ms())
        except RefusalError as refusal:
            log.warning("no month was closed: %s", refusal.detail)
            return
        if made is not None:
            log.info("%s is closed: %d invoices", made.month, made.invoices)
            self._close_from_s = began_s  # another may be due
