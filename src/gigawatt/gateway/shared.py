"""What the workers of a gateway count together: memory that all of them see, of which each writes its own cells alone.

No lock: a worker adds to its own cell first and then sums everybody's, so that two who take the last place at once
both find it taken; both may be refused, never both let in. A cell is a cache line. The gateway's parent has a cell in
every row too, for what only it knows.
"""

import mmap
from array import array
from collections.abc import Mapping
from typing import Protocol

ROWS_MAX = 8_192
WORDS = 8  # of 64 bits, in a cell
IN_FLIGHT, SECOND, REQUESTS, REQUESTS_BEFORE, MINUTE, TOKENS, TOKENS_BEFORE, SPENT = range(WORDS)
WORD_BYTES = 8


class Words(Protocol):
    """Integers of 64 bits, in memory that may be shared."""

    def __getitem__(self, at: int, /) -> int: ...

    def __setitem__(self, at: int, value: int, /) -> None: ...


class Table:
    """Rows of cells, one for each worker, then the parent's."""

    def __init__(self, words: Words, *, workers: int, slot: int) -> None:
        """`slot` is whose cells are written here: a worker's from 0, or the parent's, which is `workers`."""
        self._words = words
        self.workers = workers
        self.slot = slot

    def share(self, row: int) -> "Share":
        """One row."""
        first = row * (self.workers + 1) * WORDS
        return Share(self._words, first, workers=self.workers, slot=self.slot)

    def clear_slot(self, slot: int) -> None:
        """Forget what a worker that has ended held: whoever has its place now begins anew."""
        for row in range(ROWS_MAX):
            at = (row * (self.workers + 1) + slot) * WORDS
            if self._words[at + IN_FLIGHT]:
                self._words[at + IN_FLIGHT] = 0


class Share:
    """A row as one worker sees it."""

    __slots__ = ("_cells", "_own", "_parent", "_words")

    def __init__(self, words: Words, first: int, *, workers: int, slot: int) -> None:
        self._words = words
        self._own = first + slot * WORDS
        self._cells = tuple(first + worker * WORDS for worker in range(workers))
        self._parent = first + workers * WORDS

    @property
    def in_flight(self) -> int:
        """Of all workers."""
        words, cells = self._words, self._cells
        if len(cells) == 1:
            return words[cells[0]]
        return sum(words[cell] for cell in cells)

    def enter(self) -> None:
        self._words[self._own] += 1

    def set(self, amount: int) -> None:
        """What this worker has in flight, where it is counted elsewhere."""
        self._words[self._own] = amount

    def leave(self) -> None:
        self._words[self._own] -= 1

    def detach(self) -> None:
        """Nobody else counts this any more, and the row may become another's; who still holds a part goes on alone."""
        own = array("q", bytes(WORDS * WORD_BYTES))
        own[IN_FLIGHT] = self._words[self._own]
        self._words[self._own] = 0
        self._words, self._own, self._cells, self._parent = own, 0, (0,), 0

    def add_requests(self, more: int, *, second: int) -> None:
        self._add(SECOND, second, more)

    def add_tokens(self, more: int, *, minute: int) -> None:
        self._add(MINUTE, minute, more)

    def requests(self, second: int) -> tuple[int, int]:
        """Of all workers in this second, and in the one before."""
        return self._sums(SECOND, second)

    def tokens(self, minute: int) -> tuple[int, int]:
        """Likewise, in minutes."""
        return self._sums(MINUTE, minute)

    @property
    def spent(self) -> int:
        """As the parent last said."""
        return self._words[self._parent + SPENT]

    @spent.setter
    def spent(self, tokens: int) -> None:
        self._words[self._parent + SPENT] = tokens

    def _add(self, kind: int, window: int, more: int) -> None:
        """`kind` is the word that says which window; the counts of it and of the one before follow."""
        words, at = self._words, self._own + kind
        if words[at] != window:
            words[at + 2] = words[at + 1] if words[at] == window - 1 else 0
            words[at] = (
                window  # before the count is reset: a reader meanwhile sees too much, never too little
            )
            words[at + 1] = 0
        words[at + 1] += more

    def _sums(self, kind: int, window: int) -> tuple[int, int]:
        words = self._words
        now = before = 0
        for cell in self._cells:
            at = cell + kind
            if words[at] == window:
                now += words[at + 1]
                before += words[at + 2]
            elif words[at] == window - 1:
                before += words[at + 1]
        return max(now, 0), max(before, 0)


class Shares:
    """The rows of a worker, by whose they are; who has none is counted by this worker alone."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.rows: Mapping[str, int] = {}

    def of(self, name: str) -> Share:
        row = self.rows.get(name)
        return own_table(rows=1).share(0) if row is None else self.table.share(row)


def own_table(rows: int = ROWS_MAX) -> Table:
    """Of a gateway that is one process."""
    return Table(array("q", bytes(rows * 2 * WORDS * WORD_BYTES)), workers=1, slot=0)


def table_bytes(workers: int) -> int:
    return ROWS_MAX * (workers + 1) * WORDS * WORD_BYTES


def shared_table(descriptor: int, *, workers: int, slot: int) -> Table:
    """Of a file that the workers and their parent have open."""
    memory = mmap.mmap(descriptor, table_bytes(workers))
    return Table(memoryview(memory).cast("q"), workers=workers, slot=slot)


class Rows:
    """Which row is whose. A row that is free is not given again for `rest_s`: somebody may still count in it."""

    def __init__(self, rest_s: float = 180.0) -> None:
        self._rest_s = rest_s
        self._taken: dict[str, int] = {}
        self._free: list[tuple[float, int]] = []  # when it became free
        self._next = 0

    def assign(self, names: list[str], *, now_s: float) -> dict[str, int]:
        """The rows of `names`, those that had one before the same. Names that find no room are left out."""
        wanted = frozenset(names)
        for name in [name for name in self._taken if name not in wanted]:
            self._free.append((now_s, self._taken.pop(name)))
        for name in names:
            if name not in self._taken and (row := self._take(now_s)) is not None:
                self._taken[name] = row
        return dict(self._taken)

    def _take(self, now_s: float) -> int | None:
        if self._free and self._free[0][0] + self._rest_s <= now_s:
            return self._free.pop(0)[1]
        if self._next == ROWS_MAX:
            return None
        self._next += 1
        return self._next - 1
