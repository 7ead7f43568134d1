"""Where one demand fits, domain by domain: kept up to date by what has changed since it was last looked at.

S  states, by code
D  domains of a level, and one more that is never looked at
"""

from dataclasses import dataclass

import numpy as np

from gigawatt.scheduler.ask import Demand
from gigawatt.scheduler.fabric import Fabric
from gigawatt.scheduler.log import Log
from gigawatt.scheduler.shelf import COUNT_BITS, NEVER, Shelf
from gigawatt.scheduler.snapshot import Amounts, Flags, Rows
from gigawatt.scheduler.states import States


@dataclass(slots=True)
class _Kept:
    """What is known of the domains of one level, up to a place in the log."""

    keys_D: Amounts
    seen: int


class View:
    """Of one demand, on GPUs of one kind where `kind` is given."""

    def __init__(
        self,
        demand: Demand,
        kind: int | None,
        *,
        fabric: Fabric,
        states: States,
        log: Log,
        largest_K: Amounts,
    ) -> None:
        self.demand = demand
        self._kind = kind
        self._fabric, self._states, self._log = fabric, states, log
        self._largest_K = largest_K
        self._fits_S: Flags = np.empty(0, dtype=np.bool_)
        self._worth_S: Amounts = np.empty(0, dtype=np.int64)  # of a node to its domain's key
        self._left_S: Amounts = np.empty(0, dtype=np.int64)  # NEVER where it does not fit
        self._levels: dict[int, _Kept] = {}
        self._worth: list[int] = []
        self._left: list[int] = []
        self._shelf = Shelf(fabric, log, self._worth, self._left)

    def keys(self, level: int) -> Amounts:
        """Of each domain: how many nodes fit, shifted by COUNT_BITS, plus what is free on these."""
        self._meet()
        kept = self._levels.get(level)
        of = self._fabric.levels[level]
        if kept is None or self._log.lost(kept.seen):
            keys = np.zeros(of.domains, dtype=np.int64)
            outer_D = of.codes_N[self._fabric.members_DM[:, 0]]  # where each innermost one lies
            np.add.at(keys, outer_D, np.array(self._shelf.keys(), dtype=np.int64))
            kept = self._levels[level] = _Kept(keys, self._log.count)
        elif kept.seen < self._log.count:
            rows, old, new = self._log.since(kept.seen)
            kept.seen = self._log.count
            change = self._worth_S[new] - self._worth_S[old]
            np.add.at(kept.keys_D, of.codes_N[rows], change)
        return kept.keys_D

    def fitting(self, rows: Rows) -> Rows:
        """Those of `rows` where it fits."""
        self._meet()
        return rows[self._fits_S[self._log.codes[rows]]]

    def left(self, rows: Rows) -> Amounts:
        """What `Room.left` says of each of `rows`, where it fits."""
        self._meet()
        return self._left_S[self._log.codes[rows]]

    def lone(self) -> int | None:
        """The node that is left most full; of equal ones the first whose innermost domain has the fewest that fit."""
        self._meet()
        return self._shelf.lone()

    def neighbours(self, count: int) -> list[int] | None:
        """So many nodes of the innermost domain that has the fewest to spare; None where none has as many."""
        self._meet()
        domain = self._shelf.best(count)
        return None if domain is None else self._shelf.pick(domain, count)

    def _meet(self) -> None:
        """Work out what it makes of states that are new."""
        start, states = len(self._fits_S), self._states
        if start == states.count:
            return
        fits = states.fits_S(self.demand, self._kind, start)
        worth = np.where(fits, (1 << COUNT_BITS) + states.free_S(self.demand, start), 0)
        left = np.where(fits, states.left_S(self.demand, self._largest_K, start), NEVER)
        self._fits_S = np.concatenate([self._fits_S, fits])
        self._worth_S = np.concatenate([self._worth_S, worth])
        self._left_S = np.concatenate([self._left_S, left])
        self._worth += worth.tolist()
        self._left += left.tolist()
