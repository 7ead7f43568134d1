"""What runs on each node and when it must have ended, for policies that look ahead."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from gigawatt.model.node import Node
from gigawatt.scheduler.facts import Footprint, rest
from gigawatt.scheduler.snapshot import NODE_USES, Amounts, Column
from gigawatt.scheduler.table import Table

NO_USE = (0,) * len(NODE_USES)


class UseRows:
    """Attempts by node. The columns are made when they are asked for, and then cost what changed."""

    def __init__(self) -> None:
        self._of: dict[str, dict[str, Footprint]] = {}
        self._stale: set[str] = set()
        self._table = Table(dict.fromkeys(NODE_USES, Column(dtype=np.int64, width=1)))
        self._width = 1

    @classmethod
    def of(cls, held: Mapping[str, Footprint], nodes: Iterable[str]) -> "UseRows":
        """What these gangs hold, of these nodes."""
        rows = cls()
        rows._stale.update(nodes)
        for gang, use in held.items():
            rows.occupy(gang, None, use)
        return rows

    def occupy(self, gang: str, held: Footprint | None, now: Footprint | None) -> None:
        """The gang's attempt held what `held` says, and holds `now` instead."""
        for node in held.nodes if held else ():
            of = self._of[node]
            del of[gang]
            if not of:
                del self._of[node]
            self._stale.add(node)
        if now is not None:
            for node in now.nodes:
                self._of.setdefault(node, {})[gang] = now
                self._stale.add(node)

    def touch(self, node: str) -> None:
        """The node came, went or is another."""
        self._stale.add(node)

    def columns(self, nodes: dict[str, Node], used: int) -> dict[str, Amounts]:
        """The columns of NODE_USES for `nodes`, sorted by node; the most used has `used` attempts."""
        rests = {
            node: rest(nodes[node], self._of.get(node, {}).values()).uses if node in nodes else None
            for node in self._stale
        }
        self._stale.clear()
        width = max((len(uses) for uses in rests.values() if uses), default=0)
        if width > self._width:
            self._width = width
            for name in NODE_USES:
                self._table.widen(name, width)
        for node, uses in rests.items():
            if uses is None:
                self._table.drop(node)
            else:
                padding = (NO_USE,) * (self._width - len(uses))
                self._table.put(node, tuple(zip(*uses, *padding, strict=True)))
        self._table.settle()
        return {name: self._table.column(name)[:, :used] for name in NODE_USES}


def no_uses(nodes: int) -> dict[str, Any]:
    """The same columns where nobody looks ahead."""
    return {name: np.zeros((nodes, 0), dtype=np.int64) for name in NODE_USES}
