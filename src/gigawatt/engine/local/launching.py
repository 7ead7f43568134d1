"""The two phases of a launch across a gang's nodes: staged everywhere, then started everywhere, or nothing."""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from gigawatt.engine.local.gang import Failure, Gang
from gigawatt.engine.local.link import LinkLostError, Message, RefusedError

STAGE_S = 50.0  # a node may have to copy a large bundle; less than a supervisor waits for the go
GO_S = 20.0

Part = Mapping[str, Any]  # a node's part of a launch, as its supervisor parses it


class Ask(Protocol):
    async def __call__(self, node: str, verb: str, **fields: Any) -> Message: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the nodes said, and the first failure in rank order, if any."""

    answers: dict[str, Message]
    failure: Failure | None


async def stage(
    ask: Ask, parts: Mapping[str, Part], secrets: dict[str, str], *, epoch: int
) -> Answers:
    """Have every node ready, or find that it has started already. Raises StaleEpochError."""
    said = await _gathered(
        {
            node: ask(node, "stage", timeout_s=STAGE_S, epoch=epoch, spec=part, secrets=secrets)
            for node, part in parts.items()
        }
    )
    states = {node: answer["state"] for node, answer in said.answers.items()}
    over = [node for node, state in states.items() if state in {"ended", "released"}]
    if said.failure is None and over and "staged" in states.values():
        why = "an earlier launch of it was cut short, and what had started has ended"
        return Answers(answers=said.answers, failure=Failure(reason=why, node=over[0]))
    if said.failure is None and "released" in states.values():
        why = "it has already ended"
        return Answers(answers=said.answers, failure=Failure(reason=why, node=over[0]))
    return said


async def go(ask: Ask, gang: Gang, nodes: list[str], *, epoch: int) -> Failure | None:
    """Start what was staged. Raises StaleEpochError."""
    fields = {"key": str(gang.key), "master_port": gang.master_port, "port": gang.port}
    said = await _gathered(
        {node: ask(node, "go", timeout_s=GO_S, epoch=epoch, **fields) for node in nodes}
    )
    return said.failure


def ports(answer: Message) -> tuple[int, int]:
    """Master port and replica port, as the node of rank 0 gave them; 0 where it has forgotten."""
    source = answer.get("view", answer)
    return source.get("master_port", 0), source.get("port", 0)


async def _gathered(calls: Mapping[str, Awaitable[Message]]) -> Answers:
    results = await asyncio.gather(*calls.values(), return_exceptions=True)
    answers: dict[str, Message] = {}
    failures: list[Failure] = []
    for node, result in zip(calls, results, strict=True):
        if isinstance(result, RefusedError):
            failures.append(Failure(reason=result.detail, node=node, user=result.code == "user"))
        elif isinstance(result, LinkLostError):
            failures.append(Failure(reason=str(result), node=node))
        elif isinstance(result, BaseException):
            raise result
        else:
            answers[node] = result
    return Answers(answers=answers, failure=failures[0] if failures else None)
