"""The growing side of the encoder: elastic gangs that run on fewer nodes than they take.

There are few, so their columns are made anew whenever one of them changes, from the nodes that they are on.
"""

from collections.abc import Iterable

from gigawatt.model.node import Node
from gigawatt.model.work import Work
from gigawatt.scheduler.encode_running import cold_running
from gigawatt.scheduler.running import RunningColumns
from gigawatt.scheduler.running_facts import RunningGang, growing


class GrowingRows:
    """Kept by `put`, `put_node` and `remove_node`."""

    def __init__(self) -> None:
        self._work: dict[str, tuple[Work, RunningGang]] = {}
        self._nodes: dict[str, Node] = {}
        self._ids: tuple[str, ...] = ()
        self._columns: RunningColumns | None = None

    def put(self, work: Work) -> bool:
        """Take the new value of what may grow; whether that is new."""
        old, now = self._work.get(work.id), growing(work)
        if (old and old[1]) == now:
            return False
        self._columns = None
        if now is None:
            del self._work[work.id]
        else:
            self._work[work.id] = work, now
        return True

    def put_node(self, node: Node) -> None:
        old = self._nodes.get(node.id)
        if old is None or old.report.gpus != node.report.gpus:
            self._columns = None
        self._nodes[node.id] = node

    def remove_node(self, node: str) -> None:
        if self._nodes.pop(node, None) is not None:
            self._columns = None

    def columns(self, ids: tuple[str, ...]) -> RunningColumns | None:
        """`ids` are those of the snapshot's nodes. None where nothing can grow."""
        if self._work and (self._columns is None or self._ids != ids):
            on = {node for _, gang in self._work.values() for node in gang.held.nodes}
            nodes = [self._nodes[node] for node in sorted(on) if node in self._nodes]
            self._ids = ids
            work = (each for each, _ in self._work.values())
            self._columns = cold_running(work, nodes, ids, of=growing)
        return self._columns if self._work else None


def cold_growing(
    work: Iterable[Work], nodes: Iterable[Node], ids: tuple[str, ...]
) -> RunningColumns | None:
    """Columns of all that can grow, from scratch."""
    found = [each for each in work if growing(each) is not None]
    return cold_running(found, nodes, ids, of=growing) if found else None
