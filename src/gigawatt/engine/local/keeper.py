"""Keeps one node's supervisor running and reachable: started where there is none, found again where it was lost."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from gigawatt.clock import monotonic_s, now_ms
from gigawatt.engine.base import StaleEpochError
from gigawatt.engine.local.files import nodes_dir, socket_of
from gigawatt.engine.local.link import Link, LinkLostError, Message, RefusedError
from gigawatt.engine.local.spawn import SupervisorError, reap, start_supervisor
from gigawatt.engine.supervisor.wire import PROTOCOL

log = logging.getLogger(__name__)

PING_EVERY_S = 5.0
HUNG_AFTER_S = 10.0  # one that ends is noticed at once; one that hangs, after this
HELLO_S = 5.0
OPEN_S = 1.0  # for a node that is just being lost or coming up to be found; later it comes as one that is back
RETRY_S = (
    0.0,
    0.2,
    0.5,
    1.0,
    2.0,
    5.0,
)  # between tries to bring a supervisor back; the last repeats


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What every supervisor of an instance is started with."""

    data: Path
    instance: str
    orphan_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What the engine is told, by node: an event, that it was lost and why, that it is back and what it has."""

    event: Callable[[str, Message], None]
    lost: Callable[[str, str], None]
    back: Callable[[str, Message], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """How often a supervisor is asked whether it lives, and how long it has to answer."""

    every_s: float = PING_EVERY_S
    hung_after_s: float = HUNG_AFTER_S


class Access(Protocol):
    """The way to one supervisor."""

    async def reach(self, link: Link) -> None:
        """Connect. Raises OSError, LinkLostError, RefusedError, SupervisorError."""
        ...

    def ended(self) -> None:
        """It has ended because it was told to."""
        ...


class LocalAccess:
    """By its socket; one that is not there is started."""

    def __init__(self, site: Site, node: str) -> None:
        self._site = site
        self._node = node
        self._dir = nodes_dir(site.data) / node
        self._spawned = 0

    async def reach(self, link: Link) -> None:
        """Raises OSError, SupervisorError."""
        try:
            await link.connect(socket_of(self._dir))
        except (FileNotFoundError, ConnectionRefusedError):
            await self._start()
            await link.connect(socket_of(self._dir))

    def ended(self) -> None:
        """Take its exit status."""
        if self._spawned:
            reap(self._spawned)

    async def _start(self) -> None:
        self.ended()
        self._spawned = await start_supervisor(
            self._dir,
            node=self._node,
            instance=self._site.instance,
            log=self._site.data / "logs" / f"supervisor-{self._node}.log",
            orphan_s=self._site.orphan_s,
        )


class Keeper:
    def __init__(self, node: str, access: Access, hooks: Hooks, pulse: Pulse | None = None) -> None:
        self.node = node
        self.limits = "none"
        self.pid = 0  # of the supervisor
        self._access = access
        self._hooks = hooks
        self._pulse = pulse or Pulse()
        self._epoch = 0
        self._link: Link | None = None
        self._why_lost = ""
        self._down = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def up(self) -> bool:
        return self._link is not None and not self._down.is_set()

    async def open(self, epoch: int) -> None:
        """Reach the supervisor, starting it if there is none, and keep it so.

        Raises StaleEpochError; what is wrong with the node is tried again, and meanwhile it is not up.
        """
        self._epoch = epoch
        begun_s = monotonic_s()
        for delay_s in RETRY_S:
            await asyncio.sleep(delay_s)
            try:
                await self._connect()
                break
            except (OSError, LinkLostError, RefusedError, SupervisorError) as error:
                self._lost(str(error))
                if monotonic_s() - begun_s >= OPEN_S:
                    log.warning("node %s is not up: %s", self.node, error)
                    break
        self._task = asyncio.create_task(self._keep(told=self._down.is_set()))

    def join(self, epoch: int) -> None:
        """As `open`, without waiting: it is told as one that is back."""
        self._epoch = epoch
        self._lost("it is new")
        self._task = asyncio.create_task(self._keep(told=True))

    async def close(self) -> None:
        """Let go of it; it stays."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._link is not None:
            await self._link.close()
            self._link = None

    async def shut_down(self, grace_s: float) -> None:
        """End its gangs and the supervisor itself; returns when it has ended, or does not answer."""
        if self._task is not None:
            self._task.cancel()
        if self._link is None or not self.up:
            return
        try:
            await self._link.ask("shutdown", grace_s=grace_s)
            async with asyncio.timeout(grace_s + HUNG_AFTER_S):
                await self._down.wait()
        except (LinkLostError, RefusedError, TimeoutError) as error:
            log.warning("the supervisor of %s did not end: %s", self.node, error)
        self._access.ended()

    async def ask(self, verb: str, **fields: Any) -> Message:
        """Raises LinkLostError, RefusedError or StaleEpochError."""
        if self._link is None or self._down.is_set():
            raise LinkLostError(f"node {self.node} does not answer: {self._why_lost}")
        return await self._link.ask(verb, **fields)

    async def _connect(self) -> None:
        link = Link(
            lambda event: self._hooks.event(self.node, event),
            lambda why: self._link_lost(link, why),
        )
        try:
            await self._access.reach(link)
            facts = await link.ask("hello", epoch=self._epoch, now_ms=now_ms(), timeout_s=HELLO_S)
            _check_protocol(self.node, facts["protocol"])
            _check_alive(link)
        except BaseException:
            await link.close()
            raise
        self._link = link
        self._down.clear()
        self.limits, self.pid = facts["limits"], facts["pid"]

    def _link_lost(self, link: Link, why: str) -> None:
        """An older connection's end is no news."""
        if link is self._link:
            self._lost(why)

    def _lost(self, why: str) -> None:
        self._why_lost = why
        self._down.set()

    async def _keep(self, *, told: bool) -> None:
        """Ping it while it is up; tell when it is lost; bring it back."""
        while True:
            await self._watch()
            if not told:
                self._hooks.lost(self.node, self._why_lost)
            if not await self._bring_back():
                return
            told = False

    async def _watch(self) -> None:
        while not self._down.is_set():
            try:
                async with asyncio.timeout(self._pulse.every_s):
                    await self._down.wait()
            except TimeoutError:
                await self._ping()

    async def _ping(self) -> None:
        try:
            await self.ask("ping", now_ms=now_ms(), timeout_s=self._pulse.hung_after_s)
        except LinkLostError as error:
            if self._link is not None:
                self._link.lose(str(error))
            self._lost(str(error))

    async def _bring_back(self) -> bool:
        """False if a later leader has it."""
        tries = 0
        while True:
            await asyncio.sleep(RETRY_S[min(tries, len(RETRY_S) - 1)])
            tries += 1
            try:
                if self._link is not None:
                    await self._link.close()
                    self._link = None
                await self._connect()
                self._hooks.back(self.node, await self.ask("inventory"))
            except StaleEpochError:
                log.warning("node %s follows a later leader", self.node)
                return False
            except (OSError, LinkLostError, RefusedError, SupervisorError) as error:
                if tries <= len(RETRY_S):
                    log.warning("node %s is not back: %s", self.node, error)
                self._down.set()
                continue
            return True


def _check_alive(link: Link) -> None:
    """It may have been lost between its answer and now, when nobody heeded that yet."""
    if link.over:
        raise LinkLostError("its supervisor ended at once")


def _check_protocol(node: str, spoken: int) -> None:
    if spoken != PROTOCOL:
        raise SupervisorError(
            f"the supervisor of {node} is of another version (protocol {spoken}, not {PROTOCOL}): "
            "stop it with that version's gw down"
        )
