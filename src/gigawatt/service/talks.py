"""Verbs that talk to what runs: commands beside ranks, ranks themselves, and ports of their hosts."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from gigawatt.engine.base import LogStream, UnknownAttemptError
from gigawatt.engine.talk import Attachment, ByteStream, Command, Sink, WindowSize
from gigawatt.model.attempt import Attempt, RankStatus
from gigawatt.model.endpoint import Replica
from gigawatt.model.job import Job
from gigawatt.model.launch import AttemptKey
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller
from gigawatt.service.accesses import Access
from gigawatt.service.live_ranks import check_rank, live_rank
from gigawatt.service.lookup import find_endpoint, find_job, not_found
from gigawatt.service.permissions import verb
from gigawatt.service.services import Services
from gigawatt.spec.talk import COPY
from gigawatt.store.base import Query

POLL_MIN_S = 0.01
POLL_MAX_S = 0.25
POLL_GROWTH = 1.5
EXIT_S = 5.0  # for the exit of a rank whose output has ended to be known
REPLICAS_MAX = 200

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A rank of a job, or of an endpoint's replica (default: one that runs)."""

    job: str = ""
    endpoint: str = ""
    replica: str = ""
    rank: int = 0
    project: str = ""


@verb
async def run(
    caller: Caller,
    services: Services,
    target: Target,
    command: tuple[str, ...],
    window: WindowSize | None,
) -> Command:
    """Start a command beside a rank, with a terminal if it has a window. Raises RefusalError."""
    found = await _found(caller, services, target)
    copies = command[0] == COPY
    what = " ".join(command[1:3]) if copies else command[0].rpartition("/")[2]
    await found.note("copy" if copies else "exec", what)
    return await found.ask(services.engine.run(found.key, found.rank, command, window=window))


@verb
async def attach(caller: Caller, services: Services, target: Target) -> "Attached":
    """A rank itself: its output from now on, and its input if it has a terminal. Raises RefusalError."""
    found = await _found(caller, services, target)
    await found.note("attach", "its output" if target.job else f"replica {found.key.gang}")
    attachment = await found.ask(services.engine.attach(found.key, found.rank))
    return Attached(services, found.key, found.rank, attachment)


@verb
async def connect(caller: Caller, services: Services, target: Target, port: int) -> ByteStream:
    """A connection to a port of the host of a rank. Raises RefusalError."""
    found = await _found(caller, services, target)
    await found.note("port_forward", f"port {port}", again=False)
    return await found.ask(services.engine.connect(found.key, found.rank, port))


class Attached:
    """Output is followed in the rank's log; input goes to its terminal."""

    def __init__(
        self, services: Services, key: AttemptKey, rank: int, attachment: Attachment
    ) -> None:
        self.resize = attachment.resize
        self.signal = attachment.signal
        self._services = services
        self._key = key
        self._rank = rank
        self._attachment = attachment
        self._typed = asyncio.Event()
        self._logs: list[FollowedLog] = []

    @property
    def stdin(self) -> Sink | None:
        return None if self._attachment.stdin is None else self

    async def write(self, data: bytes) -> None:
        """Also look at the log at once: what is typed is echoed there."""
        assert self._attachment.stdin is not None
        await self._attachment.stdin.write(data)
        self._typed.set()

    async def end(self) -> None:
        """Whoever attached has nothing more to say; the rank goes on and may hear from others."""

    def output(self, stream: LogStream) -> "FollowedLog":
        log = FollowedLog(self._services, self._key, self._rank, stream, self._typed)
        self._logs.append(log)
        return log

    async def wait(self) -> int | None:
        """How it ended, once all of its output was read; None where that is not known."""
        for log in self._logs:
            await log.over.wait()
        loop = asyncio.get_running_loop()
        until_s = loop.time() + EXIT_S
        while loop.time() < until_s and not self._services.closing.is_set():
            status = await self._status()
            if status is not None and status.exited:
                return status.exit_code if status.signal is None else -status.signal
            await asyncio.sleep(POLL_MIN_S)
        return None

    async def _status(self) -> RankStatus | None:
        owner = self._services.leader.job(self._key.gang)
        if owner is None:
            owner = await self._services.read(self._on_record)
        attempts = owner.attempts if owner else ()
        found = next((each for each in attempts if each.n == self._key.attempt), None)
        return (
            next((each for each in found.ranks if each.rank == self._rank), None) if found else None
        )

    def _on_record(self) -> Job | Replica | None:
        store, gang = self._services.store, self._key.gang
        return store.read(Job, gang) or store.read(Replica, gang)

    async def close(self) -> None:
        await self._attachment.close()


class FollowedLog:
    """Implements `Source`: what a rank writes from the first read on, until it has exited."""

    def __init__(
        self,
        services: Services,
        key: AttemptKey,
        rank: int,
        stream: LogStream,
        typed: asyncio.Event,
    ) -> None:
        self._services = services
        self._of = (key, rank, stream)
        self.over = asyncio.Event()
        self._typed = typed
        self._offset: int | None = None

    async def read(self, limit: int) -> bytes:
        pause_s = POLL_MIN_S
        engine = self._services.engine
        while not self._services.closing.is_set():
            if self._offset is None:
                last = await engine.read_log(*self._of, offset=-1, limit=1)
                self._offset = last.offset + len(last.data)
            chunk = await engine.read_log(*self._of, offset=self._offset, limit=limit)
            self._offset = chunk.offset + len(chunk.data)
            if chunk.data:
                return chunk.data
            if chunk.end:
                break
            pause_s = POLL_MIN_S if await self._typing(pause_s) else pause_s * POLL_GROWTH
        self.over.set()
        return b""

    async def _typing(self, pause_s: float) -> bool:
        """Wait; whether something was typed meanwhile."""
        try:
            async with asyncio.timeout(min(pause_s, POLL_MAX_S)):
                await self._typed.wait()
        except TimeoutError:
            return False
        self._typed.clear()
        await asyncio.sleep(POLL_MIN_S)  # for it to be echoed
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    services: Services
    by: str
    key: AttemptKey
    rank: int
    gone: Callable[[], RefusalError]

    async def note(self, verb: str, what: str, *, again: bool = True) -> None:
        access = Access(
            by=self.by, gang=self.key.gang, rank=self.rank, verb=verb, what=what, again=again
        )
        await self.services.accesses.note(self.services.leader, access)

    async def ask(self, call: Awaitable[T]) -> T:
        """Raises RefusalError (conflict) where the rank has ended meanwhile."""
        try:
            return await call
        except UnknownAttemptError as error:
            raise self.gone() from error


async def _found(caller: Caller, services: Services, target: Target) -> _Found:
    if not services.engine.capabilities().talks:
        detail = f"the engine {services.engine.name} cannot talk to its ranks"
        raise RefusalError(RefusalCode.UNSUPPORTED, detail)
    if target.endpoint:
        name, (key, rank) = target.endpoint, await _of_endpoint(caller, services, target)
    else:
        job = await find_job(caller, services, target.job, target.project)
        key, status = live_rank(job, target.rank)
        name, rank = job.spec.name, status.rank

    def gone() -> RefusalError:
        return RefusalError(
            RefusalCode.CONFLICT, f"rank {target.rank} of {name} does not run", field="rank"
        )

    return _Found(services=services, by=caller.name, key=key, rank=rank, gone=gone)


async def _of_endpoint(
    caller: Caller, services: Services, target: Target
) -> tuple[AttemptKey, int]:
    endpoint = await find_endpoint(caller, services, target.endpoint, target.project)
    query = Query(parent=endpoint.id, limit=REPLICAS_MAX)
    page = await services.read(lambda: services.store.page(Replica, query))
    named = [each for each in page.items if target.replica in {"", each.id}]
    if not named and target.replica:
        raise not_found("replica", target.replica)
    for replica in sorted(named, key=lambda each: (not each.ready, each.id)):
        attempt = replica.attempt
        if attempt is not None and _runs(attempt, target.rank):
            return AttemptKey(gang=replica.id, attempt=attempt.n), target.rank
        if attempt is not None and attempt.live:
            check_rank(len(attempt.ranks), target.rank)
    detail = f"no replica of endpoint {endpoint.spec.name} runs"
    raise RefusalError(RefusalCode.CONFLICT, detail, hint="a request to it starts one")


def _runs(attempt: Attempt, number: int) -> bool:
    return any(
        rank.rank == number and rank.pid is not None and not rank.exited for rank in attempt.ranks
    )
