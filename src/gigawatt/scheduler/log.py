"""In which state each node is, by code, and every change of that, in order: what follows from it is kept by reading on."""

import numpy as np

from gigawatt.scheduler.snapshot import Codes, Rows

LINES_MAX = 1 << 18  # beyond it the oldest go, and who has not read them begins anew


class Log:
    """`code` is by row, with one more for no node; it is to be read, as `codes` is, which lags behind until it is asked."""

    def __init__(self, codes_N: Codes) -> None:
        self._codes: Codes = np.append(codes_N, np.int32(0))
        self.code: list[int] = self._codes.tolist()
        self._rows: list[int] = []
        self._old: list[int] = []
        self._new: list[int] = []
        self._gone = 0  # lines that are not kept any more
        self._told = 0  # lines that `codes` knows of

    @property
    def count(self) -> int:
        """Lines that were ever written: where a reader that has read all goes on."""
        return self._gone + len(self._rows)

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
        code = self.code
        self._old += [code[row] for row in rows]
        self._rows += rows
        self._new += new
        for row, state in zip(rows, new, strict=True):
            code[row] = state

    def trim(self) -> None:
        """Let the lines go where there are too many."""
        if len(self._rows) > LINES_MAX:
            _ = self.codes  # has to be told before
            self._gone = self.count
            for lines in (self._rows, self._old, self._new):
                lines.clear()

    def lost(self, seen: int) -> bool:
        """Whether to begin anew is better than to read on from there, or all that can be done."""
        return seen < self._gone or self.count - seen > len(self.code)

    def lines(self, seen: int) -> tuple[list[int], list[int], list[int]]:
        """Rows, the state that each left, and the one that it came to."""
        part = slice(seen - self._gone, None)
        return self._rows[part], self._old[part], self._new[part]

    def since(self, seen: int) -> tuple[Rows, Codes, Codes]:
        """`lines` as arrays."""
        rows, old, new = self.lines(seen)
        return (
            np.array(rows, dtype=np.intp),
            np.array(old, dtype=np.int32),
            np.array(new, dtype=np.int32),
        )
