"""Watches over nodes: cheap checks on all of them now and then, and load on those where nothing runs.

What is told is what has changed: a node that stays well makes no writes.
"""

import asyncio
import logging

from gigawatt.clock import monotonic_s, now_ms
from gigawatt.control.leader import Leader
from gigawatt.engine.base import Engine
from gigawatt.model.health import CheckResult, Outcome
from gigawatt.model.node import Node, NodeState
from gigawatt.model.observation import NodeChecked
from gigawatt.model.refusal import RefusalError

log = logging.getLogger(__name__)

WATCH, BURN = "watch", "quick"
AT_ONCE = 16  # nodes that are asked
WATCHED = frozenset({NodeState.READY, NodeState.CORDONED, NodeState.DRAINING, NodeState.EMPTY})


class Inspector:
    """`watch_s` and `burn_s` are how often; 0 is never."""

    def __init__(self, leader: Leader, engine: Engine, *, watch_s: float, burn_s: float) -> None:
        self._leader = leader
        self._engine = engine
        self._watch_s = watch_s
        self._burn_s = burn_s
        self._few = asyncio.Semaphore(AT_ONCE)
        self._burnt_s: dict[str, float] = {}  # when a node was last put under load

    async def keep(self) -> None:
        """Look again and again, until cancelled."""
        periods = [each for each in (self._watch_s, self._burn_s) if each]
        if not periods:
            return
        while True:
            await asyncio.sleep(min(periods))
            nodes = list(self._leader.state.world.nodes.values())
            await asyncio.gather(*(self._look(node) for node in nodes if node.state in WATCHED))

    async def _look(self, node: Node) -> None:
        async with self._few:
            if self._watch_s:
                await self._check(node, WATCH)
            if self._burn_s and self._is_idle(node):
                self._burnt_s[node.id] = monotonic_s()
                await self._check(node, BURN)

    def _is_idle(self, node: Node) -> bool:
        """Whether nothing runs there, and nothing was put on it for long enough."""
        account = self._leader.state.world.accounts.get(node.id)
        idle = node.state is NodeState.READY and account is not None and not account.uses
        since_s = self._burnt_s.get(node.id, float("-inf"))
        return idle and monotonic_s() - since_s >= self._burn_s

    async def _check(self, node: Node, level: str) -> None:
        try:
            results = await self._engine.check(node.id, level)
        except RefusalError as refusal:
            log.info("node %s was not checked: %s", node.id, refusal.detail)
            return
        known = {each.name: each for each in node.checks}
        news = tuple(each for each in results if _is_news(known.get(each.name), each))
        if news:
            seen = NodeChecked(at_ms=now_ms(), node=node.id, results=news, level=level)
            self._leader.observe(seen)


def _is_news(before: CheckResult | None, after: CheckResult) -> bool:
    """Whether it says something else than before; figures of what is well differ each time."""
    if before is None or before.outcome is not after.outcome:
        return True
    return after.outcome is not Outcome.OK and before.detail != after.detail
