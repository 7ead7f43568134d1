"""Nodes that are lost and come back by an operator's own commands."""

import asyncio

from gigawatt.engine.conformance.bench import Bench, Fault
from gigawatt.engine.conformance.report import CaseFailedError

COMMAND_S = 60.0


def by_command(command: str) -> Fault:
    """A shell's command, run here. The case fails where the command does."""

    async def fault(_bench: Bench, _node: str) -> None:
        process = await asyncio.create_subprocess_shell(
            command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL
        )
        try:
            async with asyncio.timeout(COMMAND_S):
                code = await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise CaseFailedError(f"{command!r} did not end in {COMMAND_S:g} s") from None
        if code:
            raise CaseFailedError(f"{command!r} ended with {code}")

    return fault
