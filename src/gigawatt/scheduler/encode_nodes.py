"""The node side of the encoder: rows of nodes, and what the attempts that live there leave of them."""

from dataclasses import dataclass, field

import numpy as np

from gigawatt.model.node import Node
from gigawatt.scheduler.encode_uses import UseRows, no_uses
from gigawatt.scheduler.facts import Footprint, domain_paths
from gigawatt.scheduler.index import Memo
from gigawatt.scheduler.loads import Load, Loads, Seat, loads_of
from gigawatt.scheduler.snapshot import (
    LEVELS,
    NODE_DYNAMIC,
    NODE_STATIC,
    NONE,
    STATES,
    Codes,
    NodeColumns,
    Rows,
)
from gigawatt.scheduler.table import Table
from gigawatt.scheduler.vocabulary import Vocabulary

STATE = "state_N"


@dataclass(slots=True, kw_only=True)
class NodeRows:
    """Kept by `put`, `remove` and `occupy`; `columns` costs what changed since it was last asked."""

    memo: Memo  # for rounds on the newest columns
    _nodes: dict[str, Node] = field(default_factory=dict[str, Node])
    _row: dict[str, int] = field(default_factory=dict[str, int])  # of each node in `_static`
    _touched: set[str] = field(default_factory=set[str])  # what they hold is to be added up anew
    _static: Table = field(default_factory=lambda: Table(NODE_STATIC))
    _states: Table = field(default_factory=lambda: Table({STATE: NODE_DYNAMIC[STATE]}))
    _held: dict[str, Footprint] = field(default_factory=dict[str, Footprint])  # by gang
    _loads: Loads = field(default_factory=Loads)
    _seats: dict[str, Seat] = field(default_factory=dict[str, Seat])  # of nodes in `_row`
    _noted: dict[str, list[Load]] = field(default_factory=dict[str, list[Load]])  # by gang
    _uses: UseRows | None = None  # while they are asked for
    _domains: tuple[Vocabulary[tuple[str, ...]], ...] = field(
        default_factory=lambda: tuple(Vocabulary[tuple[str, ...]]() for _ in range(LEVELS))
    )
    _gpu_kinds: Vocabulary[str] = field(default_factory=Vocabulary[str])
    _cached: Vocabulary[tuple[str, ...]] = field(default_factory=Vocabulary[tuple[str, ...]])
    _columns: NodeColumns | None = None
    _dated: bool = False  # whether `_columns` are

    def put(self, node: Node) -> bool:
        """Take a node as it is now; whether it differs in what matters here."""
        old = self._nodes.get(node.id)
        if old is None or (old.report, old.cached) != (node.report, node.cached):
            if old is not None:
                self._release(old)
            self._static.put(node.id, self._hold(node))
            if old is None or old.report != node.report:
                self._touch(node.id)
        elif old.state is node.state:
            return False
        self._nodes[node.id] = node
        self._states.put(node.id, (STATES.index(node.state),))
        return True

    def remove(self, node: str) -> None:
        old = self._nodes.pop(node, None)
        if old is not None:
            self._release(old)
            self._static.drop(node)
            self._states.drop(node)
            self._touch(node)

    def held(self, gang: str) -> Footprint | None:
        """What the gang's attempt holds."""
        return self._held.get(gang)

    def occupy(self, gang: str, now: Footprint | None) -> None:
        """The gang's attempt holds `now`, instead of what it held."""
        held = self._held.pop(gang, None)
        if now is not None:
            self._held[gang] = now
        if self._uses is not None:
            self._uses.occupy(gang, held, now)
        if held is not None and held.same_place(now):
            return
        if held is not None:
            noted = self._noted.pop(gang, None)
            self._loads.note(self._of(held) if noted is None else noted, -1)
        if now is not None:
            loads = self._of(now)
            self._loads.note(loads, 1)
            if not self._touched:
                self._noted[gang] = loads

    def columns(self, *, dated: bool = True) -> NodeColumns:
        """`dated` has what runs and when it must have ended; without it those columns have no width."""
        loaded = self._loads.settle()
        (static, moved), (stated, _) = self._static.settle(), self._states.settle()
        if self._touched:
            self._moved() if moved else None
            self._load_anew()
            self.memo.note(None)
        else:
            self.memo.note(np.union1d(loaded, np.array(self._states.written, dtype=np.intp)))
        if not dated:
            self._uses = None
        elif self._uses is None:
            self._uses = UseRows.of(self._held, self._nodes)
        old = self._columns
        if old is None or static or stated or len(loaded) or dated is not self._dated:
            self._columns, self._dated = (
                self._made(old, dated=dated, static=static, moved=moved),
                dated,
            )
        assert self._columns is not None
        return self._columns

    def _touch(self, node: str) -> None:
        self._touched.add(node)
        self._noted.clear()
        self._seats.pop(node, None)
        if self._uses is not None:
            self._uses.touch(node)

    def _of(self, use: Footprint) -> list[Load]:
        """What it takes of the nodes that are there, but for those that are to be added up anew."""
        seats, touched = self._seats, self._touched
        known = [seats.get(node) or self._seat(node) for node in use.nodes]
        if touched:
            pairs = zip(known, use.nodes, strict=True)
            known = [None if node in touched else seat for seat, node in pairs]
        return loads_of(use, known)

    def _seat(self, node: str) -> Seat | None:
        row, there = self._row.get(node), self._nodes.get(node)
        if row is None or there is None:
            return None
        uuids = tuple([gpu.uuid for gpu in there.report.gpus])
        seat = self._seats[node] = Seat(row=row, uuids=uuids)
        return seat

    def _moved(self) -> None:
        """Nodes came or went: what was added up goes with its rows."""
        self._seats.clear()
        before, self._row = self._row, {node: row for row, node in enumerate(self._static.keys)}
        source: Rows = np.array([before.get(node, NONE) for node in self._row], dtype=np.intp)
        self._loads.resize(source)

    def _load_anew(self) -> None:
        there = {node for node in self._touched if node in self._nodes}
        self._touched.clear()
        self._seats.clear()
        self._loads.widen(max((len(self._nodes[node].report.gpus) for node in there), default=0))
        self._loads.clear([self._row[node] for node in there])
        for use in self._held.values():
            if not there.isdisjoint(use.nodes):
                seats = [self._seat(node) if node in there else None for node in use.nodes]
                self._loads.note(loads_of(use, seats), 1)
        self._loads.settle()

    def _made(
        self, old: NodeColumns | None, *, dated: bool, static: bool, moved: bool
    ) -> NodeColumns:
        if old is None or static:
            topology, kind, cached = self._topology(), self._kind(), self._kept()
        else:
            topology, kind, cached = old.topology_NL, old.gpu_kind_N, old.cached_N
        ids = tuple(self._static.keys) if old is None or moved else old.ids
        total, count = self._static.column("total_NK"), self._static.column("device_count_N")
        gangs = self._loads.gangs_N
        used = int(gangs.max(initial=0))
        return NodeColumns(
            ids=ids,
            total_NK=total,
            topology_NL=topology,
            gpu_kind_N=kind,
            device_count_N=count,
            device_free_ND=self._loads.device_free_ND(count, int(count.max(initial=0))),
            free_NK=self._loads.free_NK(total),
            state_N=self._states.column(STATE),
            sealed_N=self._loads.sealed_N,
            gangs_N=gangs,
            **(self._uses.columns(self._nodes, used) if self._uses else no_uses(len(ids))),
            domains=tuple(level.values() for level in self._domains),
            gpu_kinds=self._gpu_kinds.values(),
            cached_N=cached,
            cached_lists=self._cached.values(),
        )

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
