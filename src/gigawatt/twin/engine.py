"""The twin's machines behind the engine's contract: what a control plane would find, with no program anywhere.

Ranks go by courses, so there is nothing to read, to talk to or to look into; all of that is refused.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import NoReturn

from gigawatt.engine.base import (
    EXEC_S,
    Capabilities,
    ExecResult,
    Inventory,
    LogChunk,
    LogStream,
    StaleEpochError,
    UnknownAttemptError,
)
from gigawatt.engine.talk import Attachment, ByteStream, Command, WindowSize
from gigawatt.model.action import (
    Action,
    NotifyAttempt,
    ReleaseAttempt,
    SetNode,
    StartAttempt,
    StopAttempt,
)
from gigawatt.model.checkpoint import Candidate, Finding
from gigawatt.model.health import CheckResult
from gigawatt.model.launch import AttemptKey, Launch
from gigawatt.model.node import NodeReport, NodeState
from gigawatt.model.observation import NodeSeen, Observation
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.twin.floor import Floor
from gigawatt.twin.happenings import Event

CALL_S = 0.01  # until a call reaches the machines
NOTICED_S = 1.0
NO_PROGRAMS = "the twin's ranks are no programs"


class TwinEngine:
    """Implements `Engine` on a floor, in the time of `now_ms`, which passes while asyncio sleeps."""

    name = "twin"

    def __init__(self, floor: Floor, now_ms: Callable[[], int]) -> None:
        self.floor = floor
        self._now_ms = now_ms
        self._told: asyncio.Queue[Observation] = asyncio.Queue()
        self._more = asyncio.Event()
        self._heard = asyncio.Event()
        self._heard.set()
        self._passing: asyncio.Task[None] | None = None

    def capabilities(self) -> Capabilities:
        return Capabilities(
            environments=frozenset(),
            isolation=frozenset(),
            shared_filesystem=False,
            node_lost_after_s=NOTICED_S,
            programs=False,
        )

    async def open(self, *, epoch: int) -> None:
        self._lead(epoch)

    async def close(self) -> None:
        if self._passing is not None:
            self._passing.cancel()
            await asyncio.gather(self._passing, return_exceptions=True)
            self._passing = None

    async def adopt(self) -> Inventory:
        self.floor.passed(self._now_ms())
        seen = [NodeSeen(at_ms=self._now_ms(), report=report) for report in self.floor.nodes]
        self._passing = asyncio.create_task(self._pass())
        return Inventory(
            nodes=self.floor.nodes,
            attempts=self.floor.attempts,
            observations=(*seen, *self.floor.retold),
        )

    async def observe(self) -> AsyncIterator[Observation]:
        while True:
            seen = await self._told.get()
            await self._heard.wait()
            yield seen

    async def nodes(self) -> tuple[NodeReport, ...]:
        return self.floor.nodes

    async def set_node(self, node: str, state: NodeState, reason: str) -> None:
        await self._reach()
        self._known(node)
        self._carry_out(SetNode(node=node, state=state, reason=reason))

    async def prepare(self, node: str, digests: tuple[str, ...]) -> None:
        """There is nothing to have."""
        self._known(node)

    async def check(self, node: str, level: str) -> tuple[CheckResult, ...]:
        self._known(node)
        raise RefusalError(RefusalCode.UNSUPPORTED, f"the twin has no {level} checks of nodes")

    async def launch(self, launch: Launch, *, epoch: int) -> None:
        self._lead(epoch)
        await self._reach()
        self._carry_out(StartAttempt(launch=launch))

    async def stop(self, key: AttemptKey, *, grace_s: float, epoch: int) -> None:
        self._lead(epoch)
        await self._reach()
        self._carry_out(StopAttempt(key=key, grace_s=grace_s))

    async def release(self, key: AttemptKey, *, epoch: int) -> None:
        self._lead(epoch)
        await self._reach()
        self._carry_out(ReleaseAttempt(key=key))

    async def notify(self, key: AttemptKey, *, checkpoint_by_ms: int) -> None:
        await self._reach()
        self._carry_out(NotifyAttempt(key=key, checkpoint_by_ms=checkpoint_by_ms))

    async def check_checkpoint(self, candidate: Candidate, *, contents: bool) -> Finding:
        return Finding(path=candidate.checkpoint.path)

    async def remove_checkpoints(self, within: str, paths: tuple[str, ...]) -> tuple[Finding, ...]:
        return tuple(Finding(path=path) for path in paths)

    async def fetch(self, path: str) -> None:
        """It is nowhere."""

    async def probe(self, key: AttemptKey, rank: int) -> str:
        raise UnknownAttemptError(NO_PROGRAMS)

    async def exec(
        self, key: AttemptKey, rank: int, command: tuple[str, ...], *, timeout_s: float = EXEC_S
    ) -> ExecResult:
        raise UnknownAttemptError(NO_PROGRAMS)

    async def run(
        self, key: AttemptKey, rank: int, command: tuple[str, ...], *, window: WindowSize | None
    ) -> Command:
        _no_talk()

    async def attach(self, key: AttemptKey, rank: int) -> Attachment:
        _no_talk()

    async def connect(self, key: AttemptKey, rank: int, port: int) -> ByteStream:
        _no_talk()

    async def read_log(
        self, key: AttemptKey, rank: int, stream: LogStream, *, offset: int, limit: int
    ) -> LogChunk:
        raise UnknownAttemptError(NO_PROGRAMS)

    async def find_log(
        self, key: AttemptKey, rank: int, stream: LogStream, *, since_ms: int
    ) -> int:
        raise UnknownAttemptError(NO_PROGRAMS)

    def happen(self, event: Event) -> None:
        """Have something happen to the machines now."""
        self.floor.happen(event, at_ms=self._now_ms())
        self._more.set()

    def silence(self, *, silent: bool) -> None:
        """Whether the machines neither hear nor are heard; they go on."""
        (self._heard.clear if silent else self._heard.set)()

    def _lead(self, epoch: int) -> None:
        if not self.floor.led_by(epoch):
            raise StaleEpochError(f"epoch {epoch} is over, {self.floor.epoch} leads")

    def _known(self, node: str) -> None:
        if node not in self.floor.reports:
            raise RefusalError(RefusalCode.NOT_FOUND, f"there is no node {node}")

    async def _reach(self) -> None:
        await asyncio.sleep(CALL_S)
        await self._heard.wait()

    def _carry_out(self, action: Action) -> None:
        now_ms = self._now_ms()
        self._tell(self.floor.passed(now_ms))
        self._tell(self.floor.carry_out(action, now_ms=now_ms))
        self._more.set()

    async def _pass(self) -> None:
        """Tell what happens, when it does."""
        while True:
            self._more.clear()
            self._tell(self.floor.passed(self._now_ms()))
            next_ms = self.floor.next_ms
            left_s = None if next_ms is None else (next_ms - self._now_ms()) / 1000
            try:
                async with asyncio.timeout(left_s):
                    await self._more.wait()
            except TimeoutError:
                continue

    def _tell(self, seen: list[Observation]) -> None:
        for each in seen:
            self._told.put_nowait(each)


def _no_talk() -> NoReturn:
    raise RefusalError(RefusalCode.UNSUPPORTED, NO_PROGRAMS)
