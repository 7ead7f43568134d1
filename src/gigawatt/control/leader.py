"""The leader: the one writer of the world. It takes in, decides, commits, answers, and has things done, in this order."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from gigawatt.clock import now_ms
from gigawatt.control import cycle
from gigawatt.control.actuator import Actuator
from gigawatt.control.foresight import Foresight, history
from gigawatt.control.gateway_link import GatewayLink
from gigawatt.control.inbox import Inbox, Ticket, asked, recall, receipt_of
from gigawatt.control.intake import Intake
from gigawatt.control.recorder import Recorder
from gigawatt.control.watch import Watchers
from gigawatt.engine.base import Engine
from gigawatt.model.audit import AuditNote
from gigawatt.model.calibration import CALIBRATION_ID, Calibration
from gigawatt.model.change import Batch, Entity
from gigawatt.model.command import Command
from gigawatt.model.event import Event
from gigawatt.model.observation import Observation
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.reconcile.adopt import Found
from gigawatt.reconcile.halt import live
from gigawatt.reconcile.turn import Site
from gigawatt.scheduler.encode import Encoder
from gigawatt.scheduler.estimates import Estimates
from gigawatt.scheduler.policy import Policy
from gigawatt.service.ports import ReceiptRequest
from gigawatt.store.base import FencedError, Store, StoreFullError
from gigawatt.telemetry import metrics

T = TypeVar("T")

log = logging.getLogger(__name__)

PROGRESS_EVERY_S = 0.1  # progress alone does not start a cycle sooner than this
FULL_RETRY_S = 1.0
IDLE_S = 3600.0
SETTLE_S = (
    2.0  # for actions under way when the leader stops; the next leader asks again for what is left
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    holder: str  # who leads: for people, and to take over from itself after a crash
    instance: str
    site: Site
    cycles: Path
    policy: Policy
    lease_ms: int  # without a renewal, another holder may take the lead after so long


class Leader:
    """Start it, then it runs until `stop` or until it is deposed; `ended` tells which."""

    def __init__(self, *, store: Store, engine: Engine, config: Config) -> None:
        self._store = store
        self._engine = engine
        self.config = config
        self._inbox = Inbox()
        self._intake = Intake()
        self._quiet = asyncio.Event()
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._full = False
        self._recorder = Recorder(config.cycles)
        self.watchers = Watchers()
        self.gateway = GatewayLink(instance=config.instance)
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.state: cycle.State
        self.foresight: Foresight
        self.actuator: Actuator
        self.ready = False

    async def start(self, actuator: Actuator) -> None:
        """Take the lead, adopt what runs, commit the first cycle. Raises LedError, StaleEpochError."""
        self.actuator = actuator
        epoch = await asyncio.to_thread(
            self._store.lead,
            holder=self.config.holder,
            now_ms=now_ms(),
            lease_ms=self.config.lease_ms,
        )
        actuator.epoch = epoch
        world = await asyncio.to_thread(self._store.load_world, epoch=epoch)
        self.state = cycle.State(
            world=world,
            encoder=Encoder.of(world, plans=self.config.policy.plans),
            site=self.config.site,
            policy=self.config.policy,
        )
        self.foresight = Foresight(self.state, tell=self.observe)
        await self._engine.open(epoch=epoch)
        inventory = await self._engine.adopt()
        found = Found(
            nodes=tuple(report.id for report in inventory.nodes),
            attempts=inventory.attempts,
            observations=inventory.observations,
        )
        outcome = cycle.first(self.state, found, now_ms=now_ms())
        await self._conclude(outcome, [])
        self.gateway.update(world, (), first=True)
        self.ready = True
        beside = (self._observe_engine(), self._renew(), self._foresee())
        for coroutine in (self._loop(), *beside):
            self._tasks.append(asyncio.create_task(self._guard(coroutine)))

    async def stop(self) -> None:
        """Stop deciding; what runs goes on. The lease is let go."""
        self.ready = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._inbox.close()
        self.watchers.close()
        await self.actuator.settle(timeout_s=SETTLE_S)
        await self._recorder.close()
        await asyncio.to_thread(self._store.resign, epoch=self.epoch)

    async def halt(self, *, timeout_s: float) -> None:
        """Stop everything that runs, and wait for the ends, at most `timeout_s`."""
        self._intake.add(cycle.Halt())
        self._wake.set()
        try:
            async with asyncio.timeout(timeout_s):
                await self._quiet.wait()
        except TimeoutError:
            log.warning("some gangs have not ended in %.0f s", timeout_s)

    @property
    def epoch(self) -> int:
        return self.state.world.epoch

    async def submit(
        self, command: Command, *, receipt: ReceiptRequest | None, note: AuditNote | None = None
    ) -> Entity:
        """The object that a command made or changed, after the commit. Raises RefusalError."""
        if not self.ready:
            raise RefusalError(
                RefusalCode.UNAVAILABLE, "the control plane is not ready", hint="try again"
            )
        if self._full:
            raise RefusalError(
                RefusalCode.DISK_FULL,
                "the store has no room, so nothing can be taken in",
                hint="make room on the disk of the data directory",
            )
        answer = self._inbox.add(command, receipt, note)
        self._wake.set()
        return await asyncio.shield(answer)

    def observe(self, seen: Observation) -> None:
        """Take in an observation with the next cycle; progress alone lets it wait a little."""
        first = not self._intake
        self._intake.add(seen)
        if self._intake.presses:
            self._wake.set()
        elif first:
            asyncio.get_running_loop().call_later(PROGRESS_EVERY_S, self._wake.set)

    def subscribe(self) -> AsyncIterator[Event]:
        return self.watchers.subscribe()

    def depose(self) -> None:
        """Someone else leads: decide nothing more."""
        self._end("another leader has taken over")

    async def gateway_config(self, *, after: int, wait_s: float) -> dict[str, Any]:
        return await self.gateway.config(after=after, wait_s=wait_s)

    async def _loop(self) -> None:
        while True:
            await self._work()
            self._wake.clear()
            tickets = self._inbox.take()
            inputs = self._intake.take()
            remembered = (
                await self._patiently(partial(recall, self._store, tickets)) if tickets else {}
            )
            fresh = [ticket for ticket in tickets if ticket.number not in remembered]
            with metrics.CYCLE_SECONDS.time():
                outcome = cycle.run(self.state, [*asked(fresh), *inputs], now_ms=now_ms())
            for ticket in tickets:
                if ticket.number in remembered:
                    self._inbox.settle(ticket, remembered[ticket.number])
            await self._conclude(outcome, fresh)

    async def _conclude(self, outcome: cycle.Outcome, tickets: list[Ticket]) -> None:
        """Commit; then answer, tell watchers, and act."""
        for ticket in tickets:
            reply = outcome.replies[ticket.number]
            if not isinstance(reply, RefusalError):
                receipt = receipt_of(ticket, reply, now_ms=now_ms())
                if receipt is not None:
                    outcome.batch.receipts.append(receipt)
        events = await self._commit(outcome)
        for ticket in tickets:
            self._inbox.settle(ticket, outcome.replies[ticket.number])
        self.watchers.publish(events)
        self.gateway.update(self.state.world, outcome.batch.puts)
        for action in outcome.actions:
            self.actuator.carry_out(action)
        if self.state.halted and not live(self.state.world):
            self._quiet.set()
        if outcome.changed:
            self.foresight.changed()
        self._recorder.record(outcome.snapshot, self.state.policy, now_ms=now_ms())

    async def _commit(self, outcome: cycle.Outcome) -> tuple[Event, ...]:
        if outcome.batch.empty:
            return ()
        metrics.BATCH_SIZE.observe(len(outcome.batch.puts))

        def commit() -> tuple[Event, ...]:
            with metrics.COMMIT_SECONDS.time():
                return self._store.commit(outcome.batch, epoch=self.epoch, now_ms=now_ms())

        return await self._patiently(commit)

    async def _patiently(self, call: Callable[[], T]) -> T:
        """Ask the store, however long it has no room; meanwhile new writes are refused."""
        while True:
            try:
                answer = await asyncio.to_thread(call)
            except StoreFullError:
                if not self._full:
                    log.exception("the store has no room; writes wait until it has")
                self._full = True
                await asyncio.sleep(FULL_RETRY_S)
            else:
                self._full = False
                return answer

    async def _work(self) -> None:
        """Wait until there is something to do: an input, or a timer."""
        if not self._inbox.empty or self._intake.presses:
            return
        next_ms = self.state.timers.next_ms
        wait_s = IDLE_S if next_ms is None else max(next_ms - now_ms(), 0) / 1000
        try:
            async with asyncio.timeout(wait_s):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _observe_engine(self) -> None:
        async for seen in self._engine.observe():
            self.observe(seen)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self.config.lease_ms / 3000)
            try:
                await asyncio.to_thread(
                    self._store.renew,
                    epoch=self.epoch,
                    now_ms=now_ms(),
                    lease_ms=self.config.lease_ms,
                )
            except StoreFullError:
                log.warning("the lease was not renewed: the store has no room")

    async def _foresee(self) -> None:
        """Learn from what has ended before this leader and what the last one learned, then keep estimates up."""
        ended = await self._patiently(lambda: history(self._store))
        kept = await self._patiently(lambda: self._store.read(Calibration, CALIBRATION_ID))
        self.state.estimates = Estimates.of(self.state.world, ended, kept)
        self.foresight.changed()
        await self.foresight.run(self._keep)

    async def _keep(self, calibration: Calibration) -> None:
        batch = Batch(puts=[calibration])
        await self._patiently(lambda: self._store.commit(batch, epoch=self.epoch, now_ms=now_ms()))

    async def _guard(self, coroutine: Any) -> None:
        """A task of the leader that ends, ends the leader: it must not limp on."""
        try:
            await coroutine
        except FencedError:
            self.depose()
        except Exception as error:
            log.exception("the loop failed")
            self._end(f"the loop failed: {error!r}")
            raise

    def _end(self, why: str) -> None:
        self.ready = False
        self._inbox.close()
        if not self.ended.done():
            self.ended.set_result(why)
