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
from bisect import insort
from collections.abc import Iterator
from itertools import chain, pairwise

import numpy as np

from gigawatt.model.resources import KINDS
from gigawatt.scheduler.levels import levels
from gigawatt.scheduler.policy import Order, Policy
from gigawatt.scheduler.share import Shares
from gigawatt.scheduler.slack import places
from gigawatt.scheduler.snapshot import NONE, Rows, Snapshot

Key = tuple[int, int, float, int, int]
STARVES = -1  # before any code of quotas


class Leaf:
    """The gangs of one project itself. `line` is a heap of (what they borrow, place, row)."""

    def __init__(self, node: int, depth: int) -> None:
        self.node = node
        self.depth = depth
        self.line: list[tuple[int, int, int]] = []
        self.checked = 0  # when its quotas were last looked at, in gangs taken

    def best(self) -> "Leaf":
        return self

    @property
    def empty(self) -> bool:
        return not self.line


class FlatLeaf:
    """As `Leaf`, of a project in a line that is flat: what is left of `line`, which is sorted, begins `at`."""

    def __init__(self, count: int, *, own: bool) -> None:
        self.line: list[int] = []  # what each borrows, times `count`, and its place
        self.at = 0
        self.checked = 0
        self._count = count
        self._own = own  # it has projects below it

    def key(self) -> int:
        """What orders it among its like: whether its first gang borrows, then the place of that."""
        code, place = divmod(self.line[self.at], self._count)
        return self._count + place if self._own or code & 1 else place


class Branch:
    """Projects with gangs left to try, as a heap. `own` is the one entry that stands for its own gangs."""

    def __init__(self, node: int, depth: int) -> None:
        self.node = node
        self.depth = depth
        self.heap: list[tuple[Key, int, Leaf | Branch]] = []

    def best(self) -> Leaf:
        return self.heap[0][-1].best()

    @property
    def empty(self) -> bool:
        return not self.heap

    def rival(self) -> Key | None:
        """The key of the second."""
        return min((entry[0] for entry in self.heap[1:3]), default=None)


Child = Leaf | Branch


class FairLine:
    """Iterate once: each row is yielded when everything that was started before is in the shares."""

    def __init__(self, shares: Shares, ask_G: Rows, snapshot: Snapshot, policy: Policy) -> None:
        gangs = snapshot.gangs
        self._shares, self._policy, self._order = shares, policy, policy.order
        asked: list[int] = ask_G.tolist()
        self._needs = [shares.needs[index] for index in asked]
        width = len(KINDS) + len(shares.vectors.kinds)
        self._need_GK = np.array(self._needs, dtype=np.int64).reshape(len(asked), width)
        waited_G = np.maximum(snapshot.now_ms - gangs.queued_ms_G, 0)
        starving_G = waited_G > policy.starve_after_ms if policy.starve_after_ms else waited_G < 0
        if policy.order is not Order.FAIR:
            starving_G[:] = False
        self._starving: list[bool] = starving_G.tolist()
        priority_G = np.where(starving_G, 0, gangs.priority_G)
        level_G = levels(gangs.attained_ms_G, policy)
        self._class: list[int] = self._classes(priority_G, level_G).tolist()
        place_G = places(gangs, level_G, starving_G.astype(np.intp))
        self._place: list[int] = place_G.tolist()
        turn_ms_G = gangs.queued_ms_G[place_G]
        self._queued: list[int] = turn_ms_G.tolist()
        waited_G = np.maximum(snapshot.now_ms - turn_ms_G, 0)
        self._patience: list[float] = (policy.age_ms / (policy.age_ms + waited_G)).tolist()
        self._quotas = shares.quotas_set
        self._visited: list[int] = []
        self._top = Branch(NONE, NONE)
        within_G = (-priority_G, ~starving_G)
        if policy.order is Order.LEVELS:
            within_G = (level_G, *within_G)
        ordered: list[int] = np.lexsort((place_G, turn_ms_G, *within_G)).tolist()
        if self._is_flat():
            self._rows = self._walk_flat(ordered)
            return
        self._plant(ordered)
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

    def _classes(self, priority_G: Rows, level_G: Rows) -> Rows:
        """What orders gangs across projects before what is owed: less comes first."""
        if self._policy.order is Order.COHORTS:
            return -priority_G
        if self._policy.order is Order.LEVELS:
            return level_G - priority_G * (len(self._policy.levels_ms) + 1)
        if self._policy.order is Order.ATTAINED:
            return np.zeros_like(priority_G)
        return (priority_G < self._policy.urgent_from).astype(np.int64)

    def _is_flat(self) -> bool:
        """Whether claims are in no key, and all projects with gangs are below one, or are that one."""
        if self._order not in {Order.COHORTS, Order.LEVELS}:
            return False
        chains = [self._shares.chain(node) for node in set(self._shares.node_G)]
        above = max((one[:-1] for one in chains), key=len, default=())
        return all(above in {one, one[:-1]} for one in chains)

    def _walk_flat(self, ordered: list[int]) -> Iterator[int]:
        """As `_walk` where there is one choice, that of the project: keys are whether it borrows, and the place in `ordered`."""
        shares, visited, count = self._shares, self._visited, len(ordered)
        leaves = self._laid_out(ordered)
        heap = [(leaf.key(), index) for index, leaf in enumerate(leaves)]
        heapq.heapify(heap)
        while heap:
            leaf = leaves[heap[0][1]]
            if self._sunk(leaf, ordered):
                heapq.heapreplace(heap, (leaf.key(), heap[0][1]))
                continue
            rival = min(heap[1:3], default=None)
            taken = shares.taken
            while True:
                row = ordered[leaf.line[leaf.at] % count]
                leaf.at += 1
                visited.append(row)
                yield row
                if shares.taken != taken or leaf.at == len(leaf.line):
                    break
                if rival is not None and leaf.key() > rival[0]:
                    break
            if leaf.at == len(leaf.line):
                heapq.heappop(heap)
            else:
                self._sunk(leaf, ordered)
                heapq.heapreplace(heap, (leaf.key(), heap[0][1]))

    def _laid_out(self, ordered: list[int]) -> "list[FlatLeaf]":
        """The gangs of each project, as numbers that sort as what they borrow and their places do."""
        count, node_G = len(ordered), self._shares.node_G
        codes = self._codes()
        above = {at for node in set(node_G) for at in self._shares.chain(node)[:-1]}
        leaves: dict[int, FlatLeaf] = {}
        for place, row in enumerate(ordered):
            node = node_G[row]
            leaf = leaves.get(node)
            if leaf is None:
                leaf = leaves[node] = FlatLeaf(count, own=node in above)
            leaf.line.append(codes[row] * count + place)
        for leaf in leaves.values():
            leaf.line.sort()
        return [leaves[node] for node in sorted(leaves)]

    def _sunk(self, leaf: "FlatLeaf", ordered: list[int]) -> bool:
        """As `_stale`."""
        if not self._quotas or leaf.checked == self._shares.taken:
            return False
        leaf.checked = self._shares.taken
        line, count, more = leaf.line, len(ordered), False
        while True:
            code, place = divmod(line[leaf.at], count)
            now = self._borrows(ordered[place])
            if now == code:
                return more
            leaf.at += 1
            insort(line, now * count + place, lo=leaf.at)
            more = True

    def _plant(self, ordered: list[int]) -> None:
        """The tree of those that have gangs to try."""
        leaves: dict[int, Leaf] = {}
        codes = self._codes()
        for place, row in enumerate(ordered):
            node = self._shares.node_G[row]
            leaf = leaves.get(node)
            if leaf is None:
                leaf = leaves[node] = Leaf(node, len(self._shares.chain(node)) - 1)
            leaf.line.append((codes[row], place, row))
        below: dict[int, set[int]] = {}
        for node in leaves:
            path = (NONE, *self._shares.chain(node))
            for above, at in pairwise(path):
                below.setdefault(above, set()).add(at)
        for leaf in leaves.values():
            heapq.heapify(leaf.line)
        self._top = self._grown(self._top, below, leaves)

    def _codes(self) -> list[int]:
        """What each gang borrows at first, as `_borrows` has it."""
        if not self._quotas:
            return [STARVES if starving else 0 for starving in self._starving]
        code_G = self._shares.codes(self._need_GK)
        code_G[np.array(self._starving, dtype=np.bool_)] = STARVES
        return code_G.tolist()

    def _grown(self, branch: Branch, below: dict[int, set[int]], leaves: dict[int, Leaf]) -> Branch:
        """The branch with all that is below it."""
        node = branch.node
        children: list[Child] = [
            self._grown(Branch(at, branch.depth + 1), below, leaves) if at in below else leaves[at]
            for at in sorted(below.get(node, ()))
        ]
        if node in leaves:
            children.append(leaves[node])
        branch.heap = [
            (self._key(branch, child, child.best()), index, child)
            for index, child in enumerate(children)
        ]
        heapq.heapify(branch.heap)
        return branch

    def _walk(self) -> Iterator[int]:
        while not self._top.empty:
            path, leaf = self._path()
            if self._stale(leaf):
                self._settle(path, leaf)
                continue
            for row in self._run(leaf, path):
                self._visited.append(row)
                yield row
            self._settle(path, leaf)

    def _path(self) -> tuple[list[tuple[Branch, Child]], Leaf]:
        """Each branch where there is a choice, with the child that comes next there, from the top; and the leaf."""
        path: list[tuple[Branch, Child]] = []
        at: Child = self._top
        while isinstance(at, Branch):
            child = at.heap[0][-1]
            path.append((at, child))
            at = child
        return path, at

    def _run(self, leaf: Leaf, path: list[tuple[Branch, Child]]) -> Iterator[int]:
        """Its gangs, until one is started or another project comes first."""
        rivals = [
            (branch, child, rival)
            for branch, child in path
            if (rival := branch.rival()) is not None
        ]
        line, shares = leaf.line, self._shares
        while line:
            taken = shares.taken
            yield heapq.heappop(line)[-1]
            if shares.taken != taken or not line:
                return
            for branch, child, rival in rivals:
                if self._key(branch, child, leaf) > rival:
                    return

    def _settle(self, path: list[tuple[Branch, Child]], leaf: Leaf) -> None:
        """Put the children of a path where they belong now, from the lowest up."""
        if leaf.line:
            self._stale(leaf)
        for branch, child in reversed(path):
            heap = branch.heap
            if child.empty:
                heapq.heappop(heap)
            elif len(heap) > 1:
                heapq.heapreplace(heap, (self._key(branch, child, child.best()), heap[0][1], child))

    def _stale(self, leaf: Leaf) -> bool:
        """Bring what its first gangs borrow up to what is used by now; whether any borrows more."""
        if not self._quotas or leaf.checked == self._shares.taken:
            return False
        leaf.checked = self._shares.taken
        line, more = leaf.line, False
        while (now := self._borrows(line[0][-1])) != line[0][0]:
            heapq.heapreplace(line, (now, *line[0][1:]))
            more = True
        return more

    def _borrows(self, row: int) -> int:
        """One bit for each level at which the gang would not stay within the quota, the top one first."""
        if self._starving[row]:
            return STARVES
        code, need, shares = 0, self._needs[row], self._shares
        for at in shares.chain(shares.node_G[row]):
            code = 2 * code + (not shares.within(at, need))
        return code

    def _key(self, branch: Branch, child: Child, leaf: Leaf) -> Key:
        """What orders the child in the branch while `leaf` is the best below it."""
        code, _, row = leaf.line[0]
        queued_ms, place = self._queued[row], self._place[row]
        if code == STARVES:
            return STARVES, 0, 0.0, queued_ms, place
        node, claim = child.node, 0.0
        own = node == branch.node
        borrows = 1 if own else code >> (leaf.depth - child.depth) & 1
        if self._order not in {Order.COHORTS, Order.LEVELS}:
            claim = self._shares.own_share(node) if own else self._shares.claims[node]
            if self._order is Order.FAIR:
                claim *= self._patience[row]
        return borrows, self._class[row], claim, queued_ms, place
