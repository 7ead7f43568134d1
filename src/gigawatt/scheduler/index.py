"""Places found without looking at every node: what `place.choose` would say, from what is kept of each demand.

An index lives from cycle to cycle and costs what changed. It is a memo and nothing else: the same nodes are chosen
with and without it (tests/property/scheduler/test_index.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from gigawatt.model.reason import Reason
from gigawatt.scheduler.ask import Ask, Demand, distinct_asks
from gigawatt.scheduler.fabric import EVERYWHERE, Fabric, fabric_of
from gigawatt.scheduler.frame import Frames
from gigawatt.scheduler.ground import usable_N
from gigawatt.scheduler.log import Log
from gigawatt.scheduler.place import near
from gigawatt.scheduler.room import Rest, largest_K
from gigawatt.scheduler.shelf import COUNT_BITS
from gigawatt.scheduler.snapshot import (
    CPU,
    GPU,
    NONE,
    STATES,
    Amounts,
    Codes,
    Flags,
    GangColumns,
    NodeColumns,
    Rows,
)
from gigawatt.scheduler.states import FREE, GPU_KIND, READY, STATE, States
from gigawatt.scheduler.view import View

K = TypeVar("K")
V = TypeVar("V")

VIEWS_MAX = 512  # demands that are kept; beyond it the oldest is forgotten and worked out again
STATES_MAX = 1 << 18  # beyond it all is forgotten
KEPT_MAX = 256  # asks of which it is known how many empty nodes would hold them


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What follows from what nodes are, and whether they take gangs, whatever runs there."""

    reaches: dict[tuple[Ask, bool], int] = field(default_factory=dict[tuple[Ask, bool], int])
    usable: dict[Ask, Flags] = field(default_factory=dict[Ask, Flags])


class Index:
    """Of the nodes as they were at the last `rebase`, less what was taken since."""

    def __init__(self, nodes: NodeColumns, fabric: Fabric) -> None:
        self._fabric = fabric
        self.states = States(nodes.device_free_ND.shape[1])
        self._largest_K = largest_K(nodes)
        self._log = Log(self.states.codes(nodes, np.arange(len(nodes.ids))), fabric.domain_of)
        self._views: dict[tuple[Demand, int | None], View] = {}
        self._nodes = nodes
        self._taken: list[int] = []  # since the last rebase
        self._standing = Standing()
        self.stamp = 0  # another one whenever it may answer otherwise
        self._counted: tuple[int, Rows] = (-1, np.empty(0, dtype=np.intp))  # at a stamp
        self.nevers: dict[Ask, Reason | None] = {}
        """Why these nodes could never hold an ask, as far as it is known; None where they could."""

    @classmethod
    def of(cls, nodes: NodeColumns) -> "Index | None":
        """None where it would not be right: a fabric that is known in parts only, or amounts beyond what keys hold."""
        totals_K = nodes.total_NK.sum(axis=0)
        if max(int(totals_K[GPU]), int(totals_K[CPU])) >= 1 << COUNT_BITS:
            return None
        fabric = fabric_of(nodes)
        return None if fabric is None else cls(nodes, fabric)

    @property
    def full(self) -> bool:
        """Whether it has come to its limits, and a new one is due."""
        return self.states.count > STATES_MAX

    def rebase(self, nodes: NodeColumns, changed: Sequence[Rows]) -> None:
        """Take `nodes` as they are, which differ from those of the last rebase in the rows `changed`."""
        self._nodes = nodes
        rows = np.unique(np.concatenate([*changed, np.array(self._taken, dtype=np.intp)]))
        self._taken.clear()
        codes = self.states.codes(nodes, rows)
        old = self._log.codes[rows]
        moved = codes != old
        if not self.states.stands(old[moved], codes[moved]):
            self._standing = Standing()
        self._log.put(rows[moved].tolist(), codes[moved].tolist())
        self._log.trim()
        self.stamp += 1

    def answers(self, ask: Ask) -> bool:
        """Whether `find` can be asked it."""
        return self.counts(ask) and not (ask.avoid or ask.data)

    def counts(self, ask: Ask) -> bool:
        """Whether `now`, `reach`, `able` and `usable_N` can be asked it; they know nothing of nodes to avoid."""
        wants = ask.demand.milli_gpu or ask.demand.milli_cpu
        there = ask.same == NONE or ask.same in self._fabric.levels
        plain = not ask.terms.arranged and ask.wear == ask.reserved == NONE
        return bool(wants and there) and plain and not ask.stacked

    def kinds(self, ask: Ask) -> Sequence[int | None]:
        """Codes of the kinds of GPU that it names and there are, in its order; None for any."""
        if not ask.kinds:
            return (None,)
        there = self._nodes.gpu_kinds
        return [there.index(kind) for kind in ask.kinds if kind in there]

    def find(self, ask: Ask) -> Rows | None:
        """Nodes for the whole gang, in rank order; None where it cannot be held whole."""
        for kind in self.kinds(ask):
            view = self._view(ask.demand, kind)
            if ask.nodes_min == ask.nodes_max:
                found = self._neighbours(view, ask.nodes_min)
                if found is not None:
                    return np.array(found)
                if ask.nodes_min == 1 or ask.same == self._fabric.innermost:
                    continue
            level = EVERYWHERE if ask.same == NONE else ask.same
            have = int(view.keys(level).max()) >> COUNT_BITS
            count = min(ask.nodes_max, have)
            if count >= ask.nodes_min:
                found = self._neighbours(view, count)
                return self._together(view, ask, count) if found is None else np.array(found)
        return None

    def now(self, ask: Ask) -> int:
        """The most nodes that it could be given together. What it needs for that is not kept, unless it is already."""
        level = EVERYWHERE if ask.same == NONE else ask.same
        counts: list[int] = []
        for kind in self.kinds(ask):
            view = self._views.get((ask.demand, kind))
            if view is None:
                fits_S = self.states.fits_S(ask.demand, kind, 0)
                counts.append(self._together_in(level, fits_S))
            else:
                counts.append(int(view.keys(level).max()) >> COUNT_BITS)
        return max(counts, default=0)

    def reach(self, ask: Ask, *, open_only: bool) -> int:
        """As `now`, if all nodes were empty: all, or those that take gangs."""
        key, known = (ask, open_only), self._standing.reaches
        if key not in known:
            level = EVERYWHERE if ask.same == NONE else ask.same
            alternatives = self._empty_S(ask, open_only=open_only)
            kept(
                known,
                key,
                max((self._together_in(level, each) for each in alternatives), default=0),
            )
        return known[key]

    def able(self, ask: Ask) -> list[int]:
        """How many nodes of its kinds that hold one node's worth when empty are in each of STATES."""
        able_S = self.states.ever_S(ask.demand) & self.of_kinds_S(ask)
        states_N = self.states.column(STATE)[self.codes_N[able_S[self.codes_N]]]
        return np.bincount(states_N, minlength=len(STATES)).tolist()

    def usable_N(self, ask: Ask) -> Flags:
        """Nodes that could be among the ones given if all that take gangs were empty. Not to be written to."""
        known = self._standing.usable
        if ask not in known:
            open_N = self.states.ever_S(ask.demand)[self.codes_N] & self._nodes.open_N
            kept(known, ask, usable_N(self._nodes, ask, open_N))
        return known[ask]

    def of_kinds_S(self, ask: Ask) -> Flags:
        """The states of nodes with a kind of GPU that it names; all where it names none."""
        if not ask.kinds:
            return np.ones(self.states.count, dtype=np.bool_)
        there = self._nodes.gpu_kinds
        named = [there.index(kind) for kind in ask.kinds if kind in there]
        return np.isin(self.states.column(GPU_KIND), named)

    def free_values(self, kind: int) -> Amounts:
        """Whatever any node has free of one kind."""
        return self.states.column(FREE + kind)[np.flatnonzero(self._counts_S())]

    def widest_values(self) -> Amounts:
        """Whatever any node's widest device has free."""
        return self.states.widest_S()[np.flatnonzero(self._counts_S())]

    @property
    def codes_N(self) -> Codes:
        """The state that each node is in."""
        return self._log.codes[:-1]

    def take(self, demand: Demand, rows: Rows) -> tuple[tuple[int, ...], ...]:
        """Give one node's worth of `demand` on each of `rows`; the devices given on each, () where none is asked."""
        known, states, code = self.states.taker(demand), self.states, self._log.code
        at: list[int] = rows.tolist()
        given = [known.get(code[row]) or states.take(demand, code[row]) for row in at]
        self._log.put(at, [after for after, _ in given])
        self._taken += at
        self.stamp += 1
        return tuple([devices for _, devices in given]) if demand.milli_gpu else ()

    def rest(self) -> Rest:
        """What is left of the nodes from which something was taken since the last rebase."""
        rows = np.unique(np.array(self._taken, dtype=np.intp))
        return self.states.rest(rows, self._log.codes[rows])

    def left(self, demand: Demand, rows: Rows) -> Amounts:
        """As `Room.left` says, of rows where it fits."""
        return self._view(demand, None).left(rows)

    def free(self, kind: int, rows: Rows) -> Amounts:
        """What is free of one kind on each of `rows`."""
        return self.states.of_kind(kind, self._log.codes[rows])

    @property
    def nodes(self) -> NodeColumns:
        return self._nodes

    def _neighbours(self, view: View, count: int) -> list[int] | None:
        """So many nodes of one innermost domain, in rank order; None where none has them."""
        if count == 1:
            row = view.lone()
            return None if row is None else [row]
        found = view.neighbours(count)
        return found and sorted(found, key=self._fabric.rank.__getitem__)

    def _together(self, view: View, ask: Ask, count: int) -> Rows:
        """Out of the innermost domain that holds them, of several the one with the fewest to spare and the least free."""
        fabric = self._fabric
        for level in sorted(fabric.levels, reverse=True):
            if level != EVERYWHERE and level < ask.same:
                break
            keys = view.keys(level)
            spare = (keys - (count << COUNT_BITS)).view(
                np.uint64
            )  # too few of them wrap to the top
            best = int(spare.argmin())
            if int(keys[best]) >> COUNT_BITS >= count:
                rows = view.fitting(fabric.levels[level].rows(best))
                chosen = near(self, ask, rows, count, level)
                return chosen[np.argsort(fabric.rank_N[chosen])]
        raise AssertionError(f"no domain holds {count} nodes for {ask}")

    def _empty_S(self, ask: Ask, *, open_only: bool) -> list[Flags]:
        """For each of its alternatives the states of nodes that hold one node's worth when empty."""
        ever_S = self.states.ever_S(ask.demand)
        if open_only:
            ever_S &= self.states.column(STATE) == READY
        of = self.states.column(GPU_KIND)
        return [ever_S if kind is None else ever_S & (of == kind) for kind in self.kinds(ask)]

    def _together_in(self, level: int, some_S: Flags) -> int:
        """The most nodes in these states that one domain of a level has."""
        everywhere = int(self._counts_S()[some_S].sum())
        if level == EVERYWHERE or not everywhere:
            return everywhere
        rows = np.flatnonzero(some_S[self.codes_N])
        return int(np.bincount(self._fabric.levels[level].codes_N[rows], minlength=1).max())

    def _counts_S(self) -> Rows:
        """How many nodes are in each state."""
        if self._counted[0] != self.stamp:
            self._counted = self.stamp, np.bincount(self.codes_N)
        counts_S = self._counted[1]
        return np.pad(counts_S, (0, self.states.count - len(counts_S)))

    def _view(self, demand: Demand, kind: int | None) -> View:
        key = demand, kind
        view = self._views.get(key)
        if view is None:
            if len(self._views) >= VIEWS_MAX:
                del self._views[next(iter(self._views))]
            view = self._views[key] = View(
                demand,
                kind,
                fabric=self._fabric,
                states=self.states,
                log=self._log,
                largest_K=self._largest_K,
            )
        return view


def kept(known: dict[K, V], key: K, value: V) -> None:
    """Put it there; the oldest goes where there are too many."""
    if len(known) >= KEPT_MAX:
        del known[next(iter(known))]
    known[key] = value


class Memo:
    """What is kept between cycles: the index, told by the encoder what changes and lent to one round after another, who
    asks what in the newest line, and what of the shares stays the same.
    """

    def __init__(self, nodes_min: int) -> None:
        self._asked: tuple[GangColumns, tuple[list[Ask], Rows]] | None = None
        self._nodes_min = nodes_min
        self._index: Index | None = None
        self._none = False  # there is none for these nodes, and no use in trying again
        self._changed: list[Rows] = []
        self.frames = Frames()

    def note(self, rows: Rows | None) -> None:
        """These rows differ now; None: nodes came, went or are others."""
        if rows is None:
            self._index, self._none = None, False
            self._changed.clear()
        elif self._index is not None:
            self._changed.append(rows)

    def keep(self, gangs: GangColumns, asks: tuple[list[Ask], Rows]) -> None:
        """What `distinct_asks` would say of these, in any order."""
        self._asked = gangs, asks

    def asked(self, gangs: GangColumns) -> tuple[list[Ask], Rows]:
        """The different asks of a line, and for each gang the index of its own."""
        if self._asked is not None and self._asked[0] is gangs:
            return self._asked[1]
        return distinct_asks(gangs)

    def lend(self, nodes: NodeColumns) -> Index | None:
        """The index, for a round on `nodes`, which must be the newest; None where there is none."""
        if self._none or len(nodes.ids) < self._nodes_min:
            return None
        if self._index is None or self._index.full:
            self._index = Index.of(nodes)
            self._none = self._index is None
        else:
            self._index.rebase(nodes, self._changed)
        self._changed.clear()
        return self._index
