"""What people ask of nodes."""

from dataclasses import dataclass

from gigawatt.model.node import NodeState


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeNode:
    """`state` is one of `node.ASKABLE`. `by_ms` is when a node that drains is to be empty; 0 is at once."""

    node: str
    state: NodeState
    reason: str
    by: str
    by_ms: int = 0
    if_version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunChecks:
    """Have the checks of a level run on a node."""

    node: str
    level: str
    by: str
    if_version: int = 0


OfNode = ChangeNode | RunChecks
