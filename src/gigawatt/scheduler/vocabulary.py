"""Values in use, counted, and their codes: a private code that never moves, and a sorted one for snapshots."""

from typing import Generic, TypeVar

import numpy as np

from gigawatt.scheduler.snapshot import NONE, Codes

V = TypeVar("V", str, tuple[str, ...], tuple[tuple[int, int], ...], tuple[tuple[str, int], ...])


class Vocabulary(Generic[V]):
    """A value keeps its private code while anybody holds it; `ranks` turns private codes into sorted ones."""

    def __init__(self) -> None:
        self._codes: dict[V, int] = {}
        self._counts: list[int] = []
        self._unused: list[int] = []
        self._values: tuple[V, ...] = ()
        self._ranks: Codes = np.full(1, NONE, dtype=np.int32)
        self._stale = False

    def hold(self, value: V) -> int:
        """The private code of `value`, which stays its own until every hold is let go."""
        code = self._codes.get(value)
        if code is None:
            code = self._unused.pop() if self._unused else len(self._counts)
            if code == len(self._counts):
                self._counts.append(0)
            self._codes[value] = code
            self._stale = True
        self._counts[code] += 1
        return code

    def release(self, value: V) -> None:
        code = self._codes[value]
        self._counts[code] -= 1
        if not self._counts[code]:
            del self._codes[value]
            self._unused.append(code)
            self._stale = True

    def values(self) -> tuple[V, ...]:
        """Those in use, sorted: what a sorted code points into."""
        self._refresh()
        return self._values

    def ranks(self) -> Codes:
        """Sorted codes by private code. The last entry is NONE, so that a private code of NONE stays NONE."""
        self._refresh()
        return self._ranks

    def _refresh(self) -> None:
        if not self._stale:
            return
        self._values = tuple(sorted(self._codes))
        self._ranks = np.full(len(self._counts) + 1, NONE, dtype=np.int32)
        for rank, value in enumerate(self._values):
            self._ranks[self._codes[value]] = rank
        self._stale = False
