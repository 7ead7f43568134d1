"""Where a gang could go at all: nodes by what they are, whatever else runs there."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gigawatt.scheduler.arrange import arranged
from gigawatt.scheduler.ask import Ask, Demand
from gigawatt.scheduler.snapshot import (
    DEVICE_MILLI,
    GPU,
    NONE,
    Amounts,
    Flags,
    NodeColumns,
    Rows,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The nodes that one ask may be given, from the widest to what it is given now. Flags are over N."""

    ever_N: Flags  # would hold one node's worth if they were empty
    open_N: Flags  # of those, the ones that take gangs
    allowed_N: Flags  # of those, without the ones to avoid, where enough others are left


def ground(nodes: NodeColumns, ask: Ask) -> Ground:
    """Nodes to avoid are avoided while open ones without them could hold the gang when empty.

    Where they could not, a suspect is better than never starting.
    """
    ever_N = empty_fits_N(nodes, ask.demand)
    open_N = ever_N & nodes.open_N
    allowed_N = open_N
    avoided = [row for row in map(nodes.row, ask.avoid) if row != NONE]
    if avoided:
        others_N = open_N.copy()
        others_N[avoided] = False
        if reach(nodes, ask, others_N) >= ask.nodes_min:
            allowed_N = others_N
    return Ground(ever_N=ever_N, open_N=open_N, allowed_N=allowed_N)


def empty_fits_N(nodes: NodeColumns, demand: Demand) -> Flags:
    """Nodes that would hold one node's worth of `demand` if nothing else ran there and they were open."""
    have_NK = empty_NK(nodes, demand)
    fits = np.full(len(nodes.ids), demand.divisible)
    for kind, amount in enumerate(demand.vector()):
        if amount:
            fits &= have_NK[:, kind] >= amount
    return fits


def empty_NK(nodes: NodeColumns, demand: Demand) -> Amounts:
    """What each node could give to `demand` if it were empty; of a share, no more than one device's."""
    have_NK = nodes.total_NK.copy()
    devices = np.minimum(nodes.device_count_N, 1) if demand.share else nodes.device_count_N
    have_NK[:, GPU] = np.minimum(have_NK[:, GPU], devices * DEVICE_MILLI)
    return have_NK


def alternatives(nodes: NodeColumns, ask: Ask, mask_N: Flags) -> Iterator[Flags]:
    """`mask_N` by the kinds of GPU that the ask names, in its order; all of it where it names none.

    Of a gang with segments or spread, what these leave of it.
    """
    known = [kind for kind in ask.kinds if kind in nodes.gpu_kinds]
    for some_N in (
        (mask_N & (nodes.gpu_kind_N == nodes.gpu_kinds.index(kind)) for kind in known)
        if ask.kinds
        else (mask_N,)
    ):
        yield arranged(nodes, ask, some_N) if ask.terms.arranged else some_N


def reach(nodes: NodeColumns, ask: Ask, mask_N: Flags, places_N: Amounts | None = None) -> int:
    """The most nodes of `mask_N` that the gang could be given together: of one kind, and in one domain of `same`.

    Of a stacked gang it is places: those of `places_N`, or what the nodes would hold if they were empty.
    """
    if ask.stacked and places_N is None:
        places_N = empty_places_N(nodes, ask.demand)
    return max(
        (
            together(nodes, ask.same, some_N, places_N if ask.stacked else None)
            for some_N in alternatives(nodes, ask, mask_N)
        ),
        default=0,
    )


def together(nodes: NodeColumns, same: int, mask_N: Flags, places_N: Amounts | None = None) -> int:
    """The most nodes of `mask_N`, or places on them, in one domain of level `same`; of all where it is NONE."""
    if same == NONE:
        return int(np.count_nonzero(mask_N) if places_N is None else places_N[mask_N].sum())
    rows = np.flatnonzero(mask_N)
    return int(domain_counts(nodes, same, rows, places_N).max(initial=0))


def empty_places_N(nodes: NodeColumns, demand: Demand) -> Amounts:
    """How often each node would hold one node's worth of `demand` if nothing else ran there."""
    return places_in(empty_NK(nodes, demand).T, demand)


def places_in(free_KN: Amounts, demand: Demand) -> Amounts:
    """How often `demand` is contained in what is free; once of a demand for nothing."""
    asked = [(kind, amount) for kind, amount in enumerate(demand.vector()) if amount]
    if not asked:
        return np.ones_like(free_KN[0])
    return np.minimum.reduce([np.maximum(free_KN[kind], 0) // amount for kind, amount in asked])


def usable_N(nodes: NodeColumns, ask: Ask, mask_N: Flags) -> Flags:
    """Those nodes of `mask_N` that could be among the ones given: where enough of them are together."""
    usable = np.zeros_like(mask_N)
    places_N = empty_places_N(nodes, ask.demand) if ask.stacked else None
    for some_N in alternatives(nodes, ask, mask_N):
        if ask.same == NONE:
            if together(nodes, NONE, some_N, places_N) >= ask.nodes_min:
                usable |= some_N
        else:
            codes_N = nodes.topology_NL[:, ask.same]
            enough = (
                domain_counts(nodes, ask.same, np.flatnonzero(some_N), places_N) >= ask.nodes_min
            )
            usable |= some_N & np.append(enough, False)[codes_N]  # NONE finds the last: False
    return usable


def domain_counts(
    nodes: NodeColumns, level: int, rows: Rows, places_N: Amounts | None = None
) -> Amounts:
    """How many of `rows`, or of places on them, each domain of a level has."""
    codes = nodes.topology_NL[rows, level]
    known, domains = codes != NONE, len(nodes.domains[level])
    if places_N is None:
        return np.bincount(codes[known], minlength=domains)
    sums = np.bincount(codes[known], weights=places_N[rows[known]], minlength=domains)
    return sums.astype(np.int64)
