"""Nodes that their cluster has closed: whoever runs it drained them there, and opens them there.

A node takes gangs when both want it to. What a person asked for here stays on record meanwhile.
"""

from gigawatt.model.command import ChangeNode
from gigawatt.model.node import Node, NodeState
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.reconcile import nodes
from gigawatt.reconcile.turn import Turn


def follow(turn: Turn, before: Node | None, node: Node) -> None:
    """Close or open a node as its newest report says; `before` is the node as it was until then."""
    closed, by_cluster = node.report.closed, before is not None and _is_closures(before)
    if closed and (node.state is NodeState.READY or (by_cluster and node.reason != closed)):
        cordoned = nodes.moved(turn, node, NodeState.CORDONED, closed)
        turn.emit("node.cordoned", cordoned, closed)
    elif not closed and by_cluster and node.wanted is NodeState.READY:
        turn.emit(
            "node.ready", nodes.moved(turn, node, NodeState.READY, ""), "its cluster opened it"
        )


def change(turn: Turn, command: ChangeNode) -> Node:
    """As a person asked; what its cluster has closed is not opened here. Raises RefusalError."""
    node = turn.world.nodes.get(command.node)
    if node is not None and node.report.closed and command.state is NodeState.READY:
        raise RefusalError(
            RefusalCode.CONFLICT,
            f"node {node.id} is closed where it comes from: {node.report.closed}",
            hint="open it there, and it takes gangs here again",
        )
    return nodes.change(turn, command)


def _is_closures(node: Node) -> bool:
    """It is cordoned because its cluster closed it, and for no other reason."""
    closed = node.report.closed
    return node.state is NodeState.CORDONED and bool(closed) and node.reason == closed
