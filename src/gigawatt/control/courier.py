"""The courier: tells webhooks and mailboxes what happened. It reads the event log behind the leader, and never holds it up.

Each notification has a task that sleeps until an event of its kinds is committed. It puts a message on record in the
commit that moves its place in the log, sends it, and records how that went; so a crash in between sends it again, under
the same id. Messages of one notification go one after another.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TypeVar, cast

from gigawatt.clock import entropy, monotonic_s, now_ms
from gigawatt.control.leader import Leader
from gigawatt.control.postage import AGE_MAX_MS, Allowance, pause_ms
from gigawatt.model.array import JobArray
from gigawatt.model.event import Event
from gigawatt.model.job import Job
from gigawatt.model.notification import DELIVERIES_KEPT, Delivery, DeliveryPhase, Notification
from gigawatt.model.order import AdvanceNotification, Order, RecordDelivery
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.service.answer import Answer
from gigawatt.service.messages import EVENTS_MAX, Told, concerns, lets_through, written
from gigawatt.service.post import sent
from gigawatt.service.services import Services
from gigawatt.store.base import EventQuery

AT_ONCE = 8  # messages on their way
READ_EVENTS = 500  # of the log at once
COUNTED_MAX = 10_000  # events of one message, those that it only counts among them
BEHIND_MAX = 1_000  # events that do not matter to a notification, before its place in the log is moved past them
AGAIN_S = 1.0  # after the leader took nothing in
FAULT_S = 5.0  # after a fault of ours

T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gathered:
    """What a notification is to tell of the log up to `seq`."""

    told: tuple[Told, ...]
    more: int
    seq: int


class Courier:
    """`run` it beside a leader that leads."""

    def __init__(self, services: Services, *, leader: Leader) -> None:
        self._services = services
        self._leader = leader
        self._store = services.store
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._news: dict[str, asyncio.Event] = {}
        self._places: dict[str, int] = {}
        self._few = asyncio.Semaphore(AT_ONCE)
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="courier-read")

    async def run(self) -> None:
        """Tell what happens, until cancelled or until the leader stops."""
        try:
            while self._leader.ready:
                news = cast("AsyncGenerator[Event]", self._leader.subscribe())
                async with aclosing(news) as events:
                    self._attend()
                    async for event in events:
                        self._note(event)
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)
            self._reader.shutdown(wait=False)
            await self._services.webhooks.close()
            if self._services.mail is not None:
                self._services.mail.close()

    def _attend(self) -> None:
        """A task for each notification, which looks at the log; none for what is gone."""
        there = self._leader.state.world.notifications
        for gone in self._tasks.keys() - there.keys():
            self._tasks.pop(gone).cancel()
            self._news.pop(gone)
            self._places.pop(gone)
        for notification in there.values():
            self._news.setdefault(notification.id, asyncio.Event()).set()
            self._places.setdefault(notification.id, notification.after_seq)
            if notification.id not in self._tasks:
                kept = asyncio.create_task(self._kept(notification.id))
                self._tasks[notification.id] = kept

    def _note(self, event: Event) -> None:
        if event.kind in {"notification.created", "notification.deleted"}:
            self._attend()
            return
        if event.kind == "notification.redelivered" and event.subject in self._news:
            self._news[event.subject].set()
            return
        for notification in self._leader.state.world.notifications.values():
            if concerns(notification, event) and notification.id in self._news:
                self._news[notification.id].set()

    async def _kept(self, id: str) -> None:
        """One notification's life. A fault of ours in it is told, and neither ends it nor touches the others."""
        allowance = Allowance()
        while id in self._leader.state.world.notifications:
            try:
                await self._step(id, allowance)
            except RefusalError as refusal:
                if refusal.code is not RefusalCode.NOT_FOUND:
                    log.warning("notification %s waits: %s", id, refusal.detail)
                    await asyncio.sleep(AGAIN_S)
            except Exception:
                log.exception("notification %s", id)
                await asyncio.sleep(FAULT_S)

    async def _step(self, id: str, allowance: Allowance) -> None:
        """Send what is on record, or put on record what the log has, or wait until it has something."""
        world = self._leader.state.world
        notification = world.notifications[id]
        pending = next(
            (each for each in world.deliveries.values() if each.notification == id), None
        )
        if pending is not None:
            await self._deliver(notification, pending)
            return
        news = self._news[id]
        news.clear()
        wait_s = allowance.wait_s(notification.per_minute, monotonic_s())
        if wait_s:
            await asyncio.sleep(wait_s)
        last = allowance.is_last(notification.per_minute, monotonic_s())
        gathered = await self._read(lambda: self._gather(notification, count_rest=last))
        if gathered.told:
            allowance.spend(notification.per_minute, monotonic_s())
            await self._put_on_record(notification, gathered)
        elif gathered.seq - notification.after_seq > BEHIND_MAX:
            await self._order(AdvanceNotification(id=id, after_seq=gathered.seq))
        else:
            await news.wait()

    async def _put_on_record(self, notification: Notification, gathered: _Gathered) -> None:
        message = f"{notification.id}-{gathered.seq}"
        body = written(notification, message, gathered.told, more=gathered.more)
        delivery = Delivery(
            id=f"{notification.id}/{notification.deliveries % DELIVERIES_KEPT}",
            tenant=notification.tenant,
            project=notification.project,
            notification=notification.id,
            message=message,
            body=body.decode(),
            events=len(gathered.told) + gathered.more,
            at_ms=now_ms(),
        )
        await self._order(
            AdvanceNotification(id=notification.id, after_seq=gathered.seq, delivery=delivery)
        )

    async def _deliver(self, notification: Notification, delivery: Delivery) -> None:
        await asyncio.sleep(max(delivery.next_ms - now_ms(), 0) / 1_000)
        async with self._few:
            answer = await sent(self._services, notification, delivery.message, delivery.body)
        after = tried(delivery, answer, at_ms=now_ms(), chance=entropy(1)[0] / 255)
        if after.phase is DeliveryPhase.DEAD:
            log.warning(
                "notification %s: gave up %s: %s", notification.name, after.message, after.error
            )
        await self._order(RecordDelivery(delivery=after))

    async def _order(self, order: Order) -> None:
        """Have it committed, however long the leader takes nothing in. Raises RefusalError where it is in vain."""
        while True:
            try:
                await self._leader.submit(order, receipt=None)
            except RefusalError as refusal:
                if refusal.code not in {RefusalCode.UNAVAILABLE, RefusalCode.DISK_FULL}:
                    raise
                await asyncio.sleep(AGAIN_S)
            else:
                return

    def _gather(self, notification: Notification, *, count_rest: bool) -> _Gathered:
        """Events that matter to it, as many as one message holds; with `count_rest`, more are counted. Blocks."""
        told: list[Told] = []
        more, seq = 0, max(notification.after_seq, self._places[notification.id])
        while len(told) + more < COUNTED_MAX:
            query = EventQuery(after_seq=seq, kinds=notification.kinds, limit=READ_EVENTS)
            page = self._store.events(query)
            for event in page:
                found = self._told(notification, event)
                if found is not None and len(told) == EVENTS_MAX and not count_rest:
                    return self._placed(notification, _Gathered(told=tuple(told), more=0, seq=seq))
                seq = event.seq
                if found is not None and len(told) < EVENTS_MAX:
                    told.append(found)
                elif found is not None:
                    more += 1
            if len(page) < READ_EVENTS:
                break
        return self._placed(notification, _Gathered(told=tuple(told), more=more, seq=seq))

    def _placed(self, notification: Notification, gathered: _Gathered) -> _Gathered:
        """What does not matter is not read twice; what does is, until it is on record."""
        if not gathered.told:
            self._places[notification.id] = gathered.seq
        return gathered

    def _told(self, notification: Notification, event: Event) -> Told | None:
        if not concerns(notification, event):
            return None
        kind = {"job": Job, "array": JobArray}.get(event.kind.partition(".")[0])
        told = Told(event=event, job=self._store.read(kind, event.subject) if kind else None)
        return told if lets_through(notification, told) else None

    async def _read(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._reader, call)


def tried(delivery: Delivery, answer: Answer, *, at_ms: int, chance: float) -> Delivery:
    """A delivery after one more try: arrived, given up, or to be tried again. `chance` is from 0 to 1."""
    after = replace(
        delivery, tries=delivery.tries + 1, status=answer.status, error=answer.error, next_ms=0
    )
    if answer.arrived:
        return replace(after, phase=DeliveryPhase.DELIVERED, body="")
    next_ms = at_ms + pause_ms(after.tries, chance)
    if answer.final or next_ms - max(delivery.at_ms, delivery.again_ms) > AGE_MAX_MS:
        return replace(after, phase=DeliveryPhase.DEAD)
    return replace(after, next_ms=next_ms)
