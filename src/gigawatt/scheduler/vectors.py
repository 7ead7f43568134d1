"""What gangs use of what anything may be said about: kinds of resource, and after them kinds of GPU (W).

Before a gang is placed, the kind of GPU that it will use is known only where no other will do.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from gigawatt.model.resources import KINDS
from gigawatt.scheduler.ask import Ask
from gigawatt.scheduler.snapshot import GPU, NONE, Amounts, NodeColumns, Rows

Vector = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vectors:
    """`kinds` are the kinds of GPU that are counted one by one; there are none where nobody has set anything by kind."""

    kinds: tuple[str, ...]
    nodes: NodeColumns

    def wanted(self, ask: Ask, count: int) -> Vector:
        """Of so many nodes or places, as if all were of the kind of GPU that it wants most; of no kind where it names none."""
        possible = self.possible(ask)
        return self._of(ask, count, possible[:1] if ask.kinds or len(possible) == 1 else ())

    def sure(self, ask: Ask, count: int) -> Vector:
        """Of so many, wherever they are."""
        possible = self.possible(ask)
        return self._of(ask, count, possible if len(possible) == 1 else ())

    def of_any(self, ask: Ask, count: int, *, but: Collection[str]) -> Vector:
        """Of so many the most of each kind that it may come to, without some kinds."""
        return self._of(ask, count, tuple(kind for kind in self.possible(ask) if kind not in but))

    def on(self, ask: Ask, rows: Rows, places: Amounts | None) -> Vector:
        """On these nodes."""
        many = np.ones(len(rows), dtype=np.int64) if places is None else places
        vector = list(self._of(ask, int(many.sum()), ()))
        if self.kinds and ask.demand.milli_gpu:
            codes = self.nodes.gpu_kind_N[rows]
            for code in np.unique(codes[codes != NONE]).tolist():
                place = len(KINDS) + self.kinds.index(self.nodes.gpu_kinds[code])
                vector[place] = ask.demand.milli_gpu * int(many[codes == code].sum())
        return tuple(vector)

    def possible(self, ask: Ask) -> tuple[str, ...]:
        """The kinds that it may be given; none where they are not counted, or it asks for no GPU."""
        if not (self.kinds and ask.demand.milli_gpu):
            return ()
        return tuple(kind for kind in ask.kinds or self.nodes.gpu_kinds if kind in self.kinds)

    def _of(self, ask: Ask, count: int, kinds: Collection[str]) -> Vector:
        amounts = tuple([amount * count for amount in ask.demand.vector()])
        if not self.kinds:
            return amounts
        gpus = amounts[GPU]
        return (*amounts, *[gpus if kind in kinds else 0 for kind in self.kinds])
