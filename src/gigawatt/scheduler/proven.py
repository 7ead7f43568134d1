"""Which gangs stop where prices of single nodes do not say it: for segments, for spread, and where watts are what lacks.

All that may stop are let go, the dearest are taken back as long as the placement function finds a place without them, and
then, on the nodes that it has found, every one that is not needed there. So the placement proves each step, and a gang of
which only the watts are needed goes like one of which the nodes are.
"""

from dataclasses import replace

import numpy as np

from gigawatt.scheduler.ask import ask_at
from gigawatt.scheduler.place import Spot, choose
from gigawatt.scheduler.policy import Fit
from gigawatt.scheduler.power import Power
from gigawatt.scheduler.released import Bench, parts_of, released
from gigawatt.scheduler.snapshot import NONE, Flags, Rows
from gigawatt.scheduler.victims import Search


def proven(
    search: Search, may_R: Flags, power: Power | None, fit: Fit
) -> tuple[Flags, Rows] | None:
    """Those of `may_R` that are to go, and the nodes on which the ask then fits; None where that is not enough.

    `power` is what feeds carry without those that are being stopped already.
    """
    gangs = np.flatnonzero(may_R)
    order = gangs[np.lexsort((gangs, -search.price_R[gangs]))]  # the dearest first

    def without(stay: int) -> Flags:
        gone_R = np.zeros_like(may_R)
        gone_R[order[stay:]] = True
        return gone_R

    best, spot = 0, place_without(search, without(0), power, fit)
    if spot is None:
        return None
    low, high = 1, len(order) - 1
    while low <= high:
        middle = (low + high) // 2
        found = place_without(search, without(middle), power, fit)
        if found is None:
            high = middle - 1
        else:
            best, spot, low = middle, found, middle + 1
    return _needed(search, without(best), spot.rows, power), spot.rows


def place_without(search: Search, gone_R: Flags, power: Power | None, fit: Fit) -> Spot | None:
    """Where the ask would go without these, with the fewest nodes that it takes."""
    ask = replace(search.ask, nodes_max=search.ask.nodes_min)
    after = released(search.room, search.running, gone_R)
    mask_N = search.mask_N & after.fits_N(ask.demand)
    if power is None:
        return choose(after, ask, mask_N, fit=fit)
    return power.without(search.running, gone_R).spot(after, ask, mask_N, fit=fit)


def _needed(search: Search, gone_R: Flags, rows: Rows, power: Power | None) -> Flags:
    """Those of `gone_R` without which the ask would not fit on `rows`, the dearest kept first."""
    running, ask = search.running, search.ask
    parts = parts_of(running, gone_R)
    bench = Bench(released(search.room, running, gone_R), np.unique(parts.node_P))
    carried = None if power is None else power.without(running, gone_R)
    needed_R, gangs = gone_R.copy(), np.flatnonzero(gone_R)
    for gang in gangs[np.lexsort((gangs, -search.price_R[gangs]))].tolist():
        own = parts.at(np.flatnonzero(parts.owner_P == gang))
        there = own.node_P[np.isin(own.node_P, rows)]
        at = running.node_M[running.first_R[gang] : running.first_R[gang + 1]]
        places = running.places_M[running.first_R[gang] : running.first_R[gang + 1]]
        drawn = ask_at(running.gangs, gang), at[at != NONE], places[at != NONE]
        bench.give(own, sign=-1)
        if carried is not None:
            carried.take(*drawn)
        stays = bool(bench.fits(ask.demand, bench.places(there)).all())
        stays &= carried is None or carried.carries(ask, rows)
        if stays:
            needed_R[gang] = False
            continue
        bench.give(own)
        if carried is not None:
            carried.take(*drawn, sign=-1)
    return needed_R
