"""In which state each node is, by code, and every change of that, in order: what follows from it is kept by reading on."""

from itertools import repeat

import numpy as np

from gigawatt.scheduler.snapshot import Codes, Rows

LINES_MAX = 1 << 18  # beyond it the oldest go, and who has not read them begins anew

Move = tuple[int, int, int, int]
"""An innermost domain, the state that some of its nodes left, the one that they came to, and how many they are."""


class Log:
    """`code` is by row, with one more for no node; it is to be read, as `codes` is, which lags behind until it is asked.

    A line is one node's change. A move is what one domain's nodes went through together, so that there are fewer.
    """

    def __init__(self, codes_N: Codes, domain_of: list[int]) -> None:
        self._domain_of = domain_of
        self._codes: Codes = np.append(codes_N, np.int32(0))
        self.code: list[int] = self._codes.tolist()
        self._rows: list[int] = []
        self._old: list[int] = []
        self._new: list[int] = []
        self._moves: list[Move] = []
        self._gone = self._moves_gone = 0  # those that are not kept any more
        self._told = 0  # lines that `codes` knows of

    @property
    def count(self) -> int:
        """Lines that were ever written: where a reader that has read all goes on."""
        return self._gone + len(self._rows)

    @property
    def moves(self) -> int:
        """Moves that there ever were."""
        return self._moves_gone + len(self._moves)

    @property
    def codes(self) -> Codes:
        """Of each node, and of none."""
        if self._told < self.count:
            rows, _, new = self.since(self._told)
            self._codes[rows] = new  # of several lines of one row the last stands
            self._told = self.count
        return self._codes

    def put(self, rows: list[int], new: list[int]) -> None:
        """`rows`, each once, are in these states now."""
        if not rows:
            return
        code, domain_of = self.code, self._domain_of
        old = [code[row] for row in rows]
        self._old += old
        self._rows += rows
        self._new += new
        if len(rows) == 1 or (
            new.count(new[0]) == old.count(old[0]) == len(rows)
            and domain_of[rows[0]] == domain_of[rows[-1]]
            and len({domain_of[row] for row in rows}) == 1
        ):
            self._moves.append((domain_of[rows[0]], old[0], new[0], len(rows)))
        else:
            domains = [domain_of[row] for row in rows]
            self._moves += zip(domains, old, new, repeat(1), strict=False)
        for row, state in zip(rows, new, strict=True):
            code[row] = state

    def trim(self) -> None:
        """Let the lines go where there are too many."""
        if len(self._rows) > LINES_MAX:
            _ = self.codes  # has to be told before
            self._gone, self._moves_gone = self.count, self.moves
            for lines in (self._rows, self._old, self._new, self._moves):
                lines.clear()

    def lost(self, seen: int) -> bool:
        """Whether to begin anew is better than to read on from there, or all that can be done."""
        return seen < self._gone or self.count - seen > len(self.code)

    def since(self, seen: int) -> tuple[Rows, Codes, Codes]:
        """Rows of the lines from there on, the state that each left, and the one that it came to."""
        part = slice(seen - self._gone, None)
        return (
            np.array(self._rows[part], dtype=np.intp),
            np.array(self._old[part], dtype=np.int32),
            np.array(self._new[part], dtype=np.int32),
        )

    def moves_since(self, seen: int) -> list[Move]:
        """The moves from there on. They go with the lines."""
        return self._moves[seen - self._moves_gone :]
