"""Nodes that their cluster has closed: whoever runs it drained them there, and opens them there.

A node takes gangs when both want it to. What a person asked for here stays on record meanwhile.
"""

from gigawatt.model.node import Node, NodeState
from gigawatt.model.observation import NodeSeen
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.upkeep import ChangeNode, OfNode
from gigawatt.reconcile import nodes
from gigawatt.reconcile.node_life import moved
from gigawatt.reconcile.turn import Turn


def seen(turn: Turn, observation: NodeSeen) -> None:
    """A node joined, came back, or says something new; and is closed or opened as its report says."""
    before = turn.world.nodes.get(observation.report.id)
    nodes.seen(turn, observation)
    node = turn.world.nodes[observation.report.id]
    closed, by_cluster = node.report.closed, before is not None and _is_closures(before)
    if closed and (node.state is NodeState.READY or (by_cluster and node.reason != closed)):
        turn.emit("node.cordoned", moved(turn, node, NodeState.CORDONED, closed), closed)
    elif not closed and by_cluster and node.wanted is NodeState.READY:
        turn.emit("node.ready", moved(turn, node, NodeState.READY, ""), "its cluster opened it")


def command(turn: Turn, asked: OfNode) -> Node:
    """Do what a person asks of a node; what its cluster has closed is not opened here. Raises RefusalError."""
    node = turn.world.nodes.get(asked.node)
    opens = isinstance(asked, ChangeNode) and asked.state is NodeState.READY
    if opens and node is not None and node.report.closed:
        raise RefusalError(
            RefusalCode.CONFLICT,
            f"node {node.id} is closed where it comes from: {node.report.closed}",
            hint="open it there, and it takes gangs here again",
        )
    return nodes.command(turn, asked)


def _is_closures(node: Node) -> bool:
    """It is cordoned because its cluster closed it, and for no other reason."""
    closed = node.report.closed
    return node.state is NodeState.CORDONED and bool(closed) and node.reason == closed
