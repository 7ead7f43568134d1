"""What cases work with: an engine, everything that it told, and short ways to launch and to wait."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from gigawatt.engine.base import Engine, Inventory
from gigawatt.engine.conformance.report import CaseFailedError, UnsupportedError
from gigawatt.model.gang import GangKind, Isolation
from gigawatt.model.launch import AttemptKey, Launch, Placement
from gigawatt.model.observation import AttemptGone, LaunchFailed, Observation
from gigawatt.model.resources import Resources

EngineFactory = Callable[[], Engine]
Fault = Callable[["Bench", str], Awaitable[None]]
Seen = TypeVar("Seen", bound=Observation)

WAIT_S = 30.0
QUIET_S = 0.5  # for what must not come

LOG_BYTES = 1 << 20
HUGE_BYTES = 1_000_000_000  # of output, unless less is asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Ways to do a node harm, each given the bench and the node; without one, cases that need it are unsupported."""

    node: str = ""  # the one that may be lost; any of them if empty
    lose_node: Fault | None = None
    restore_node: Fault | None = None  # where a lost node does not come back by itself
    kill_supervisor: Fault | None = None
    silence: Fault | None = None  # what the engine asks does not answer
    speak: Fault | None = None  # and answers again


NO_FAULTS = Faults()


class Bench:
    def __init__(
        self,
        engine_factory: EngineFactory,
        *,
        faults: Faults,
        epoch: int,
        scratch: Path,
        tag: str,
        huge_bytes: int = HUGE_BYTES,
    ) -> None:
        self.engine = engine_factory()
        self.scratch = scratch
        self.epoch = epoch - 1
        self.nodes: tuple[str, ...] = ()
        self.seen: list[Observation] = []
        self.faults = faults
        self.huge_bytes = huge_bytes
        self._factory = engine_factory
        self._tag = tag
        self._case = ""
        self._count = 0
        self._reader: asyncio.Task[None] | None = None
        self._more = asyncio.Event()
        self._launched: dict[AttemptKey, Launch] = {}
        self._fresh = True

    async def start(self, case: str) -> Inventory:
        """Take the lead for one case."""
        self._case = case
        self._launched = {}
        return await self.restart()

    async def restart(self) -> Inventory:
        """Another control plane takes over: a new engine object with the next epoch. What was told starts anew."""
        await self._leave()
        if not self._fresh:
            self.engine = self._factory()
        self._fresh = False
        self.epoch += 1
        await self.engine.open(epoch=self.epoch)
        inventory = await self.engine.adopt()
        self.nodes = tuple(report.id for report in inventory.nodes)
        self.seen = list(inventory.observations)
        self._reader = asyncio.create_task(self._read())
        return inventory

    async def finish(self) -> None:
        """Stop and release what the case launched, and let go of the engine."""
        with contextlib.suppress(CaseFailedError):
            for key in self._launched:
                await self.engine.stop(key, grace_s=0, epoch=self.epoch)
                await self.wait(AttemptGone, LaunchFailed, key=key)
                await self.engine.release(key, epoch=self.epoch)
        await self._leave()

    @property
    def now_s(self) -> float:
        """Of the loop's own clock, which is virtual where the engine's is."""
        return asyncio.get_running_loop().time()

    @property
    def programs(self) -> bool:
        """Whether ranks are programs that run, write and leave traces."""
        return self.engine.capabilities().programs

    def needs_programs(self) -> None:
        """Raises UnsupportedError."""
        if not self.programs:
            raise UnsupportedError("ranks are no programs there: they start and end")

    def trace(self) -> Path | None:
        """A file for ranks to leave a trace in, where they can: what ran is then not only what was told."""
        return self.shared_directory() / "trace" if self.programs else None

    def build(
        self, *command: str, nodes: tuple[str, ...] = (), ranks_per_node: int = 1, **fields: Any
    ) -> Launch:
        """A launch of a new gang; on the first node if none are given."""
        self._count += 1
        where = nodes or self.nodes[:1]
        placements = [
            Placement(rank=index * ranks_per_node + local, node=node, local_rank=local)
            for index, node in enumerate(where)
            for local in range(ranks_per_node)
        ]
        values: dict[str, Any] = {
            "gang": f"conf-{self._tag}-{self._count}",
            "attempt": 1,
            "kind": GangKind.JOB,
            "name": self._case,
            "tenant": "conformance",
            "project": "conformance",
            "command": command,
            "env": (),
            "placements": tuple(placements),
            "per_rank": Resources(milli_cpu=100),
            "log_bytes_max": LOG_BYTES,
        }
        return Launch(**{**values, **fields})

    def key_of(self, launch: Launch) -> AttemptKey:
        return AttemptKey(gang=launch.gang, attempt=launch.attempt)

    async def launch(self, launch: Launch) -> AttemptKey:
        key = self.key_of(launch)
        self._launched[key] = launch
        await self.engine.launch(launch, epoch=self.epoch)
        return key

    async def run(self, *command: str, **fields: Any) -> AttemptKey:
        """Launch and wait for the end."""
        key = await self.launch(self.build(*command, **fields))
        await self.wait(AttemptGone, key=key)
        return key

    def rank_on(self, node: str) -> tuple[AttemptKey, int]:
        """One of this case's, the newest launched there."""
        for key, launch in reversed(self._launched.items()):
            for placed in launch.placements:
                if placed.node == node:
                    return key, placed.rank
        raise LookupError(f"nothing of this case was launched on {node}")

    def told(self, kind: type[Seen], key: AttemptKey) -> list[Seen]:
        return [seen for seen in self.seen if isinstance(seen, kind) and _key(seen) == key]

    async def wait(
        self,
        *kinds: type[Observation],
        key: AttemptKey | None = None,
        count: int = 1,
        within_s: float = WAIT_S,
        since: int = 0,
    ) -> Any:
        """The `count`th observation of one of these kinds, told or yet to come, from index `since` on."""
        deadline_s = self.now_s + within_s
        while True:
            found = [
                seen
                for seen in self.seen[since:]
                if isinstance(seen, kinds) and (key is None or _key(seen) == key)
            ]
            if len(found) >= count:
                return found[count - 1]
            self._more.clear()
            try:
                async with asyncio.timeout(deadline_s - self.now_s):
                    await self._more.wait()
            except TimeoutError:
                names = " or ".join(kind.__name__ for kind in kinds)
                raise CaseFailedError(
                    f"no {names} of {key or 'anything'} in {within_s:g} s; seen: {self.seen[-5:]}"
                ) from None

    async def stays_quiet(self, kind: type[Observation], key: AttemptKey) -> None:
        """Nothing of this kind comes for a while."""
        before = len(self.told(kind, key))
        await asyncio.sleep(QUIET_S)
        check(len(self.told(kind, key)) == before, f"{kind.__name__} of {key} was told again")

    async def output(self, key: AttemptKey, rank: int = 0) -> str:
        """All of a rank's standard output, which must fit one chunk. Raises UnsupportedError."""
        self.needs_programs()
        chunk = await self.engine.read_log(key, rank, "stdout", offset=0, limit=LOG_BYTES)
        return chunk.data.decode()

    async def wait_for_output(self, key: AttemptKey, text: str, rank: int = 0) -> None:
        """Until a rank has written this."""
        deadline_s = self.now_s + WAIT_S
        while text not in await self.output(key, rank):
            check(self.now_s < deadline_s, f"rank {rank} of {key} never wrote {text!r}")
            await asyncio.sleep(0.01)

    def shared_directory(self) -> Path:
        """Where ranks and the suite both can write. Raises UnsupportedError."""
        self.needs_programs()
        if not self.engine.capabilities().shared_filesystem:
            raise UnsupportedError("the engine claims no shared file system")
        self._count += 1
        path = self.scratch / f"shared-{self._count}"
        path.mkdir()
        if Isolation.USER in self.engine.capabilities().isolation:
            self.scratch.chmod(0o711)
            path.chmod(0o1777)
        return path

    def two_nodes(self) -> tuple[str, str]:
        if len(self.nodes) < 2:
            raise UnsupportedError("it needs two nodes")
        return self.nodes[0], self.nodes[1]

    async def _read(self) -> None:
        async for seen in self.engine.observe():
            self.seen.append(seen)
            self._more.set()

    async def _leave(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
            self._reader = None
            await self.engine.close()


def check(holds: bool, otherwise: str) -> None:  # noqa: FBT001 - a condition and what its absence means
    if not holds:
        raise CaseFailedError(otherwise)


def _key(seen: Observation) -> AttemptKey | None:
    return getattr(seen, "key", None)
