"""The node side of the encoder: rows of nodes, and what the attempts that live there leave of them."""

from dataclasses import dataclass, field

import numpy as np

from gigawatt.model.node import Node
from gigawatt.scheduler.facts import Footprint, Rest, domain_paths, rest
from gigawatt.scheduler.index import Memo
from gigawatt.scheduler.snapshot import (
    LEVELS,
    NODE_DYNAMIC,
    NODE_STATIC,
    NODE_USES,
    NONE,
    STATES,
    Codes,
    Column,
    NodeColumns,
)
from gigawatt.scheduler.table import Table
from gigawatt.scheduler.vocabulary import Vocabulary

DEVICES = "device_free_ND"
NO_USE = (0,) * len(NODE_USES)


@dataclass(slots=True, kw_only=True)
class NodeRows:
    """Kept by `put`, `remove` and `occupy`; `columns` costs what changed since it was last asked."""

    memo: Memo  # for rounds on the newest columns
    _nodes: dict[str, Node] = field(default_factory=dict[str, Node])
    _uses: dict[str, dict[str, Footprint]] = field(default_factory=dict[str, dict[str, Footprint]])
    _touched: set[str] = field(default_factory=set[str])  # their rest is to be worked out again
    _static: Table = field(default_factory=lambda: Table(NODE_STATIC))
    _dynamic: Table = field(
        default_factory=lambda: Table(
            {
                **NODE_DYNAMIC,
                DEVICES: Column(dtype=np.int32, width=1),
                **dict.fromkeys(NODE_USES, Column(dtype=np.int64, width=1)),
            }
        )
    )
    _domains: tuple[Vocabulary[tuple[str, ...]], ...] = field(
        default_factory=lambda: tuple(Vocabulary[tuple[str, ...]]() for _ in range(LEVELS))
    )
    _gpu_kinds: Vocabulary[str] = field(default_factory=Vocabulary[str])
    _cached: Vocabulary[tuple[str, ...]] = field(default_factory=Vocabulary[tuple[str, ...]])
    _width: int = 1
    _uses_width: int = 1
    _columns: NodeColumns | None = None

    def put(self, node: Node) -> bool:
        """Take a node as it is now; whether it differs in what matters here."""
        old = self._nodes.get(node.id)
        if old is None or (old.report, old.cached) != (node.report, node.cached):
            if old is not None:
                self._release(old)
            self._static.put(node.id, self._hold(node))
        elif old.state is node.state:
            return False
        self._nodes[node.id] = node
        self._touched.add(node.id)
        return True

    def remove(self, node: str) -> None:
        old = self._nodes.pop(node, None)
        if old is not None:
            self._release(old)
            self._static.drop(node)
            self._touched.add(node)

    def occupy(self, gang: str, held: Footprint | None, now: Footprint | None) -> None:
        """The gang's attempt held what `held` says, and holds `now` instead."""
        for node in held.nodes if held else ():
            del self._uses[node][gang]
            if not self._uses[node]:
                del self._uses[node]
            self._touched.add(node)
        for node in now.nodes if now else ():
            assert now
            self._uses.setdefault(node, {})[gang] = now
            self._touched.add(node)

    def columns(self) -> NodeColumns:
        self._work_out_rests()
        (static, rows), (dynamic, _) = self._static.settle(), self._dynamic.settle()
        old = self._columns
        if old is not None and not (static or dynamic):
            return old
        if old is None or static:
            self.memo.note(None)
        else:
            self.memo.note(np.array(self._dynamic.written, dtype=np.intp))
        ids = tuple(self._static.keys) if old is None or rows else old.ids
        if old is None or static:
            topology, kind, cached = self._topology(), self._kind(), self._kept()
        else:
            topology, kind, cached = old.topology_NL, old.gpu_kind_N, old.cached_N
        count = self._static.column("device_count_N")
        width = int(count.max(initial=0))
        gangs = self._dynamic.column("gangs_N")
        uses = int(gangs.max(initial=0))
        self._columns = NodeColumns(
            ids=ids,
            total_NK=self._static.column("total_NK"),
            topology_NL=topology,
            gpu_kind_N=kind,
            device_count_N=count,
            device_free_ND=self._dynamic.column(DEVICES)[:, :width],
            free_NK=self._dynamic.column("free_NK"),
            state_N=self._dynamic.column("state_N"),
            sealed_N=self._dynamic.column("sealed_N"),
            gangs_N=gangs,
            **{name: self._dynamic.column(name)[:, :uses] for name in NODE_USES},
            domains=tuple(level.values() for level in self._domains),
            gpu_kinds=self._gpu_kinds.values(),
            cached_N=cached,
            cached_lists=self._cached.values(),
        )
        return self._columns

    def _hold(self, node: Node) -> tuple[object, ...]:
        topology = [
            NONE if path is None else level.hold(path)
            for level, path in zip(self._domains, domain_paths(node), strict=True)
        ]
        kind = self._gpu_kinds.hold(node.gpu_kind) if node.report.gpus else NONE
        cached = self._cached.hold(node.cached)
        return node.total.vector(), topology, kind, len(node.report.gpus), cached

    def _release(self, node: Node) -> None:
        for level, path in zip(self._domains, domain_paths(node), strict=True):
            if path is not None:
                level.release(path)
        if node.report.gpus:
            self._gpu_kinds.release(node.gpu_kind)
        self._cached.release(node.cached)

    def _work_out_rests(self) -> None:
        rests: list[tuple[Node, Rest]] = []
        for touched in sorted(self._touched):
            node = self._nodes.get(touched)
            if node is None:
                self._dynamic.drop(touched)
            else:
                rests.append((node, rest(node, self._uses.get(touched, {}).values())))
        self._touched.clear()
        width = max((len(left.device_free) for _, left in rests), default=0)
        if width > self._width:
            self._width = width
            self._dynamic.widen(DEVICES, width)
        uses = max((len(left.uses) for _, left in rests), default=0)
        if uses > self._uses_width:
            self._uses_width = uses
            for name in NODE_USES:
                self._dynamic.widen(name, uses)
        for node, left in rests:
            devices = left.device_free + (0,) * (self._width - len(left.device_free))
            state = STATES.index(node.state)
            used = self._used(left)
            self._dynamic.put(node.id, (left.free, state, left.sealed, left.gangs, devices, *used))

    def _used(self, left: Rest) -> tuple[tuple[int, ...], ...]:
        """The columns of NODE_USES of one row."""
        padding = (NO_USE,) * (self._uses_width - len(left.uses))
        return tuple(zip(*left.uses, *padding, strict=True))

    def _topology(self) -> Codes:
        private = self._static.column("topology_NL")
        columns = [level.ranks()[private[:, index]] for index, level in enumerate(self._domains)]
        return np.stack(
            columns
        ).T  # each level's codes lie together in memory: they are read by level

    def _kind(self) -> Codes:
        return self._gpu_kinds.ranks()[self._static.column("gpu_kind_N")]

    def _kept(self) -> Codes:
        return self._cached.ranks()[self._static.column("cached_N")]
