"""Harm that can be done to any engine from where its control plane is, without touching what belongs to others."""

import contextlib

from gigawatt.engine.base import UnknownAttemptError
from gigawatt.engine.conformance.bench import Bench
from gigawatt.model.refusal import RefusalError

KILL_S = 10.0


async def kill_supervisor(bench: Bench, node: str) -> None:
    """Of a rank of this case on that node: what starts a command beside a rank is its supervisor."""
    key, rank = bench.rank_on(node)
    command = ("sh", "-c", "kill -KILL $PPID")
    with contextlib.suppress(UnknownAttemptError, RefusalError):  # nobody is left to answer
        await bench.engine.exec(key, rank, command, timeout_s=KILL_S)
