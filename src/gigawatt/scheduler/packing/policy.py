"""What a packing policy is: it rates one node for every shape. Nodes are compared by that alone."""

from collections.abc import Callable
from typing import Protocol

from gigawatt.scheduler.packing.facts import Node
from gigawatt.scheduler.packing.outcomes import Rating

Below = Callable[
    [int], int
]  # an integer from 0 to below its argument: chance that the caller gives


class Policy(Protocol):
    """A part goes to the first device with as much free as `rate` says; whole GPUs to the first idle ones."""

    sees_held: bool  # whether `Node.held` counts; if not, it is left empty and more nodes are equal

    def rate(self, node: Node) -> Rating:
        """More is better. What the node has no room for may be rated at will; it is never chosen."""
        ...
