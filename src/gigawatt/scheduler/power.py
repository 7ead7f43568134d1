"""Watts: what each feed of the power tree still carries while a decision is being made, and nodes within that.

A gang draws of every feed above its nodes what it draws of those nodes. Of nodes that are free, `within` leaves so many
under each feed as the feed carries more of the gang, so whatever is chosen of them keeps every cap. It leaves as many as
can be where all nodes draw the same; of a gang that takes nodes of several kinds it may leave fewer.

    F  feeds, as in the snapshot
    E  levels of the tree: the feed itself, the one that carries it, and so on
"""

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass

import numpy as np

from gigawatt.model.power import CORE_WATTS, gpu_watts
from gigawatt.model.quota import UNSET
from gigawatt.model.reason import Reason, ReasonCode
from gigawatt.model.values import replace
from gigawatt.scheduler.ask import Ask, Demand, ask_at
from gigawatt.scheduler.ground import reach
from gigawatt.scheduler.place import Spot, choose
from gigawatt.scheduler.policy import Fit
from gigawatt.scheduler.room import Room
from gigawatt.scheduler.running import ClaimColumns, RunningColumns
from gigawatt.scheduler.snapshot import (
    CPU,
    GPU,
    LEVELS,
    NEVER_MS,
    NONE,
    Amounts,
    Codes,
    Flags,
    NodeColumns,
    PowerColumns,
    Rows,
    Snapshot,
)

WITHOUT_CAP = NEVER_MS // 4  # milliwatts: more than anything draws, and sums of it are exact


@dataclass(frozen=True, slots=True, kw_only=True)
class Within:
    """Of some nodes those that may be given together, and how many places of each. `feed` left most of the others out."""

    mask_N: Flags
    places_N: Amounts | None
    feed: int = NONE


class Power:
    """What feeds carry. `take` writes to it, and to nothing else."""

    def __init__(self, columns: PowerColumns, nodes: NodeColumns) -> None:
        self.nodes = nodes
        self.ids = columns.ids
        self._feed_N = columns.feed_N
        self._above_FE = _above(columns.parent_F)
        self._cap_F = np.where(columns.cap_F == UNSET, WITHOUT_CAP, columns.cap_F)
        watts = [gpu_watts(kind) for kind in nodes.gpu_kinds]
        self._gpu_watts_N = np.array([*watts, 0], dtype=np.int64)[nodes.gpu_kind_N]
        self.left_F = self._cap_F.copy()
        total_NK, free_NK = nodes.total_NK, nodes.free_NK
        drawn_N = (total_NK[:, GPU] - free_NK[:, GPU]) * self._gpu_watts_N
        drawn_N += (total_NK[:, CPU] - free_NK[:, CPU]) * CORE_WATTS
        drawn_N[columns.node_X] += columns.beyond_X
        self._draw(np.arange(len(nodes.ids)), drawn_N)
        self._kept_for: dict[str, tuple[Ask, Codes, Codes]] = {}

    @property
    def drawn_F(self) -> Amounts:
        """What is drawn through each feed by now."""
        return self._cap_F - self.left_F

    def carries(self, ask: Ask, rows: Rows) -> bool:
        """Whether one place of the gang on each of `rows` keeps every cap."""
        return all(self.left_F[feed] >= amount for feed, amount in self._by_feed(ask, rows))

    def keep(self, gang: str, ask: Ask, rows: Codes, places: Codes) -> None:
        """What is kept for a gang that waits counts as drawn."""
        self._kept_for[gang] = ask, rows, places
        self.take(ask, rows, places)

    def drop(self, gang: str) -> None:
        """It is kept no longer."""
        self.take(*self._kept_for.pop(gang), sign=-1)

    def sound(self, gang: str) -> bool:
        """Whether no feed above what is kept for the gang is over its cap."""
        feeds = np.unique(self._feed_N[self._kept_for[gang][1]])
        chain = self._above_FE[feeds[feeds != NONE]]
        return bool((self.left_F[chain[chain != NONE]] >= 0).all())

    def take(
        self, ask: Ask, rows: Rows | Codes, places: Amounts | Codes | None = None, *, sign: int = 1
    ) -> None:
        """The gang draws of these nodes from now on; with a `sign` of -1 it does so no more."""
        each = self._each(ask, rows)
        self._draw(rows, sign * (each if places is None else each * places))

    def without(self, running: RunningColumns, gone_R: Flags) -> "Power":
        """Another, as it will be once these gangs have gone."""
        other = copy(self)
        other.left_F = self.left_F.copy()
        for row in np.flatnonzero(gone_R).tolist():
            parts = slice(running.first_R[row], running.first_R[row + 1])
            rows, places = running.node_M[parts], running.places_M[parts]
            here = rows != NONE
            other.take(ask_at(running.gangs, row), rows[here], places[here], sign=-1)
        return other

    def spot(
        self,
        room: Room,
        ask: Ask,
        mask_N: Flags,
        *,
        fit: Fit = Fit.BEST,
        places_N: Amounts | None = None,
    ) -> Spot | None:
        """As `place.choose`, within what feeds carry: of an elastic gang as many nodes as can be had, or else its least."""
        if ask.stacked and places_N is None:
            places_N = room.places_N(ask.demand)
        for each in _in_order(ask):
            left = self.within(each, mask_N, places_N)
            found = choose(room, each, left.mask_N, fit=fit, places_N=left.places_N)
            if found is not None:
                return found
        return None

    def within(self, ask: Ask, mask_N: Flags, places_N: Amounts | None = None) -> Within:
        """Those of `mask_N` that may be given together, in any number up to the gang's most."""
        rows = np.flatnonzero(mask_N & (self._feed_N != NONE))
        each = self._each(ask, rows)
        tight_F = self.left_F < ask.nodes_max * int(each.max(initial=0))
        if not tight_F.any():
            return Within(mask_N=mask_N, places_N=places_N)
        rows, each = self._by_neighbours(rows, each)
        places = np.ones(len(rows), dtype=np.int64) if places_N is None else places_N[rows]
        dropped_F = np.zeros(len(self.ids), dtype=np.int64)
        for depth in range(self._above_FE.shape[1]):
            feed = self._above_FE[self._feed_N[rows], depth]
            some = np.flatnonzero((feed != NONE) & tight_F[feed])
            kept = self._kept(ask, rows[some], each[some] * places[some], feed[some])
            fewer = np.minimum(kept // np.maximum(each[some], 1), places[some])
            fewer = np.where(each[some] == 0, places[some], fewer)
            np.add.at(dropped_F, feed[some], places[some] - fewer)
            places[some] = fewer
        mask_N = mask_N.copy()
        mask_N[rows[places == 0]] = False
        if places_N is not None:
            places_N = places_N.copy()
            places_N[rows] = places
        feed = int(dropped_F.argmax()) if dropped_F.any() else NONE
        return Within(mask_N=mask_N, places_N=places_N, feed=feed)

    def short(self, ask: Ask, mask_N: Flags, places_N: Amounts | None = None) -> Reason | None:
        """Why a gang that fits on `mask_N` cannot be given enough of it; None if it can."""
        nodes, least = self.nodes, replace(ask, nodes_max=ask.nodes_min)
        each = self._each(ask, np.flatnonzero(mask_N & (self._feed_N != NONE)))
        if not (self.left_F < ask.nodes_min * int(each.max(initial=0))).any():
            return None
        if reach(nodes, least, mask_N, places_N) < ask.nodes_min:
            return None
        left = [
            (self.within(some, mask_N, places_N), some)
            for some in _in_order(least)
            if reach(nodes, some, mask_N, places_N) >= ask.nodes_min
        ]
        have = [reach(nodes, some, few.mask_N, few.places_N) for few, some in left]
        if max(have) >= ask.nodes_min:
            return None
        some, most = left[have.index(max(have))][0], max(have)
        least_each = int(each.min())
        detail = ""
        if some.feed != NONE:
            watts = max(int(self.left_F[some.feed]), 0) // 1000
            detail = f"feed {self.ids[some.feed]} has {watts} W left"
        return Reason(
            code=ReasonCode.POWER,
            resource="milliwatts",
            need=ask.nodes_min * least_each,
            have=most * least_each,
            detail=detail,
        )

    def never(self, ask: Ask, ever_N: Flags) -> Reason | None:
        """Why the caps would not carry the gang if nothing else ran; None if they would."""
        empty = copy(self)
        empty.left_F = self._cap_F
        found = empty.short(ask, ever_N)
        return found and replace(found, code=ReasonCode.IMPOSSIBLE)

    def _each(self, ask: Ask, rows: Rows | Codes) -> Amounts:
        """What one place of the gang draws on each of `rows`, in milliwatts."""
        if ask.terms.milliwatts:
            return np.full(len(rows), ask.terms.milliwatts, dtype=np.int64)
        demand = ask.demand
        return demand.milli_gpu * self._gpu_watts_N[rows] + demand.milli_cpu * CORE_WATTS

    def _draw(self, rows: Rows | Codes, amounts: Amounts) -> None:
        feeds = self._feed_N[rows]
        amounts, feeds = amounts[feeds != NONE], feeds[feeds != NONE]
        # Sums of integers below 2**53 are exact in floating point, whatever their order.
        sums = np.bincount(feeds, weights=amounts, minlength=len(self.ids)).astype(np.int64)
        distinct = np.flatnonzero(sums)
        above, sums = self._above_FE[distinct], sums[distinct]
        for depth in range(above.shape[1]):
            there = above[:, depth] != NONE
            np.subtract.at(self.left_F, above[there, depth], sums[there])

    def _by_feed(self, ask: Ask, rows: Rows) -> Iterator[tuple[int, int]]:
        """Of each feed above `rows` what one place on each of them draws of it."""
        drawn: dict[int, int] = {}
        each: list[int] = self._each(ask, rows).tolist()
        feeds: list[int] = self._feed_N[rows].tolist()
        for feed, amount in zip(feeds, each, strict=True):
            if feed != NONE:
                drawn[feed] = drawn.get(feed, 0) + amount
        above: dict[int, int] = {}
        for feed, amount in drawn.items():
            for one in self._above_FE[feed].tolist():
                if one != NONE:
                    above[one] = above.get(one, 0) + amount
        yield from above.items()

    def _by_neighbours(self, rows: Rows, each: Amounts) -> tuple[Rows, Amounts]:
        """The rows in an order in which those of one innermost domain stand together."""
        nodes = self.nodes
        shared = [level for level in range(LEVELS) if len(nodes.domains[level]) < len(nodes.ids)]
        if not shared:
            return rows, each
        order = np.argsort(nodes.topology_NL[rows, shared[-1]], kind="stable")
        return rows[order], each[order]

    def _kept(self, ask: Ask, rows: Rows, amounts: Amounts, feed: Codes) -> Amounts:
        """Of what each row would draw as much as its feed carries, beside those before it in its domain of `same`."""
        group = feed.astype(np.int64)
        if ask.same != NONE:
            domain = self.nodes.topology_NL[rows, ask.same].astype(np.int64)
            group = group * (len(self.nodes.domains[ask.same]) + 1) + domain + 1
        order = np.argsort(group, kind="stable")
        sums = np.cumsum(amounts[order])
        starts = np.ones(len(order), dtype=np.bool_)
        starts[1:] = group[order][1:] != group[order][:-1]
        first = np.flatnonzero(starts)
        base = np.repeat((sums - amounts[order])[first], np.diff(np.append(first, len(order))))
        before = np.empty_like(amounts)
        before[order] = sums - amounts[order] - base
        return np.clip(self.left_F[feed] - before, 0, amounts)


def drawn(columns: PowerColumns, nodes: NodeColumns) -> dict[str, int]:
    """What gangs that run draw through each feed, in milliwatts."""
    power = Power(columns, nodes)
    return dict(zip(power.ids, power.drawn_F.tolist(), strict=True))


def power_of(snapshot: Snapshot) -> Power | None:
    """What feeds carry beside what runs and what is kept for those that wait; None without a power tree."""
    if snapshot.power is None:
        return None
    power = Power(snapshot.power, snapshot.nodes)
    if snapshot.claims is not None:
        _keep(power, snapshot, snapshot.claims)
    return power


def _keep(power: Power, snapshot: Snapshot, claims: ClaimColumns) -> None:
    for row in range(len(claims.ids)):
        parts = slice(claims.first_C[row], claims.first_C[row + 1])
        rows, places = claims.node_M[parts], claims.places_M[parts]
        here = rows != NONE
        power.keep(claims.ids[row], _claimed(snapshot, claims, row), rows[here], places[here])


def _claimed(snapshot: Snapshot, claims: ClaimColumns, row: int) -> Ask:
    """What the owner of a claim asks, or where that is not known, as much as is kept."""
    gang, running = claims.ids[row], snapshot.running
    own = snapshot.gangs.row(gang)
    if own != NONE:
        return ask_at(snapshot.gangs, own)
    own = NONE if running is None else running.gangs.row(gang)
    if running is not None and own != NONE:
        return ask_at(running.gangs, own)
    milli_gpu, milli_cpu, memory_bytes = claims.per_node_CK[row].tolist()
    demand = Demand(milli_gpu=milli_gpu, milli_cpu=milli_cpu, memory_bytes=memory_bytes)
    return Ask(demand=demand, nodes_min=1, nodes_max=1, same=NONE, kinds=(), avoid=(), windows=())


def _above(parent_F: Codes) -> Codes:
    """Of each feed itself and those that carry it, up to the top; NONE behind that."""
    columns = [np.arange(len(parent_F), dtype=np.int32)]
    while True:
        below = columns[-1]
        above = np.where(below == NONE, NONE, parent_F[below]).astype(np.int32)
        if (above == NONE).all():
            return np.stack(columns, axis=1)
        assert len(columns) <= len(parent_F), "a feed carries itself"
        columns.append(above)


def _in_order(ask: Ask) -> Iterator[Ask]:
    """By the kinds of GPU that it names, each with as many nodes as it takes at most, and then with its least."""
    for kind in ask.kinds or ("",):
        one = replace(ask, kinds=(kind,)) if kind else ask
        yield one
        if one.nodes_max > one.nodes_min:
            yield replace(one, nodes_max=one.nodes_min)
