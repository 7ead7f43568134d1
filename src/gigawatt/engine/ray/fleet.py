"""The nodes of a Ray cluster: each with our supervisor, which is reached by TCP whether Ray is there or not."""

import asyncio
from collections.abc import Callable

from gigawatt.engine.local.far_talks import Place
from gigawatt.engine.local.keeper import Hooks, Keeper, Pulse
from gigawatt.engine.local.link import Link
from gigawatt.engine.local.nodes import Keepers
from gigawatt.engine.ray.facts import Facts
from gigawatt.engine.ray.files import Files
from gigawatt.model.node import NodeReport

REACH_S = 2.0


class RayAccess:
    """To one supervisor, wherever its node was last told to be."""

    def __init__(self, facts: Facts, token: str) -> None:
        self.facts = facts
        self.token = token

    @property
    def place(self) -> Place:
        facts = self.facts
        return Place(node=facts.node, host=facts.host, port=facts.port, token=self.token)

    async def reach(self, link: Link) -> None:
        """Raises OSError, LinkLostError, RefusedError."""
        async with asyncio.timeout(REACH_S):
            ours = await link.dial(self.facts.host, self.facts.port, token=self.token)
            await link.ask("prove", mac=ours)

    def ended(self) -> None:
        """Nothing of it is ours."""


class Fleet(Keepers):
    """`hooks` are told as by any keeper; a node that Ray has for the first time is told as one that is back."""

    def __init__(
        self, files: Files, hooks: Hooks, pulse: Pulse, *, new: Callable[[str], None]
    ) -> None:
        super().__init__()
        self._files = files
        self._hooks = hooks
        self._pulse = pulse
        self._new = new
        self._accesses: dict[str, RayAccess] = {}
        self._epoch = 0
        self._opened = False

    async def open(self, epoch: int) -> None:
        """Reach those that were known before. Raises StaleEpochError."""
        self._epoch = epoch
        for facts in await asyncio.to_thread(self._files.nodes):
            self._meet(facts)
        await super().open(epoch)
        self._opened = True

    async def take(self, facts: Facts) -> None:
        """What a node is now: new, changed by a restart of Ray, or as before."""
        access = self._accesses.get(facts.node)
        if access is not None and access.facts == facts:
            return
        await asyncio.to_thread(self._files.keep_node, facts)
        if access is None:
            self._new(facts.node)
            self._meet(facts).join(self._epoch)
            return
        access.facts = facts
        self.specs[facts.node] = facts.spec

    def access(self, node: str) -> RayAccess:
        return self._accesses[node]

    def facts(self, node: str) -> Facts:
        return self._accesses[node].facts

    def report(self, node: str) -> NodeReport:
        return self.facts(node).report(limits=self._keepers[node].limits)

    def _meet(self, facts: Facts) -> Keeper:
        access = RayAccess(facts, self._files.token_of(facts.node))
        keeper = Keeper(facts.node, access, self._hooks, self._pulse)
        self._accesses[facts.node] = access
        self._add(facts.spec, keeper)
        return keeper
