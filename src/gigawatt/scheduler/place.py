"""Which nodes, of those that have room: near each other first, then those that would be left most full.

The tightest domain that holds the whole gang is taken, and of several the one with the fewest nodes to spare, so
that large domains stay whole. Within it the gang is spread over as few inner domains as it can be, and there it takes
the nodes with the least left. Every tie ends with the node's id.

Where its data is counts after GPUs and before cores and memory: no device is left over on two nodes that could have
been left over on one for the sake of data, but a node that keeps the data is taken before one that is merely fuller.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from gigawatt.scheduler.arrange import spares_last
from gigawatt.scheduler.ask import Ask, Demand
from gigawatt.scheduler.fabric import EVERYWHERE
from gigawatt.scheduler.ground import alternatives, domain_counts, together
from gigawatt.scheduler.near import kept
from gigawatt.scheduler.policy import Fit
from gigawatt.scheduler.room import GPU_WEIGHT, Room
from gigawatt.scheduler.snapshot import CPU, GPU, LEVELS, NONE, Amounts, Flags, NodeColumns, Rows


class Field(Protocol):
    """What is free on nodes: a room, or an index of one."""

    @property
    def nodes(self) -> NodeColumns: ...

    def left(self, demand: Demand, rows: Rows) -> Amounts:
        """How much would stay free on each of `rows`, as one number to order by."""
        ...

    def free(self, kind: int, rows: Rows) -> Amounts:
        """What is free of one kind on each of `rows`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Nodes for a whole gang, in rank order; of a stacked one, how many of its places each of them holds."""

    rows: Rows
    places: Amounts | None = None
    spares: int = 0  # so many of the last rows

    @property
    def count(self) -> int:
        """How many nodes, or places on them, that is."""
        return len(self.rows) if self.places is None else int(self.places.sum())


def choose(
    room: Room, ask: Ask, mask_N: Flags, *, fit: Fit = Fit.BEST, places_N: Amounts | None = None
) -> Spot | None:
    """Nodes for the whole gang out of `mask_N`; None where it cannot be held whole.

    An elastic gang gets as many as there are, up to its most; a stacked one no more places of a node than `places_N`.
    """
    if ask.stacked:
        return _stack(
            room, ask, mask_N, room.places_N(ask.demand) if places_N is None else places_N, fit
        )
    rows = _distinct(room, ask, mask_N, fit)
    if rows is None or not ask.terms.spares:
        return None if rows is None else Spot(rows=rows)
    return Spot(rows=spares_last(ask, rows), spares=ask.terms.spares_of(len(rows)))


def near(room: Field, ask: Ask, rows: Rows, count: int, level: int) -> Rows:
    """`count` of `rows`, which are in one domain of `level`, out of as few inner domains as can be.

    Whole domains first, largest first; what is left over comes from the smallest that has enough, and so on inside.
    Nodes without a known domain at the inner level count as one.
    """
    inner = level + 1
    alone = inner == LEVELS or len(room.nodes.domains[inner]) == len(room.nodes.ids)
    if len(rows) == count or alone:
        return _fullest(room, ask, rows, count)
    codes = room.nodes.topology_NL[rows, inner] + 1
    counts = np.bincount(codes)
    if counts.max() == 1:
        return _fullest(room, ask, rows, count)
    present = np.flatnonzero(counts)
    free = _free(room, ask.demand, rows, codes, len(counts))
    data = _data(room, ask, rows, codes, len(counts))
    order = present[np.lexsort((free[present], -data[present], -counts[present]))]
    sums = np.cumsum(counts[order])
    whole = int(np.searchsorted(sums, count))
    missing = count - (int(sums[whole - 1]) if whole else 0)
    enough = order[whole:][counts[order[whole:]] >= missing]
    last = enough[counts[enough].argmin()]
    taken = np.zeros(len(counts), dtype=np.bool_)
    taken[order[:whole]] = True
    rest = near(room, ask, rows[codes == last], missing, inner)
    return np.concatenate([rows[taken[codes]], rest])


def _distinct(room: Room, ask: Ask, mask_N: Flags, fit: Fit) -> Rows | None:
    for some_N in alternatives(room.nodes, ask, mask_N):
        count = min(ask.nodes_max, together(room.nodes, ask.same, some_N))
        count -= count % ask.terms.step
        if count >= ask.nodes_min:
            rows = np.flatnonzero(some_N)
            if ask.same != NONE:
                rows = rows[room.nodes.topology_NL[rows, ask.same] != NONE]
            if fit is Fit.FIRST and ask.same == NONE and not ask.terms.segment:
                return rows[:count]
            return _whole(room, ask, rows, count)
    return None


def _stack(room: Room, ask: Ask, mask_N: Flags, places_N: Amounts, fit: Fit) -> Spot | None:
    """As many of its places on each node as that holds, on one node after another until it has all."""
    for some_N in alternatives(room.nodes, ask, mask_N & (places_N > 0)):
        rows = np.flatnonzero(some_N)
        if ask.same != NONE:
            codes = room.nodes.topology_NL[rows, ask.same]
            counts = domain_counts(room.nodes, ask.same, rows, places_N)
            enough = np.flatnonzero(counts >= ask.nodes_min)
            if not len(enough):
                continue
            rows = rows[codes == enough[counts[enough].argmin()]]
        if fit is not Fit.FIRST:
            rows = rows[np.argsort(room.left(ask.demand, rows), kind="stable")]
        sums = np.cumsum(places_N[rows])
        if not len(sums) or sums[-1] < ask.nodes_min:
            continue
        last = int(np.searchsorted(sums, ask.nodes_min))
        places = places_N[rows[: last + 1]]
        places[last] -= sums[last] - ask.nodes_min
        return Spot(rows=rows[: last + 1], places=places)
    return None


def _whole(room: Room, ask: Ask, rows: Rows, count: int) -> Rows:
    if count == 1:
        return _lone(room, ask, rows)
    level, rows = _tightest(room, ask, rows, count)
    return _fabric_order(room.nodes, near(room, ask, rows, count, level))


def _lone(room: Room, ask: Ask, rows: Rows) -> Rows:
    """The node that is left most full; of equal ones, one whose innermost known domain has the fewest that fit."""
    if ask.data:
        rows = _with_data(room, ask, rows)
    left = room.left(ask.demand, rows)
    best = rows[left == left.min()]
    if len(best) == 1:
        return best
    for level in reversed(range(LEVELS)):
        if len(room.nodes.domains[level]) == len(room.nodes.ids):
            continue  # a domain for each node: none has others
        codes = room.nodes.topology_NL[best, level]
        if (codes != NONE).all():
            spare = domain_counts(room.nodes, level, rows)[codes]
            return best[spare.argmin()].reshape(1)
    return best[:1]


def _tightest(room: Room, ask: Ask, rows: Rows, count: int) -> tuple[int, Rows]:
    """The innermost level with a domain that holds `count` of `rows`, and the rows in the best fitting one."""
    for level in reversed(range(max(ask.same, 0), LEVELS)):
        if len(room.nodes.domains[level]) == len(room.nodes.ids):
            continue  # a domain for each node: none holds two
        counts = domain_counts(room.nodes, level, rows)
        enough = np.flatnonzero(counts >= count)
        if len(enough):
            codes = room.nodes.topology_NL[rows, level]
            free = _free(room, ask.demand, rows, codes, len(counts))
            data = _data(room, ask, rows, codes, len(counts))
            best = enough[np.lexsort((free[enough], -data[enough], counts[enough]))[0]]
            return level, rows[codes == best]
    return EVERYWHERE, rows


def _fullest(room: Field, ask: Ask, rows: Rows, count: int) -> Rows:
    """The `count` of `rows` that would be left with least; with data, by GPUs, then by data, then by the rest."""
    if len(rows) == count:
        return rows
    left = room.left(ask.demand, rows)
    if not ask.data:
        return rows[np.argsort(left, kind="stable")[:count]]
    return rows[np.lexsort((left, -kept(room.nodes, ask, rows), left // GPU_WEIGHT))[:count]]


def _with_data(room: Room, ask: Ask, rows: Rows) -> Rows:
    """Of the rows that leave the fewest GPUs over, those that keep the most of its data."""
    left = room.left(ask.demand, rows) // GPU_WEIGHT
    rows = rows[left == left.min()]
    there = kept(room.nodes, ask, rows)
    return rows[there == there.max()]


def _data(room: Field, ask: Ask, rows: Rows, codes: Rows, domains: int) -> Amounts:
    """How much of its data is on `rows`, summed by domain; nothing for a gang without any."""
    if not ask.data:
        return np.zeros(domains, dtype=np.int64)
    known = codes != NONE
    sums = np.zeros(domains, dtype=np.int64)
    np.add.at(sums, codes[known], kept(room.nodes, ask, rows[known]))
    return sums


def _free(room: Field, demand: Demand, rows: Rows, codes: Rows, domains: int) -> Amounts:
    """What is free on `rows` of the kind that counts, summed by domain: between equals the fuller domain is taken."""
    kind = GPU if demand.milli_gpu else CPU
    known = codes != NONE
    # Sums of integers below 2**53 are exact in floating point, whatever their order.
    sums = np.bincount(codes[known], weights=room.free(kind, rows[known]), minlength=domains)
    return sums.astype(np.int64)


def _fabric_order(nodes: NodeColumns, rows: Rows) -> Rows:
    """Neighbours in rank are neighbours in the topology: by domain from the site down, then by id."""
    levels = [nodes.topology_NL[rows, level] for level in reversed(range(LEVELS))]
    return rows[np.lexsort([rows, *levels])]
