"""The power side of the encoder: feeds, which node hangs on which, and what gangs say that they draw."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from gigawatt.model.node import TOPOLOGY_LEVELS, Node
from gigawatt.model.power import CORE_WATTS, FEED_LABEL, Feed, gpu_watts
from gigawatt.model.quota import UNSET
from gigawatt.scheduler.facts import Footprint
from gigawatt.scheduler.snapshot import NONE, Codes, NodeColumns, PowerColumns


class PowerRows:
    """Kept by `put`, `put_node`, `remove_node` and `occupy`. Without a feed, it costs next to nothing."""

    def __init__(self) -> None:
        self._feeds: dict[str, Feed] = {}
        self._labels: dict[str, str] = {}  # by node, the feed that its label names
        self._stating: dict[str, Footprint] = {}  # by gang, of those that say what they draw
        self._hung: PowerColumns | None = None  # without what gangs say
        self._topology: Codes | None = None  # of the nodes that `_hung` is of

    def put(self, feed: Feed) -> bool:
        """Take a feed as it is now; whether that is new."""
        now = None if feed.deleted_ms is not None else feed
        if self._feeds.get(feed.id) == now:
            return False
        self._hung = None
        if now is None:
            del self._feeds[feed.id]
        else:
            self._feeds[feed.id] = now
        return True

    def put_node(self, node: Node) -> None:
        label = feed_label(node)
        if self._labels.get(node.id, "") != label:
            self._hung = None
            self._labels[node.id] = label

    def remove_node(self, node: str) -> None:
        self._labels.pop(node, None)

    def occupy(self, gang: str, now: Footprint | None) -> None:
        """What the gang holds now."""
        if now is not None and now.milliwatts:
            self._stating[gang] = now
        else:
            self._stating.pop(gang, None)

    def columns(self, nodes: NodeColumns) -> PowerColumns | None:
        """The tree over `nodes`; None where there is none."""
        if not self._feeds:
            return None
        if self._hung is None or self._topology is not nodes.topology_NL:
            self._hung = _hung(self._feeds, self._labels, nodes)
            self._topology = nodes.topology_NL
        return _with_gangs(self._hung, nodes, self._stating.values())


def cold_power(
    feeds: Mapping[str, Feed],
    nodes: Iterable[Node],
    held: Iterable[Footprint],
    columns: NodeColumns,
) -> PowerColumns | None:
    """The power tree, from scratch."""
    if not feeds:
        return None
    labels = {node.id: feed_label(node) for node in nodes}
    stating = [use for use in held if use.milliwatts]
    return _with_gangs(_hung(feeds, labels, columns), columns, stating)


def feed_label(node: Node) -> str:
    """The feed that the node's label names; empty without one."""
    return next((text for key, text in node.report.labels if key == FEED_LABEL), "")


def _hung(feeds: Mapping[str, Feed], labels: Mapping[str, str], nodes: NodeColumns) -> PowerColumns:
    ids = tuple(sorted(feeds))
    code = {feed: place for place, feed in enumerate(ids)}
    ordered = [feeds[feed] for feed in ids]
    caps = [UNSET if each.cap_milliwatts is None else each.cap_milliwatts for each in ordered]
    feed_N = np.full(len(nodes.ids), NONE, dtype=np.int32)
    for level in range(len(TOPOLOGY_LEVELS)):  # inner levels have the last word
        feed_D = _feeds_of(level, ordered, nodes)
        if feed_D is not None:
            found = np.append(feed_D, NONE)[nodes.topology_NL[:, level]]
            feed_N = np.where(found == NONE, feed_N, found)
    for node, feed in labels.items():
        row = nodes.row(node) if feed in code else NONE
        if row != NONE:
            feed_N[row] = code[feed]
    return PowerColumns(
        ids=ids,
        parent_F=np.array([code.get(each.parent, NONE) for each in ordered], dtype=np.int32),
        cap_F=np.array(caps, dtype=np.int64),
        feed_N=feed_N.astype(np.int32),
        node_X=np.empty(0, dtype=np.int32),
        beyond_X=np.empty(0, dtype=np.int64),
    )


def _feeds_of(level: int, feeds: list[Feed], nodes: NodeColumns) -> Codes | None:
    """The feed that supplies each domain of a level; None where none supplies any."""
    wanted = {
        supply.name: place
        for place, feed in enumerate(feeds)
        for supply in feed.supplies
        if supply.level == TOPOLOGY_LEVELS[level]
    }
    if not wanted:
        return None
    return np.array(
        [_named(path, wanted) for path in nodes.domains[level]], dtype=np.int32
    ).reshape(len(nodes.domains[level]))


def _named(path: tuple[str, ...], wanted: Mapping[str, int]) -> int:
    """By its path, or else by its own name."""
    whole = "/".join(part for part in path if part)
    return wanted.get(whole, wanted.get(path[-1], NONE))


def _with_gangs(
    hung: PowerColumns, nodes: NodeColumns, stating: Iterable[Footprint]
) -> PowerColumns:
    beyond: dict[int, int] = {}
    for row, amount in _beyond(nodes, stating):
        beyond[row] = beyond.get(row, 0) + amount
    if not beyond:
        return hung
    rows = sorted(beyond)
    return PowerColumns(
        ids=hung.ids,
        parent_F=hung.parent_F,
        cap_F=hung.cap_F,
        feed_N=hung.feed_N,
        node_X=np.array(rows, dtype=np.int32),
        beyond_X=np.array([beyond[row] for row in rows], dtype=np.int64),
    )


def _beyond(nodes: NodeColumns, stating: Iterable[Footprint]) -> Iterator[tuple[int, int]]:
    """For each node of each gang, what it draws there beyond what its amounts would."""
    for use in stating:
        for node in use.nodes:
            row = nodes.row(node)
            if row == NONE:
                continue
            kind = int(nodes.gpu_kind_N[row])
            watts = gpu_watts(nodes.gpu_kinds[kind]) if kind != NONE else 0
            amounts = use.per_node
            by_amounts = amounts.milli_gpu * watts + amounts.milli_cpu * CORE_WATTS
            yield row, (use.milliwatts - by_amounts) * use.places.get(node, 1)
