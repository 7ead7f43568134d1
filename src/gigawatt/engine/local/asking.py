"""Questions about a live rank, asked of its node's supervisor."""

import base64

from gigawatt.engine.base import ExecResult
from gigawatt.engine.local.attempts import Attempts
from gigawatt.engine.local.link import RefusedError
from gigawatt.model.launch import AttemptKey
from gigawatt.model.refusal import RefusalCode, RefusalError

PROBE_S = 30.0  # more than looking into a rank takes at most
EXEC_SPARE_S = 30.0  # for the end of a command after its time is up


async def probe(attempts: Attempts, key: AttemptKey, rank: int) -> str:
    """Its stacks. Raises UnknownAttemptError."""
    answer = await attempts.ask_rank(key, "probe", rank=rank, timeout_s=PROBE_S)
    return answer["text"]


async def execute(
    attempts: Attempts, key: AttemptKey, rank: int, command: tuple[str, ...], *, timeout_s: float
) -> ExecResult:
    """With at most 1 MiB of each stream. Raises UnknownAttemptError, RefusalError (invalid)."""
    try:
        answer = await attempts.ask_rank(
            key,
            "exec",
            rank=rank,
            command=command,
            seconds=timeout_s,
            timeout_s=timeout_s + EXEC_SPARE_S,
        )
    except RefusedError as error:
        raise RefusalError(RefusalCode.INVALID, error.detail, field="command") from error
    return ExecResult(
        exit_code=answer["exit_code"],
        stdout=base64.b64decode(answer["stdout"]),
        stderr=base64.b64decode(answer["stderr"]),
        dropped_bytes=answer.get("dropped_bytes", 0),
        overdue=answer.get("overdue", False),
    )
