"""Places found without looking at every node: what `place.choose` would say, from what is kept of each demand.

An index lives from cycle to cycle and costs what changed. It is a memo and nothing else: the same nodes are chosen
with and without it (tests/property/scheduler/test_index.py).
"""

from collections.abc import Sequence

import numpy as np

from gigawatt.model.reason import Reason
from gigawatt.scheduler.ask import Ask, Demand
from gigawatt.scheduler.fabric import EVERYWHERE, Fabric, fabric_of
from gigawatt.scheduler.place import near
from gigawatt.scheduler.room import Rest, largest_K
from gigawatt.scheduler.snapshot import CPU, GPU, NONE, Amounts, NodeColumns, Rows
from gigawatt.scheduler.states import States
from gigawatt.scheduler.view import COUNT_BITS, Log, View

VIEWS_MAX = 512  # demands that are kept; beyond it the oldest is forgotten and worked out again
STATES_MAX = 1 << 18  # beyond it all is forgotten
LOG_MAX = 1 << 22  # changes that are kept; beyond it all is forgotten


class Index:
    """Of the nodes as they were at the last `rebase`, less what was taken since."""

    def __init__(self, nodes: NodeColumns, fabric: Fabric) -> None:
        self._fabric = fabric
        self._states = States(nodes.device_free_ND.shape[1])
        self._largest_K = largest_K(nodes)
        self._log = Log(self._states.codes(nodes, np.arange(len(nodes.ids))))
        self._views: dict[tuple[Demand, int | None], View] = {}
        self._nodes = nodes
        self._taken: list[Rows] = []  # since the last rebase
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
        return self._states.count > STATES_MAX or self._log.count > LOG_MAX

    def rebase(self, nodes: NodeColumns, changed: Sequence[Rows]) -> None:
        """Take `nodes` as they are, which differ from those of the last rebase in the rows `changed`."""
        self._nodes = nodes
        rows = np.unique(np.concatenate([*changed, *self._taken, np.empty(0, dtype=np.intp)]))
        self._taken.clear()
        codes = self._states.codes(nodes, rows)
        moved = codes != self._log.codes[rows]
        self._log.put(rows[moved], codes[moved])

    def answers(self, ask: Ask) -> bool:
        """Whether `find` can be asked it."""
        wants = ask.demand.milli_gpu or ask.demand.milli_cpu
        there = ask.same == NONE or ask.same in self._fabric.levels
        return bool(wants and there) and not (
            ask.stacked or ask.avoid or ask.data or ask.terms.arranged or ask.wear != NONE
        )

    def find(self, ask: Ask) -> Rows | None:
        """Nodes for the whole gang, in rank order; None where it cannot be held whole."""
        for kind in self._kinds(ask):
            view = self._view(ask.demand, kind)
            level = EVERYWHERE if ask.same == NONE else ask.same
            have = int(view.keys(level).max()) >> COUNT_BITS
            count = min(ask.nodes_max, have)
            if count >= ask.nodes_min:
                if count == 1:
                    row = view.lone()
                    assert row is not None
                    return np.array([row])
                return self._together(view, ask, count)
        return None

    def take(self, demand: Demand, rows: Rows) -> tuple[tuple[int, ...], ...]:
        """Give one node's worth of `demand` on each of `rows`; the devices given on each, () where none is asked."""
        known, states = self._states.taker(demand), self._states
        new: list[int] = []
        devices: list[tuple[int, ...]] = []
        for code in self._log.codes[rows].tolist():
            after, places = known.get(code) or states.take(demand, code)
            new.append(after)
            devices.append(places)
        self._log.put(rows, np.array(new, dtype=np.int32))
        self._taken.append(rows)
        return tuple(devices) if demand.milli_gpu else ()

    def rest(self) -> Rest:
        """What is left of the nodes from which something was taken since the last rebase."""
        rows = np.unique(np.concatenate([*self._taken, np.empty(0, dtype=np.intp)]))
        return self._states.rest(rows, self._log.codes[rows])

    def left(self, demand: Demand, rows: Rows) -> Amounts:
        """As `Room.left` says, of rows where it fits."""
        return self._view(demand, None).left(rows)

    def free(self, kind: int, rows: Rows) -> Amounts:
        """What is free of one kind on each of `rows`."""
        return self._states.of_kind(kind, self._log.codes[rows])

    @property
    def nodes(self) -> NodeColumns:
        return self._nodes

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

    def _kinds(self, ask: Ask) -> Sequence[int | None]:
        """Codes of the kinds of GPU that it names and there are, in its order; None for any."""
        if not ask.kinds:
            return (None,)
        there = self._nodes.gpu_kinds
        return [there.index(kind) for kind in ask.kinds if kind in there]

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
                states=self._states,
                log=self._log,
                largest_K=self._largest_K,
            )
        return view


class Memo:
    """The index between cycles: told by the encoder what changes, lent to one round after another."""

    def __init__(self, nodes_min: int) -> None:
        self._nodes_min = nodes_min
        self._index: Index | None = None
        self._none = False  # there is none for these nodes, and no use in trying again
        self._changed: list[Rows] = []

    def note(self, rows: Rows | None) -> None:
        """These rows differ now; None: nodes came, went or are others."""
        if rows is None:
            self._index, self._none = None, False
            self._changed.clear()
        elif self._index is not None:
            self._changed.append(rows)

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
