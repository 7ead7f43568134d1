"""What engines have in common whose ranks have a supervisor beside them: all that is asked of it by attempt."""

import asyncio
from contextlib import AbstractContextManager, nullcontext

from gigawatt.engine import checkpoints
from gigawatt.engine.base import EXEC_S, ExecResult
from gigawatt.engine.local import asking
from gigawatt.engine.local.attempts import Attempts
from gigawatt.model.checkpoint import Candidate, Finding
from gigawatt.model.launch import AttemptKey


class Supervised:
    """An engine makes its `_attempts`. Checkpoints are on a file system that is shared."""

    _attempts: Attempts

    def __init__(self) -> None:
        self._reading = asyncio.Lock()

    async def notify(self, key: AttemptKey, *, checkpoint_by_ms: int) -> None:
        await self._attempts.notify(key, by_ms=checkpoint_by_ms)

    async def check_checkpoint(self, candidate: Candidate, *, contents: bool) -> Finding:
        def look() -> Finding:
            with self._owned(candidate.within):
                return checkpoints.look_again(candidate, contents=contents)

        async with self._reading if contents else nullcontext():  # whole ones one at a time
            return await asyncio.to_thread(look)

    async def remove_checkpoints(self, within: str, paths: tuple[str, ...]) -> tuple[Finding, ...]:
        def remove() -> tuple[Finding, ...]:
            with self._owned(within):
                return tuple(checkpoints.remove(within, path) for path in paths)

        return await asyncio.to_thread(remove)

    async def probe(self, key: AttemptKey, rank: int) -> str:
        return await asking.probe(self._attempts, key, rank)

    async def exec(
        self, key: AttemptKey, rank: int, command: tuple[str, ...], *, timeout_s: float = EXEC_S
    ) -> ExecResult:
        """With at most 1 MiB of each stream. Raises also RefusalError (invalid)."""
        return await asking.execute(self._attempts, key, rank, command, timeout_s=timeout_s)

    def _owned(self, directory: str) -> AbstractContextManager[None]:
        """What is done to files there meanwhile is done as whose they are."""
        return nullcontext()
