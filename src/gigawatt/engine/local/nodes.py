"""The nodes of an instance, each with a supervisor for itself, and the ways to speak to those."""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gigawatt.engine.local.keeper import Hooks, Keeper, LocalAccess, Site
from gigawatt.engine.local.link import LinkLostError, Message, RefusedError
from gigawatt.engine.local.machine import Machine, NodeSpec
from gigawatt.engine.local.translate import node_report
from gigawatt.model.node import NodeReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Answers by node, and the nodes that could not be told."""

    answers: dict[str, Message]
    unreached: tuple[str, ...]


async def told(asked: Mapping[str, Awaitable[Message]]) -> Told:
    """What nodes answer; what one refuses is no answer of it. Raises StaleEpochError."""
    results = await asyncio.gather(*asked.values(), return_exceptions=True)
    answers: dict[str, Message] = {}
    unreached: list[str] = []
    for node, result in zip(asked, results, strict=True):
        if isinstance(result, LinkLostError | RefusedError):
            unreached.append(node)
        elif isinstance(result, BaseException):
            raise result
        else:
            answers[node] = result
    return Told(answers=answers, unreached=tuple(unreached))


class Keepers:
    """One for each node that there is. Implements `Supervisors` for attempts."""

    def __init__(self) -> None:
        self.specs: dict[str, NodeSpec] = {}
        self._keepers: dict[str, Keeper] = {}

    @property
    def up(self) -> list[str]:
        return [node for node, keeper in self._keepers.items() if keeper.up]

    async def open(self, epoch: int) -> None:
        """Raises StaleEpochError if any supervisor knows a later leader."""
        results = await asyncio.gather(
            *(keeper.open(epoch) for keeper in self._keepers.values()), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException):
                await self.close()
                raise result

    async def close(self) -> None:
        await asyncio.gather(*(keeper.close() for keeper in self._keepers.values()))

    async def shut_down(self, grace_s: float) -> None:
        await asyncio.gather(*(keeper.shut_down(grace_s) for keeper in self._keepers.values()))

    def pid(self, node: str) -> int:
        """Of its supervisor."""
        return self._keepers[node].pid

    async def ask(self, node: str, verb: str, **fields: Any) -> Message:
        """Raises LinkLostError, RefusedError or StaleEpochError."""
        return await self._keepers[node].ask(verb, **fields)

    async def tell(self, nodes: Iterable[str], verb: str, **fields: Any) -> Told:
        """Tell every one of them that is ours; what one refuses is no answer of it. Raises StaleEpochError."""
        names = [node for node in nodes if node in self.specs]
        return await told({node: self.ask(node, verb, **fields) for node in names})

    def _add(self, spec: NodeSpec, keeper: Keeper) -> None:
        self.specs[spec.id] = spec
        self._keepers[spec.id] = keeper


class Nodes(Keepers):
    """Virtual nodes of this machine."""

    def __init__(
        self, specs: tuple[NodeSpec, ...], machine: Machine, site: Site, hooks: Hooks
    ) -> None:
        super().__init__()
        self._machine = machine
        for spec in specs:
            self._add(spec, Keeper(spec.id, LocalAccess(site, spec.id), hooks))

    def report(self, node: str) -> NodeReport:
        return node_report(self.specs[node], self._machine, limits=self._keepers[node].limits)
