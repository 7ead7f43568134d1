"""The model of machines behind the engine's contract: gangs run until the test ends them, and write what it says."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable

from gigawatt import clock
from gigawatt.engine.base import (
    Capabilities,
    ExecResult,
    Inventory,
    LogChunk,
    LogStream,
    UnknownAttemptError,
)
from gigawatt.engine.talk import Attachment, ByteStream, Command, WindowSize
from gigawatt.model.action import ReleaseAttempt, StartAttempt, StopAttempt
from gigawatt.model.checkpoint import Candidate, Finding
from gigawatt.model.gang import Isolation
from gigawatt.model.health import CheckResult
from gigawatt.model.launch import AttemptKey, Launch
from gigawatt.model.node import NodeReport, NodeState
from gigawatt.model.observation import Observation
from tests.machines import Machines


class MachineEngine:
    """Implements `Engine` on `machines`, in this process's time."""

    name = "machines"

    def __init__(self, machines: Machines) -> None:
        self.machines = machines
        self.logs: dict[tuple[str, int, LogStream], bytes] = defaultdict(bytes)
        self.ended_logs: set[tuple[str, int]] = set()
        self.isolation = frozenset({Isolation.PROCESS})
        self.shared = True  # nodes see what the control plane writes
        self.command: Callable[[tuple[str, ...]], Command | None] | None = None  # that one talks to
        self._told: asyncio.Queue[Observation] = asyncio.Queue()

    def capabilities(self) -> Capabilities:
        return Capabilities(
            environments=frozenset({"host", "uv"}),
            isolation=self.isolation,
            shared_filesystem=self.shared,
            node_lost_after_s=1.0,
            talks=self.command is not None,
        )

    async def open(self, *, epoch: int) -> None:
        self._epoch = epoch

    async def close(self) -> None:
        pass

    async def adopt(self) -> Inventory:
        self.machines.now_ms = clock.now_ms()
        found = self.machines.found()
        reports = self.machines.reports
        return Inventory(
            nodes=tuple(reports[node] for node in found.nodes),
            attempts=found.attempts,
            observations=found.observations,
        )

    async def observe(self) -> AsyncIterator[Observation]:
        while True:
            yield await self._told.get()

    async def nodes(self) -> tuple[NodeReport, ...]:
        return tuple(self.machines.reports.values())

    async def set_node(self, node: str, state: NodeState, reason: str) -> None:
        assert node in self.machines.reports, (state, reason)

    async def check(self, node: str, level: str) -> tuple[CheckResult, ...]:
        assert node in self.machines.reports, level
        return ()

    async def prepare(self, node: str, digests: tuple[str, ...]) -> None:
        assert node in self.machines.reports, digests

    async def launch(self, launch: Launch, *, epoch: int) -> None:
        self._tell(StartAttempt(launch=launch))

    async def stop(self, key: AttemptKey, *, grace_s: float, epoch: int) -> None:
        self._tell(StopAttempt(key=key, grace_s=int(grace_s)))

    async def release(self, key: AttemptKey, *, epoch: int) -> None:
        self._tell(ReleaseAttempt(key=key))

    async def notify(self, key: AttemptKey, *, checkpoint_by_ms: int) -> None:
        pass

    async def check_checkpoint(self, candidate: Candidate, *, contents: bool) -> Finding:
        path = candidate.checkpoint.path
        digest = f"sha256:{len(path):064x}" if contents else ""
        return Finding(path=path, fault=self.machines.broken.get(path, ""), digest=digest)

    async def remove_checkpoints(self, within: str, paths: tuple[str, ...]) -> tuple[Finding, ...]:
        self.machines.removed += paths
        return tuple(Finding(path=path) for path in paths)

    async def fetch(self, path: str) -> None:
        """What ranks write is on this machine already."""

    async def probe(self, key: AttemptKey, rank: int) -> str:
        raise UnknownAttemptError

    async def exec(
        self, key: AttemptKey, rank: int, command: tuple[str, ...], *, timeout_s: float = 60.0
    ) -> ExecResult:
        raise UnknownAttemptError

    async def run(
        self, key: AttemptKey, rank: int, command: tuple[str, ...], *, window: WindowSize | None
    ) -> Command:
        found = self.command(command) if self.command else None
        assert found is not None, "a command that fails as nothing should"
        return found

    async def attach(self, key: AttemptKey, rank: int) -> Attachment:
        raise UnknownAttemptError

    async def connect(self, key: AttemptKey, rank: int, port: int) -> ByteStream:
        raise UnknownAttemptError

    async def read_log(
        self, key: AttemptKey, rank: int, stream: LogStream, *, offset: int, limit: int
    ) -> LogChunk:
        if str(key) not in {name for name, _, _ in self.logs}:
            raise UnknownAttemptError
        whole = self.logs[str(key), rank, stream]
        start = max(len(whole) + offset, 0) if offset < 0 else min(offset, len(whole))
        data = whole[start : start + limit]
        at_end = start + len(data) == len(whole)
        return LogChunk(offset=start, data=data, end=at_end and (str(key), rank) in self.ended_logs)

    async def find_log(
        self, key: AttemptKey, rank: int, stream: LogStream, *, since_ms: int
    ) -> int:
        assert since_ms >= 0, (key, rank, stream)
        return 0  # it does not keep when lines came

    def write(self, key: AttemptKey, data: bytes, *, rank: int = 0) -> None:
        """A rank writes to its stdout."""
        self.logs[str(key), rank, "stdout"] += data

    def exit(self, key: AttemptKey, *, code: int = 0, rank: int = 0) -> None:
        """A rank ends by itself."""
        self.ended_logs.add((str(key), rank))
        self.machines.now_ms = clock.now_ms()
        self.machines.exit(key, rank, code=code)
        self._pass_on()

    def tell(self, *seen: Observation) -> None:
        """Have something observed."""
        self.machines.told.extend(seen)
        self._pass_on()

    def _tell(self, action: StartAttempt | StopAttempt | ReleaseAttempt) -> None:
        self.machines.now_ms = clock.now_ms()
        self.machines.carry_out(action)
        self._pass_on()

    def _pass_on(self) -> None:
        for seen in self.machines.told:
            self._told.put_nowait(seen)
        self.machines.told.clear()
