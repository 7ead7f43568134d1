"""What ranks wrote, in bytes or in lines: as much as there is, or followed until it ends."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace

from gigawatt.engine.base import LogChunk, LogStream, UnknownAttemptError
from gigawatt.model.attempt import Attempt
from gigawatt.model.endpoint import Replica
from gigawatt.model.job import Job
from gigawatt.model.launch import AttemptKey
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller
from gigawatt.model.work import Work
from gigawatt.model.workspace import Workspace
from gigawatt.service.lines import LogLine, LogLines
from gigawatt.service.live_ranks import check_rank
from gigawatt.service.lookup import (
    attempt_of,
    find_endpoint,
    find_job,
    find_workspace,
    not_found,
)
from gigawatt.service.patterns import Pattern
from gigawatt.service.permissions import verb
from gigawatt.service.services import Services
from gigawatt.service.streams import pause
from gigawatt.store.base import Query

CHUNK_BYTES = 262_144
POLL_MIN_S = 0.02
POLL_MAX_S = 0.25
POLL_GROWTH = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRange:
    """Which output, and from where. A negative `offset` counts from the end; no `attempt` is the newest."""

    attempt: int | None = None
    rank: int = 0
    stream: LogStream = "stdout"
    offset: int = 0
    follow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LineRange:
    """Which lines of an output: where `grep` is found (all, if it is empty), come at `since_ms` or later (0 for any)."""

    output: LogRange
    grep: str = ""
    since_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LogBytes:
    """`offset` is where the bytes begin, `attempt` whose they are; followed without an attempt named, later ones'
    come after them.
    """

    offset: int
    attempt: int
    chunks: AsyncIterator[bytes]


@verb
async def of_job(
    caller: Caller, services: Services, reference: str, wanted: LogRange, *, project: str = ""
) -> LogBytes:
    """A rank's output. Following a job that has not started waits for it. Raises RefusalError."""
    job = await find_job(caller, services, reference, project)
    attempt, reader = _of(services, job, wanted)
    return await reader.open(attempt)


@verb
async def lines(
    caller: Caller, services: Services, reference: str, wanted: LineRange, *, project: str = ""
) -> AsyncIterator[tuple[LogLine, ...]]:
    """Lines of a rank's output: those that a pattern is found in, of those that have come since a time. Empty tuples
    are signs of life. Raises RefusalError, also for a pattern that is not one or takes too long.
    """
    pattern = Pattern(wanted.grep) if wanted.grep else None
    job = await find_job(caller, services, reference, project)
    attempt, reader = _of(services, job, wanted.output)
    if attempt is not None and wanted.since_ms:
        start = await reader.find(attempt.n, wanted.since_ms)
        moved = replace(wanted.output, offset=max(start, wanted.output.offset))
        reader = replace(reader, wanted=moved)
    found = _matching(reader, attempt, pattern)
    first = await anext(
        found, None
    )  # what is wrong with the pattern is told before the answer begins
    return _after(first, found)


@verb
async def of_endpoint(
    caller: Caller, services: Services, reference: str, wanted: LogRange, *, replica: str = ""
) -> LogBytes:
    """The output of a replica, or of the newest one. Raises RefusalError."""
    endpoint = await find_endpoint(caller, services, reference)
    query = Query(parent=endpoint.id, limit=200)
    page = await services.read(lambda: services.store.page(Replica, query))
    chosen = [each for each in page.items if replica in {"", each.id} and each.attempts]
    if not chosen:
        if replica:
            raise not_found("replica", replica)
        detail = f"endpoint {endpoint.spec.name} has had no replica yet"
        raise RefusalError(RefusalCode.NOT_FOUND, detail, hint="a first request starts one")
    owner = chosen[0]
    check_rank(owner.shape.nodes_max * owner.shape.ranks_per_node, wanted.rank)

    async def newest() -> Replica | None:
        return await services.read(lambda: services.store.read(Replica, owner.id))

    reader = _Reader(services=services, wanted=wanted, gang=owner.id, newest=newest)
    return await reader.open(owner.attempts[-1])


@verb
async def of_workspace(
    caller: Caller, services: Services, reference: str, wanted: LogRange, *, project: str = ""
) -> LogBytes:
    """What a workspace's program wrote. Raises RefusalError."""
    workspace = await find_workspace(caller, services, reference, project)
    check_rank(1, wanted.rank)

    async def newest() -> Workspace | None:
        return await services.read(lambda: services.store.read(Workspace, workspace.id))

    kept = {each.n: each for each in workspace.attempts}
    attempt = workspace.attempt if wanted.attempt is None else kept.get(wanted.attempt)
    if attempt is None and wanted.attempt is not None:
        detail = f"workspace {workspace.spec.name} has no attempt {wanted.attempt} on record"
        raise RefusalError(RefusalCode.NOT_FOUND, detail, field="attempt")
    reader = _Reader(services=services, wanted=wanted, gang=workspace.id, newest=newest)
    return await reader.open(attempt)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    attempt: int
    chunk: LogChunk


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    services: Services
    wanted: LogRange
    gang: str
    newest: Callable[[], Awaitable[Work | None]]

    async def open(self, attempt: Attempt | None) -> LogBytes:
        """Read the first bytes, so that it is known where they begin."""
        first = await self._first(attempt)
        begin = first.offset if first else max(self.wanted.offset, 0)
        number = attempt.n if attempt else 0
        chunks = (each.chunk.data async for each in self._pieces(number, first) if each.chunk.data)
        return LogBytes(offset=begin, attempt=number, chunks=chunks)

    async def pieces(self, attempt: Attempt | None) -> AsyncIterator["_Piece"]:
        """The same with whose and where each is. The first comes at once, with nothing in it if nothing is there."""
        first = await self._first(attempt)
        number = attempt.n if attempt else 0
        if first is None or not first.data:
            begin = first.offset if first else max(self.wanted.offset, 0)
            yield _Piece(attempt=number, chunk=LogChunk(offset=begin, data=b"", end=False))
        async for piece in self._pieces(number, first):
            yield piece

    async def find(self, number: int, since_ms: int) -> int:
        """Where to begin for what has come since."""
        key = AttemptKey(gang=self.gang, attempt=number)
        try:
            return await self.services.engine.find_log(
                key, self.wanted.rank, self.wanted.stream, since_ms=since_ms
            )
        except UnknownAttemptError:
            return 0

    async def _first(self, attempt: Attempt | None) -> LogChunk | None:
        return await self._read(attempt.n, self.wanted.offset) if attempt else None

    async def _pieces(self, number: int, first: LogChunk | None) -> AsyncIterator["_Piece"]:
        offset, chunk, poll_s = max(self.wanted.offset, 0), first, POLL_MIN_S
        while True:
            if chunk is not None:
                offset = chunk.offset + len(chunk.data)
                if chunk.data:
                    poll_s = POLL_MIN_S
                    yield _Piece(attempt=number, chunk=chunk)
            nothing_more = chunk is None or not chunk.data
            if nothing_more and not self.wanted.follow:
                return
            if nothing_more:
                ended = number == 0 or chunk is None or chunk.end
                step = await self._next_attempt(number) if ended else number
                if step is None:
                    return
                if step != number:
                    number, offset = step, 0
                elif await pause(self.services, poll_s):
                    return
                poll_s = min(poll_s * POLL_GROWTH, POLL_MAX_S)
            chunk = await self._read(number, offset) if number else None

    async def _next_attempt(self, number: int) -> int | None:
        """The attempt to read on in: `number` while it may still write; None when there is nothing to come."""
        owner = await self.newest()
        attempt = owner.attempt if owner else None
        if owner is None or owner.ended_ms is not None:
            more = attempt is not None and attempt.n > number and self.wanted.attempt is None
            return attempt.n if more and attempt else None
        if attempt is None or (attempt.n == number and attempt.live):
            return number
        if self.wanted.attempt is not None:
            return None
        return attempt.n

    async def _read(self, number: int, offset: int) -> LogChunk | None:
        key = AttemptKey(gang=self.gang, attempt=number)
        try:
            return await self.services.engine.read_log(
                key, self.wanted.rank, self.wanted.stream, offset=offset, limit=CHUNK_BYTES
            )
        except UnknownAttemptError:
            return None  # it is placed and not launched yet, or its logs are gone


def _of(services: Services, job: Job, wanted: LogRange) -> tuple[Attempt | None, _Reader]:
    """A job's output. Raises RefusalError."""
    attempt = attempt_of(job, wanted.attempt)
    check_rank(job.spec.shape.nodes_max * job.spec.shape.ranks_per_node, wanted.rank)

    async def newest() -> Job | None:
        return await services.read(lambda: services.store.read(Job, job.id))

    return attempt, _Reader(services=services, wanted=wanted, gang=job.id, newest=newest)


async def _matching(
    reader: _Reader, attempt: Attempt | None, pattern: Pattern | None
) -> AsyncIterator[tuple[LogLine, ...]]:
    held = LogLines()
    async for piece in reader.pieces(attempt):
        lines = held.take(piece.attempt, piece.chunk.offset, piece.chunk.data)
        yield await _found(lines, pattern)
    yield await _found(held.rest(), pattern)


async def _found(lines: tuple[LogLine, ...], pattern: Pattern | None) -> tuple[LogLine, ...]:
    if pattern is None or not lines:
        return lines
    return await asyncio.to_thread(pattern.among, lines)


async def _after(
    first: tuple[LogLine, ...] | None, rest: AsyncIterator[tuple[LogLine, ...]]
) -> AsyncIterator[tuple[LogLine, ...]]:
    if first is not None:
        yield first
    async for each in rest:
        yield each
