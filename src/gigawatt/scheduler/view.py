"""Where one demand fits, domain by domain: kept up to date by what has changed since it was last looked at.

S  states, by code
D  domains of a level, and one more that is never looked at
"""

from dataclasses import dataclass

import numpy as np

from gigawatt.scheduler.ask import Demand
from gigawatt.scheduler.fabric import Fabric
from gigawatt.scheduler.snapshot import Amounts, Codes, Flags, Rows
from gigawatt.scheduler.states import States

COUNT_BITS = 40  # a domain's key: how many of its nodes fit, then what is free on them, below 2**40
NEVER = np.iinfo(np.int64).max


class Log:
    """Every change of a node's state since this was made, in order."""

    def __init__(self, codes: Codes) -> None:
        self.codes: Codes = np.append(codes, np.int32(0))  # of each node, and of none
        self._rows: Rows = np.empty(1024, dtype=np.intp)
        self._old: Codes = np.empty(1024, dtype=np.int32)
        self._new: Codes = np.empty(1024, dtype=np.int32)
        self.count = 0

    def put(self, rows: Rows, new: Codes) -> None:
        """`rows`, each once, are in these states now."""
        start, self.count = self.count, self.count + len(rows)
        while self.count > len(self._rows):
            self._rows = np.concatenate([self._rows, self._rows])
            self._old = np.concatenate([self._old, self._old])
            self._new = np.concatenate([self._new, self._new])
        self._rows[start : self.count] = rows
        self._old[start : self.count] = self.codes[rows]
        self._new[start : self.count] = new
        self.codes[rows] = new

    def since(self, seen: int) -> tuple[Rows, Codes, Codes]:
        """Rows, the state that each left, and the one that it came to."""
        part = slice(seen, self.count)
        return self._rows[part], self._old[part], self._new[part]


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
        self._least_D: Amounts = np.empty(0, dtype=np.int64)
        self._least_seen = -1
        self._least_row_D: Rows = np.empty(0, dtype=np.intp)

    def keys(self, level: int) -> Amounts:
        """Of each domain: how many nodes fit, shifted by COUNT_BITS, plus what is free on these."""
        self._meet()
        kept = self._levels.get(level)
        of = self._fabric.levels[level]
        if kept is None or self._log.count - kept.seen > len(of.codes_N):
            keys = np.zeros(of.domains, dtype=np.int64)
            np.add.at(keys, of.codes_N, self._worth_S[self._log.codes[:-1]])
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
        least_D = self._least()
        least = least_D.min()
        if least == NEVER:
            return None
        best = np.flatnonzero(least_D == least)
        if len(best) > 1:
            counts = self.keys(self._fabric.innermost)[best] >> COUNT_BITS
            best = best[counts == counts.min()]
        return int(self._least_row_D[best].min())

    def _least(self) -> Amounts:
        """Of each innermost domain the least that a node is left with."""
        self._meet()
        log, fabric = self._log, self._fabric
        if self._least_seen == log.count:
            return self._least_D
        if self._least_seen < 0 or log.count - self._least_seen > len(log.codes):
            changed: Rows | slice = slice(None)
            self._least_D = np.empty(len(fabric.members_DM), dtype=np.int64)
            self._least_row_D = np.empty(len(fabric.members_DM), dtype=np.intp)
        else:
            changed = fabric.levels[fabric.innermost].codes_N[log.since(self._least_seen)[0]]
        self._least_seen = log.count
        members = fabric.members_DM[changed]
        left = self._left_S[log.codes[members]]
        first = left.argmin(axis=1)
        at = np.arange(len(first))
        self._least_D[changed] = left[at, first]
        self._least_row_D[changed] = members[at, first]
        return self._least_D

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
