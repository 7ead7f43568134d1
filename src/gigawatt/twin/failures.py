"""Nodes that fail by a rate: each after its own times, drawn from a seed and the node's place alone.

So what fails when does not depend on what runs, and two policies are tried against the same failures.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MS_MIN = 1000  # between a repair and the next failure


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRate:
    """Exponential times between failures of one node, of this mean, and as long until it is back."""

    mean_between_ms: int
    repair_ms: int


class Failures:
    """Ask `next_ms` of a node once for each of its failures, in their order."""

    def __init__(self, nodes: Sequence[str], rate: FailureRate, *, seed: int) -> None:
        self.rate = rate
        self._drawn = {
            node: np.random.Generator(np.random.PCG64([seed, place]))
            for place, node in enumerate(nodes)
        }

    def next_ms(self, node: str) -> int:
        """How long the node goes on from now."""
        drawn = self._drawn[node].exponential(self.rate.mean_between_ms)
        return max(round(drawn), MS_MIN)
