"""Which gangs stop, so that one that waits fits: the cheapest nodes to free, and on them no gang more than is needed.

On each node gangs are let go in the order of what they cost for what they free, until the demand fits there: one
step for all nodes at once. The cheapest nodes that lie together as the gang asks are taken, and then every gang
that the placement does without stays. No placement is tried on the way; the plan tries the one that comes of it.
"""

from dataclasses import dataclass

import numpy as np

from gigawatt.scheduler.ask import Ask, Demand
from gigawatt.scheduler.ground import alternatives, reach
from gigawatt.scheduler.released import Bench, Parts, parts_of, released
from gigawatt.scheduler.room import Room
from gigawatt.scheduler.running import RunningColumns
from gigawatt.scheduler.snapshot import (
    CPU,
    GPU,
    LEVELS,
    NONE,
    Amounts,
    Codes,
    Flags,
    NodeColumns,
    Rows,
)

EXACT_MAX = 64  # gangs on several nodes of which each is tried again, whether it could stay
EVERYWHERE = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is to be freed: `ask` is to fit on `mask_N` of `room`, on nodes of which all devices are known.

    `price_R` is what stopping each gang that runs costs, above 0.
    """

    room: Room
    running: RunningColumns
    ask: Ask
    mask_N: Flags
    price_R: Amounts


def pick(search: Search, may_R: Flags) -> Flags | None:
    """Those of `may_R` that are to go so that the ask fits; None where that is not enough."""
    room, running, ask, mask_N = search.room, search.running, search.ask, search.mask_N
    parts = _in_order(search, may_R)
    bench = Bench(room, np.unique(parts.parts.node_P))
    gone_P, fits_B = _let_go(bench, parts, ask.demand)
    cost_N = np.zeros(len(mask_N), dtype=np.int64)
    np.add.at(cost_N, parts.parts.node_P[gone_P], parts.price_P[gone_P])
    fits_N = mask_N & room.fits_N(ask.demand)
    fits_N[bench.rows] |= fits_B & mask_N[bench.rows]
    chosen = _cheapest(room.nodes, ask, fits_N, cost_N)
    if chosen is None:
        return None
    gone_P &= np.isin(parts.parts.node_P, chosen)
    gone_P = _stay(bench, parts, ask.demand, gone_P)
    gone_R = np.zeros_like(may_R)
    gone_R[parts.parts.owner_P[gone_P]] = True
    if (np.diff(running.first_R)[gone_R] > 1).any():
        gone_R = _needed(search, gone_R)
    return gone_R


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ordered:
    """Parts by node, on each node the best bargain first: `depth_P` counts from 0."""

    parts: Parts
    price_P: Amounts  # its owner's, in even parts
    depth_P: Rows


def _in_order(search: Search, may_R: Flags) -> _Ordered:
    parts = parts_of(search.running, may_R)
    parts = parts.at(np.flatnonzero(search.mask_N[parts.node_P]))
    count_R = np.diff(search.running.first_R)
    price_P = np.maximum(search.price_R[parts.owner_P] // count_R[parts.owner_P], 1)
    frees_P = parts.amounts_PK[:, GPU if search.ask.demand.milli_gpu else CPU]
    with np.errstate(divide="ignore"):
        bargain_P = np.where(frees_P > 0, price_P / np.maximum(frees_P, 1), np.inf)
    order = np.lexsort((parts.owner_P, price_P, bargain_P, parts.node_P))
    parts, price_P = parts.at(order), price_P[order]
    return _Ordered(parts=parts, price_P=price_P, depth_P=_depths(parts.node_P))


def _depths(node_P: Rows | Codes) -> Rows:
    """Of rows that are sorted by node: the how manieth of its node each is, from 0."""
    new = np.ones(len(node_P), dtype=np.bool_)
    new[1:] = node_P[1:] != node_P[:-1]
    starts = np.flatnonzero(new)
    return np.arange(len(node_P)) - np.repeat(starts, np.diff(np.append(starts, len(node_P))))


def _let_go(bench: Bench, ordered: _Ordered, demand: Demand) -> tuple[Flags, Flags]:
    """One part after another goes, on all nodes at once, until the demand fits: which went, and where it fits."""
    everywhere = np.arange(len(bench.rows))
    fits_B = bench.fits(demand, everywhere)
    gone_P = np.zeros(len(ordered.depth_P), dtype=np.bool_)
    by_depth = np.argsort(ordered.depth_P, kind="stable")
    ends: list[int] = np.cumsum(np.bincount(ordered.depth_P)).tolist()
    start = 0
    for end in ends:
        rows = by_depth[start:end]
        rows = rows[~fits_B[bench.places(ordered.parts.node_P[rows])]]
        start = end
        parts = ordered.parts.at(rows)
        bench.give(parts)
        gone_P[rows] = True
        at = bench.places(parts.node_P)
        fits_B[at] = bench.fits(demand, at)
    return gone_P, fits_B


def _cheapest(nodes: NodeColumns, ask: Ask, fits_N: Flags, cost_N: Amounts) -> Rows | None:
    """As many nodes as the gang needs, together as it asks, for the least; at one price in the tightest domain."""
    for some_N in alternatives(nodes, ask, fits_N):
        rows = np.flatnonzero(some_N)
        best: tuple[int, Rows] | None = None
        outermost = EVERYWHERE if ask.same == NONE else ask.same
        for level in reversed(range(outermost, LEVELS)):
            found = _in_one(nodes, level, rows, cost_N, ask.nodes_min)
            if found is not None and (best is None or found[0] < best[0]):
                best = found
        if best is not None:
            return best[1]
    return None


def _in_one(
    nodes: NodeColumns, level: int, rows: Rows, cost_N: Amounts, count: int
) -> tuple[int, Rows] | None:
    """The least that `count` of `rows` in one domain of a level cost, and which they are."""
    codes = np.zeros(len(rows), dtype=np.int32)
    if level != EVERYWHERE:
        codes = nodes.topology_NL[rows, level]
        rows, codes = rows[codes != NONE], codes[codes != NONE]
    order = np.lexsort((rows, cost_N[rows], codes))
    rows, codes = rows[order], codes[order]
    last = np.flatnonzero(_depths(codes) == count - 1)
    if not len(last):
        return None
    sums = np.cumsum(cost_N[rows])
    before = np.where(last >= count, sums[last - count], 0)
    best = int(last[(sums[last] - before).argmin()])
    return int((sums[last] - before).min()), rows[best - count + 1 : best + 1]


def _stay(bench: Bench, ordered: _Ordered, demand: Demand, gone_P: Flags) -> Flags:
    """Of the parts that went, those that have to: the dearest stay where the demand fits beside them."""
    gone = np.flatnonzero(gone_P)
    node_P, price_P = ordered.parts.node_P, ordered.price_P
    gone = gone[np.lexsort((-ordered.depth_P[gone], -price_P[gone], node_P[gone]))]
    depths = _depths(node_P[gone])
    needed_P = gone_P.copy()
    for depth in range(int(depths.max(initial=-1)) + 1):
        rows = gone[depths == depth]
        parts = ordered.parts.at(rows)
        bench.give(parts, sign=-1)
        fits = bench.fits(demand, bench.places(parts.node_P))
        bench.give(ordered.parts.at(rows[~fits]))
        needed_P[rows[fits]] = False
    return needed_P


def _needed(search: Search, gone_R: Flags) -> Flags:
    """Those of `gone_R` without which it would not fit, the dearest kept first: what goes on one node goes on all."""
    running, ask, nodes = search.running, search.ask, search.room.nodes
    after = released(search.room, running, gone_R)
    fits_N = search.mask_N & after.fits_N(ask.demand)
    parts = parts_of(running, gone_R)
    bench = Bench(after, np.unique(parts.node_P))
    needed_R = gone_R.copy()
    gangs = np.flatnonzero(gone_R)
    for gang in gangs[np.lexsort((gangs, -search.price_R[gangs]))][:EXACT_MAX].tolist():
        own = parts.at(np.flatnonzero(parts.owner_P == gang))
        bench.give(own, sign=-1)
        before = fits_N[own.node_P]
        fits_N[own.node_P] &= bench.fits(ask.demand, bench.places(own.node_P))
        if reach(nodes, ask, fits_N) >= ask.nodes_min:
            needed_R[gang] = False
        else:
            fits_N[own.node_P] = before
            bench.give(own)
    return needed_R
