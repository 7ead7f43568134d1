"""The line by fairness: whose gang is tried next, given all that has been started before it.

The tree of projects is walked from the top. At every level the next is, of those with gangs left to try,

1. the one whose next gang has waited longer than `starve_after_ms`, the longest first;
2. then one that stays within its quota with it, before one that borrows;
3. then one whose next gang is urgent (`urgent_from`);
4. then the one with the least claim: its dominant share, which shrinks as its next gang waits;
5. then whose next gang has waited longest, then by id.

Within a project it is those that starve, then those that stay within the quotas, then by priority, wait, id. A gang that
is not started changes no share, so the one that is owed most goes on until it starts something or has tried all.
"""

import heapq
from collections.abc import Iterator
from itertools import chain, pairwise

import numpy as np

from gigawatt.scheduler.policy import Order, Policy
from gigawatt.scheduler.share import Shares
from gigawatt.scheduler.snapshot import NONE, Rows, Snapshot

Key = tuple[int, int, float, int, int]
STARVES = -1  # before any code of quotas


class Leaf:
    """The gangs of one project itself. `line` is a heap of (what they borrow, place, row)."""

    def __init__(self, node: int) -> None:
        self.node = node
        self.line: list[tuple[int, int, int]] = []
        self.checked = 0  # when its quotas were last looked at, in gangs taken

    def best(self) -> "Leaf":
        return self

    @property
    def empty(self) -> bool:
        return not self.line


class Branch:
    """Projects with gangs left to try, as a heap. `own` is the one entry that stands for its own gangs."""

    def __init__(self, node: int) -> None:
        self.node = node
        self.heap: list[tuple[Key, int, Leaf | Branch]] = []

    def best(self) -> Leaf:
        return self.heap[0][-1].best()

    @property
    def empty(self) -> bool:
        return not self.heap

    def rival(self) -> Key | None:
        """The key of the second."""
        return min((entry[0] for entry in self.heap[1:3]), default=None)


class FairLine:
    """Iterate once: each row is yielded when everything that was started before is in the shares."""

    def __init__(self, shares: Shares, ask_G: Rows, snapshot: Snapshot, policy: Policy) -> None:
        gangs = snapshot.gangs
        self._shares, self._policy = shares, policy
        asked: list[int] = ask_G.tolist()
        self._needs = [shares.needs[index] for index in asked]
        self._queued: list[int] = gangs.queued_ms_G.tolist()
        waited_G = np.maximum(snapshot.now_ms - gangs.queued_ms_G, 0)
        starving_G = waited_G > policy.starve_after_ms if policy.starve_after_ms else waited_G < 0
        if policy.order is not Order.FAIR:
            starving_G[:] = False
        self._starving: list[bool] = starving_G.tolist()
        priority_G = np.where(starving_G, 0, gangs.priority_G)
        self._class: list[int] = self._classes(priority_G).tolist()
        self._patience: list[float] = (policy.age_ms / (policy.age_ms + waited_G)).tolist()
        self._quotas = shares.quotas_set
        self._visited: list[int] = []
        self._top = Branch(NONE)
        self._plant(np.lexsort((gangs.queued_ms_G, -priority_G, ~starving_G)).tolist())
        self._rows = self._walk()

    def __iter__(self) -> Iterator[int]:
        """Each call goes on where the last one ended."""
        return self._rows

    def until(self, row: int) -> Iterator[int]:
        """Those before `row`, which is left for the next to take."""
        for each in self._rows:
            if each == row:
                self._rows = chain((each,), self._rows)
                return
            yield each

    def resumed(self, row: int, head: int) -> None:
        """Go on at `row` once the first `head` have been tried; those in between come last."""
        self._rows = self._from(row, head, self._rows)

    def rows(self) -> Rows:
        """All, in the order in which they were tried, and then as if nothing more were started."""
        for _ in self._rows:
            pass
        return np.array(self._visited, dtype=np.intp)

    def _from(self, row: int, head: int, rows: Iterator[int]) -> Iterator[int]:
        passed: list[int] = []
        found = False
        for place, each in enumerate(rows):
            found = found or each == row
            if place < head or found:
                yield each
            else:
                passed.append(each)
        yield from passed

    def _classes(self, priority_G: Rows) -> Rows:
        """What orders gangs across projects before what is owed: less comes first."""
        if self._policy.order is Order.COHORTS:
            return -priority_G
        if self._policy.order is Order.ATTAINED:
            return np.zeros_like(priority_G)
        return (priority_G < self._policy.urgent_from).astype(np.int64)

    def _plant(self, ordered: list[int]) -> None:
        """The tree of those that have gangs to try."""
        leaves: dict[int, Leaf] = {}
        for place, row in enumerate(ordered):
            node = self._shares.node_G[row]
            leaf = leaves.get(node)
            if leaf is None:
                leaf = leaves[node] = Leaf(node)
            leaf.line.append((self._borrows(row), place, row))
        below: dict[int, set[int]] = {}
        for node in leaves:
            path = (NONE, *self._shares.chain(node))
            for above, at in pairwise(path):
                below.setdefault(above, set()).add(at)
        for leaf in leaves.values():
            heapq.heapify(leaf.line)
        self._top = self._grown(NONE, below, leaves)

    def _grown(self, node: int, below: dict[int, set[int]], leaves: dict[int, Leaf]) -> Branch:
        branch = Branch(node)
        children: list[Leaf | Branch] = [
            self._grown(at, below, leaves) if at in below else leaves[at]
            for at in sorted(below.get(node, ()))
        ]
        if node in leaves:
            children.append(leaves[node])
        branch.heap = [
            (self._key(branch, child), index, child) for index, child in enumerate(children)
        ]
        heapq.heapify(branch.heap)
        return branch

    def _walk(self) -> Iterator[int]:
        while not self._top.empty:
            path, leaf = self._path()
            if self._stale(leaf):
                self._settle(path)
                continue
            rivals = [
                (branch, child, rival)
                for branch, child in path
                if (rival := branch.rival()) is not None
            ]
            for row in self._run(leaf, rivals):
                self._visited.append(row)
                yield row
            self._settle(path)

    def _path(self) -> tuple[list[tuple[Branch, "Leaf | Branch"]], Leaf]:
        """Each branch with the child that comes next there, from the top, and the leaf at the end."""
        path: list[tuple[Branch, Leaf | Branch]] = []
        at: Leaf | Branch = self._top
        while isinstance(at, Branch):
            child = at.heap[0][-1]
            path.append((at, child))
            at = child
        return path, at

    def _run(self, leaf: Leaf, rivals: list[tuple[Branch, "Leaf | Branch", Key]]) -> Iterator[int]:
        """Its gangs, until one is started or another project comes first."""
        while leaf.line:
            taken = self._shares.taken
            yield heapq.heappop(leaf.line)[-1]
            if self._shares.taken != taken:
                return
            if leaf.line and any(
                self._key_of(branch, child, leaf) > rival for branch, child, rival in rivals
            ):
                return

    def _settle(self, path: list[tuple[Branch, "Leaf | Branch"]]) -> None:
        """Put the children of a path where they belong now, from the lowest up."""
        for branch, child in reversed(path):
            if child.empty:
                heapq.heappop(branch.heap)
            else:
                entry = self._key(branch, child), branch.heap[0][1], child
                heapq.heapreplace(branch.heap, entry)

    def _stale(self, leaf: Leaf) -> bool:
        """Bring what its first gangs borrow up to what is used by now; whether another comes first."""
        if not self._quotas or leaf.checked == self._shares.taken:
            return False
        leaf.checked = self._shares.taken
        first = leaf.line[0]
        while (now := self._borrows(leaf.line[0][-1])) != leaf.line[0][0]:
            heapq.heapreplace(leaf.line, (now, *leaf.line[0][1:]))
        return leaf.line[0] != first

    def _borrows(self, row: int) -> int:
        """One bit for each level at which the gang would not stay within the quota, the top one first."""
        if self._starving[row]:
            return STARVES
        if not self._quotas:
            return 0
        code, need, shares = 0, self._needs[row], self._shares
        for at in shares.chain(shares.node_G[row]):
            code = 2 * code + (not shares.within(at, need))
        return code

    def _key(self, branch: Branch, child: "Leaf | Branch") -> Key:
        return self._key_of(branch, child, child.best())

    def _key_of(self, branch: Branch, child: "Leaf | Branch", leaf: Leaf) -> Key:
        row, shares = leaf.line[0][-1], self._shares
        if self._starving[row]:
            return STARVES, 0, 0.0, self._queued[row], row
        own = child.node == branch.node
        borrows = own or not (self._quotas and shares.within(child.node, self._needs[row]))
        claim = 0.0
        if self._policy.order is not Order.COHORTS:
            claim = shares.own_share(child.node) if own else shares.share(child.node)
            if self._policy.order is Order.FAIR:
                claim *= self._patience[row]
        return int(borrows), self._class[row], claim, self._queued[row], row
