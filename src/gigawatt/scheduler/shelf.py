"""Which innermost domain serves one demand best, found without looking at all: domains stand in heaps by what they have.

A heap keeps entries that are not true any more until they come to its top. A change of a node costs its domain a new
entry, so that a gang costs its own nodes, however many others there are.

D  innermost domains, by code
"""

from collections.abc import Collection
from heapq import heapify, heappop, heappush

import numpy as np

from gigawatt.scheduler.fabric import Fabric
from gigawatt.scheduler.log import Log
from gigawatt.scheduler.snapshot import Amounts, Rows

COUNT_BITS = 40  # a domain's key: how many of its nodes fit, then what is free on them, below 2**40
FREE_MASK = (1 << COUNT_BITS) - 1
NEVER = int(np.iinfo(np.int64).max)
ONE_BY_ONE_MAX = 256  # lines of the log that are read one by one; more are added up by arrays
STALE_MAX = 4  # entries for each domain; beyond it a heap is made anew

Lone = tuple[int, int, int, int]
"""The least that a node of a domain is left with, how many fit there, the node's row, and the domain."""


class Shelf:
    """Of one demand. `worth` and `left` are by state, and are shared with the view that makes them longer."""

    def __init__(self, fabric: Fabric, log: Log, worth: list[int], left: list[int]) -> None:
        self._fabric, self._log, self._worth, self._left = fabric, log, worth, left
        self._members = fabric.members
        self._most = max(map(len, self._members))
        self._keys: list[int] = []
        self._seen = self._moved = -1  # lines and moves
        self._by_count: list[list[tuple[int, int]]] = []
        self._lone_D: list[Lone] = []
        self._lones: list[Lone] = []
        self._stale: set[int] = set()  # domains whose `_lone_D` is not known

    def keys(self) -> list[int]:
        """Of each domain: how many nodes fit, shifted by COUNT_BITS, plus what is free on these. To be read."""
        self._read()
        return self._keys

    def best(self, count: int) -> int | None:
        """The domain with the fewest nodes to spare for so many, of equal ones the least free, then the first."""
        self._read()
        keys = self._keys
        for have in range(count, self._most + 1):
            heap = self._by_count[have]
            while heap:
                free, domain = heap[0]
                if keys[domain] == have << COUNT_BITS | free:
                    return domain
                heappop(heap)
        return None

    def pick(self, domain: int, count: int) -> list[int]:
        """The `count` nodes of a domain, which has them, that are left with least; of equal ones the first."""
        code, left = self._log.code, self._left
        rows = [row for row in self._members[domain] if left[code[row]] != NEVER]
        if len(rows) > count:
            rows = sorted(rows, key=lambda row: left[code[row]])[:count]
        return rows

    def lone(self) -> int | None:
        """The node that is left with least; of equal ones the first whose domain has the fewest that fit."""
        self._read()
        if not self._lone_D:
            self._lone_D = self._lones_of(range(len(self._members)))
            self._lones = [each for each in self._lone_D if each[0] != NEVER]
            heapify(self._lones)
        for each in self._lones_of(self._stale):
            self._lone_D[each[3]] = each
            if each[0] != NEVER:
                heappush(self._lones, each)
        self._stale.clear()
        if len(self._lones) > STALE_MAX * len(self._members):
            self._lones = [each for each in self._lone_D if each[0] != NEVER]
            heapify(self._lones)
        heap = self._lones
        while heap:
            if self._lone_D[heap[0][3]] == heap[0]:
                return heap[0][2]
            heappop(heap)
        return None

    def _lones_of(self, domains: Collection[int]) -> list[Lone]:
        if len(domains) <= ONE_BY_ONE_MAX:
            return [self._lone_of(domain) for domain in domains]
        order = sorted(domains)
        members = self._fabric.members_DM[order]
        left = np.array(self._left)[self._log.codes[members]]
        first = left.argmin(axis=1).reshape(-1, 1)
        least: list[int] = np.take_along_axis(left, first, axis=1).reshape(-1).tolist()
        rows: list[int] = np.take_along_axis(members, first, axis=1).reshape(-1).tolist()
        counts = [self._keys[domain] >> COUNT_BITS for domain in order]
        return list(zip(least, counts, rows, order, strict=True))

    def _lone_of(self, domain: int) -> Lone:
        code, left = self._log.code, self._left
        least, at = NEVER, 0
        for row in self._members[domain]:
            its = left[code[row]]
            if its < least:
                least, at = its, row
        return least, self._keys[domain] >> COUNT_BITS, at, domain

    def _read(self) -> None:
        """Take in what has changed."""
        log, seen, moved = self._log, self._seen, self._moved
        if seen == log.count:
            return
        self._seen, self._moved = log.count, log.moves
        if seen < 0 or log.lost(seen):
            self._anew()
            return
        if log.count - seen > ONE_BY_ONE_MAX:
            changed = self._read_many(seen)
        else:
            keys, worth = self._keys, self._worth
            moves = log.moves_since(moved)
            changed = {domain for domain, _, _, _ in moves}
            for domain, old, new, count in moves:
                keys[domain] += (worth[new] - worth[old]) * count
        if self._lone_D:
            self._stale |= changed
        for domain in changed:
            self._put(domain)

    def _read_many(self, seen: int) -> set[int]:
        rows, old, new = self._log.since(seen)
        worth_S: Amounts = np.array(self._worth)
        domains = self._codes_N[rows]
        changed, inverse = np.unique(domains, return_inverse=True)
        more = np.zeros(len(changed), dtype=np.int64)
        np.add.at(more, inverse, worth_S[new] - worth_S[old])
        found: list[int] = changed.tolist()
        for domain, worth in zip(found, more.tolist(), strict=True):
            self._keys[domain] += worth
        return set(found)

    @property
    def _codes_N(self) -> Rows:
        return self._fabric.levels[self._fabric.innermost].codes_N

    def _anew(self) -> None:
        keys_D = np.zeros(len(self._members), dtype=np.int64)
        np.add.at(keys_D, self._codes_N, np.array(self._worth)[self._log.codes[:-1]])
        self._keys = keys_D.tolist()
        self._lone_D, self._lones = [], []
        self._stale.clear()
        self._fill()

    def _fill(self) -> None:
        """Put every domain on the heap of its count, once."""
        self._by_count = [[] for _ in range(self._most + 1)]
        for domain, key in enumerate(self._keys):
            self._by_count[key >> COUNT_BITS].append((key & FREE_MASK, domain))
        for heap in self._by_count:
            heapify(heap)

    def _put(self, domain: int) -> None:
        key = self._keys[domain]
        heap = self._by_count[key >> COUNT_BITS]
        heappush(heap, (key & FREE_MASK, domain))
        if len(heap) > STALE_MAX * len(self._members):
            self._fill()
