"""Nodes that fill up: an ask at a time, each placed for good where the policy likes it best, if it fits anywhere.

Scores of all nodes for all asks are kept. A placement changes one node, so one column is rated anew; nodes in an equal
state share their ratings. An arrival looks along one row.
"""

from dataclasses import dataclass

import numpy as np

from gigawatt.scheduler.packing.classic import size_of
from gigawatt.scheduler.packing.facts import WHOLE, Asks, Cluster, Node, Scores, shapes_of
from gigawatt.scheduler.packing.outcomes import fitting
from gigawatt.scheduler.packing.policy import Below, Policy
from gigawatt.scheduler.snapshot import Amounts

ASKS_MAX = 1001  # on one node, as in FGD's simulator


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """The row of a node, and which of its devices."""

    node: int
    devices: tuple[int, ...]


class Fill:
    """`cpu_N`, `memory_N` and `free_ND` are what is free now. With `chance`, any node and device with room will do."""

    def __init__(
        self, cluster: Cluster, asks: Asks, policy: Policy, *, chance: Below | None = None
    ) -> None:
        nodes, kinds = len(cluster.cpu_N), len(asks.cpu_K)
        devices = max(int(cluster.gpus_N.max(initial=0)), 1)
        self.cpu_N, self.memory_N = cluster.cpu_N.copy(), cluster.memory_N.copy()
        self.free_ND: Amounts = np.where(np.arange(devices) < cluster.gpus_N[:, None], WHOLE, 0)
        self.asks_N: Amounts = np.zeros(nodes, dtype=np.int64)
        self._cluster, self._asks, self._shapes = cluster, asks, shapes_of(asks)
        self._policy, self._chance = policy, chance
        self._held: list[frozenset[int]] = [frozenset()] * nodes
        self._rated: dict[Node, tuple[Scores, Amounts]] = {}
        self._score_KN: Scores = np.empty((kinds, nodes))
        self._level_NK: list[Amounts] = [np.empty(0, dtype=np.int64)] * nodes
        for row in range(nodes):
            self._refresh(row)

    def place(self, ask: int) -> Placed | None:
        """Where the ask goes; None if it fits nowhere, and then nothing has changed."""
        score_N = self._score_KN[ask]
        if self._chance is None:
            row = int(score_N.argmax())
        else:
            rows = np.flatnonzero(score_N > -np.inf)
            row = int(rows[self._chance(len(rows))]) if len(rows) else 0
        if score_N[row] == -np.inf:
            return None
        devices = self._devices(ask, row)
        self.cpu_N[row] -= self._asks.cpu_K[ask]
        self.memory_N[row] -= self._asks.memory_K[ask]
        self.asks_N[row] += 1
        self.free_ND[row, list(devices)] -= self._asks.milli_K[ask]
        if self._policy.sees_held and devices:
            size = size_of(int(self._asks.gpus_K[ask]), int(self._asks.milli_K[ask]))
            self._held[row] |= {size}
        self._refresh(row)
        return Placed(node=row, devices=devices)

    def _devices(self, ask: int, row: int) -> tuple[int, ...]:
        gpus, milli = int(self._asks.gpus_K[ask]), int(self._asks.milli_K[ask])
        free_D = self.free_ND[row]
        if gpus == 0:
            return ()
        if milli == WHOLE:
            return tuple(np.flatnonzero(free_D == WHOLE)[:gpus].tolist())
        if self._chance is None:
            return (int((free_D == self._level_NK[row][ask]).argmax()),)
        enough = np.flatnonzero(free_D >= milli)
        return (int(enough[self._chance(len(enough))]),)

    def _refresh(self, row: int) -> None:
        gpus = int(self._cluster.gpus_N[row])
        free = sorted(self.free_ND[row, :gpus].tolist(), reverse=True)
        node = Node(
            model=int(self._cluster.model_N[row]),
            cpu=int(self.cpu_N[row]),
            free=tuple(free),
            held=self._held[row],
        )
        rated = self._rated.get(node)
        if rated is None:
            rated = self._rated[node] = self._rate(node)
        room_K = self._asks.memory_K <= self.memory_N[row]
        if self.asks_N[row] >= ASKS_MAX:
            room_K[:] = False
        self._score_KN[:, row] = np.where(room_K, rated[0], -np.inf)
        self._level_NK[row] = rated[1]

    def _rate(self, node: Node) -> tuple[Scores, Amounts]:
        """By ask; minus infinity where the node lacks cores, devices or the model."""
        shape_K = self._shapes.shape_K
        fitting_S = fitting(self._shapes, node)
        if not fitting_S[shape_K].any():
            return np.full(len(shape_K), -np.inf), np.zeros(len(shape_K), dtype=np.int64)
        rating = self._policy.rate(node)
        score_S = np.where(fitting_S, rating.score_S, -np.inf)
        allowed_K = self._asks.allowed_KM[:, node.model] | (self._asks.gpus_K == 0)
        return np.where(allowed_K, score_S[shape_K], -np.inf), rating.level_S[shape_K]
